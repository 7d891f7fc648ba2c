"""What is expected of tomorrow at every site: catalogue and past demand read once, a site reckoned as it is asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steering.catalogue import read_titles
from steering.evidence import evidence
from steering.forecast import Floats, Forecast, Smoothing, Taste, kindred_prior, kinship, world_prior
from steering.ground import FILLED_AHEAD_NS
from steering.history.settings import history_folder
from steering.settings import SteeringSettings
from steering.shelf import shelve
from steering.state.store import StateStore

KINDRED_SITES_MAX = 500
"""Above, likeness between sites costs more than it tells: the fleet as a whole is the prior."""


class Tomorrow:
    """``shelf`` is the catalogue; ``aside`` says what past demand there is no more, a line each."""

    def __init__(self, state: StateStore, settings: SteeringSettings, sites: Sequence[str], *, now_ns: int) -> None:
        """Read.

        Raises:
            SteeringError: Past demand cannot be read.
        """
        from steering.history.past import read_past  # noqa: PLC0415 - the other commands start without its engines

        plan = settings.plan
        self.shelf = shelf = shelve(read_titles(state))
        past = read_past(
            state,
            settings.history,
            shelf,
            folder=history_folder(settings),
            sites=sites,
            history_days=plan.history_days,
            half_life_days=plan.half_life_days,
            now_ns=now_ns,
        )
        self.aside = past.aside
        self._yesterday = past.yesterday if past.window.first < past.window.today else None
        self._smoothing = Smoothing(half_life_days=plan.half_life_days, prior_strength=plan.fleet_days)
        seen = evidence(past.watched, shelf, past.window, half_life_days=plan.half_life_days)
        self._taste = Taste.of(seen, shelf.families)
        self._world = world_prior(self._taste, debut_share=np.full(shelf.families.titles, past.debut_share))
        released = shelf.released_at_ns <= now_ns + FILLED_AHEAD_NS
        self._forecast = Forecast(seen, shelf.families, self._world, released=released, smoothing=self._smoothing)
        self._likeness = None
        if 1 < len(past.sites) <= KINDRED_SITES_MAX:
            self._likeness = kinship(self._taste, power=self._smoothing.kinship_power)
        self._numbers = {name: number for number, name in enumerate(past.sites)}

    def yesterday(self, site: str) -> tuple[NDArray[np.int32], Floats] | None:
        """What a site watched on the last whole day: places on the shelf, bytes of each; None: there was none."""
        return self._yesterday.of(self._numbers[site]) if self._yesterday is not None else None

    def expected(self, site: str) -> Floats:
        """Tomorrow's bytes by asset of one of the sites."""
        number = self._numbers[site]
        if self._likeness is None:
            return self._forecast.of(number)
        strength = self._smoothing.world_strength
        return self._forecast.of(
            number, kindred_prior(self._world, self._taste, self._likeness[number], strength=strength)
        )
