"""What is expected of tomorrow at every site: catalogue and past demand read once, a site reckoned as it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
from numpy.typing import NDArray

from steering.history.settings import history_folder
from steering.plan.evidence import evidence
from steering.plan.expected import Expected, Listed
from steering.plan.forecast import Floats, Forecast, Smoothing, Taste, kindred_prior, kinship, rung_shares, world_prior
from steering.plan.ground import FILLED_AHEAD_NS, Ground
from steering.plan.rankings import Ranked, Rankings
from steering.plan.shelf import shelve
from steering.plan.watched import Column, ColumnOf
from steering.settings import SteeringSettings
from steering.state.store import StateStore
from steering.titles.catalogue import read_titles

KINDRED_SITES_MAX = 500
"""Above, likeness between sites costs more than it tells: the fleet as a whole is the prior."""


class Tomorrow:
    """``shelf`` is the catalogue; ``aside`` says what past demand there is no more, a line each."""

    def __init__(
        self,
        state: StateStore,
        settings: SteeringSettings,
        sites: Sequence[str],
        *,
        now_ns: int,
        column: ColumnOf = Column,
    ) -> None:
        """Read; ``column`` gives the memory for what was watched.

        Raises:
            SteeringError: Past demand cannot be read.
        """
        from steering.history.past import read_past  # noqa: PLC0415 - the other commands start without its engines

        plan = settings.plan
        with ThreadPoolExecutor(1, thread_name_prefix="catalogue") as pool:
            shelved = pool.submit(lambda: shelve(read_titles(state)))  # while the history's engine does the new day
            past = read_past(
                state,
                settings.history,
                shelved.result,
                folder=history_folder(settings),
                sites=sites,
                history_days=plan.history_days,
                half_life_days=plan.half_life_days,
                now_ns=now_ns,
                column=column,
            )
        self.shelf = shelf = shelved.result()
        self.aside = past.aside
        self._yesterday = past.yesterday if past.window.first < past.window.today else None
        self._smoothing = Smoothing(half_life_days=plan.half_life_days, prior_strength=plan.fleet_days)
        seen = evidence(past.watched, shelf, past.window, half_life_days=plan.half_life_days)
        with ThreadPoolExecutor(1, thread_name_prefix="forecast") as pool:
            usual = pool.submit(rung_shares, seen.watched, shelf.families)
            self._taste = Taste(seen, shelf.families)
            self._world = world_prior(self._taste, debut_share=np.full(shelf.families.titles, past.debut_share))
        released = shelf.released_at_ns <= now_ns + FILLED_AHEAD_NS
        self._forecast = Forecast(
            seen,
            shelf.families,
            self._world,
            released=released,
            smoothing=self._smoothing,
            stored_bytes=shelf.stored_bytes,
            taste=self._taste,
            usual=usual.result(),
        )
        self._likeness = None
        if 1 < len(past.sites) <= KINDRED_SITES_MAX:
            self._likeness = kinship(self._taste, power=self._smoothing.kinship_power)
        self._is_large = len(sites) > KINDRED_SITES_MAX and plan.ladders != "whole"
        self._numbers = {name: number for number, name in enumerate(past.sites)}

    def without_names(self) -> Tomorrow:
        """The same without what only reading needs: of columns alone, and as small as it can be handed on."""
        bare = copy(self)
        bare.shelf = self.shelf.without_names()
        return bare

    def yesterday(self, site: str) -> tuple[NDArray[np.int32], Floats] | None:
        """What a site watched on the last whole day: places on the shelf, bytes of each; None: there was none."""
        return self._yesterday.of(self._numbers[site]) if self._yesterday is not None else None

    def rankings(self, land: Ground) -> Rankings | None:
        """By which a large fleet's sites of a region are reckoned; None: by every asset."""
        return Rankings(self._forecast, self.shelf, land) if self._is_large else None

    def expected(self, site: str, land: Ground, rankings: Rankings | None) -> Expected:
        """Tomorrow at one of the sites."""
        number = self._numbers[site]
        if rankings is not None:
            return Ranked(rankings, number)
        if self._likeness is None:
            return Listed(self._forecast.of(number), land)
        strength = self._smoothing.world_strength
        prior = kindred_prior(self._world, self._taste, self._likeness[number], strength=strength)
        return Listed(self._forecast.of(number, prior), land)
