"""The plans of the last night in the state: a site's at a time, and the names that all of them share, kept at hand."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import count

import msgspec

from oca.common.digest import digest_hex
from oca.common.messages import FillPlan
from steering.plan.kept_plan import KeptPlan, decode_plan, encode_plan, fill_plan, wanted_assets
from steering.state.store import StateReader, StateStore, StateTransaction
from steering.titles.catalogue import AssetSummary, Catalogue

NAMES_PER_ENTRY = 10_000
_decode_names = msgspec.msgpack.Decoder(list[str]).decode
_encode_names = msgspec.msgpack.Encoder().encode


class PlanStore:
    """Reads plans, also in threads; a list of names is decoded once, when the first plan of a night is asked for."""

    def __init__(self, state: StateReader, *, there: str = "") -> None:
        """``there`` stands for names that are known to be there; only to see so a million need not be decoded."""
        self._state = state
        self._names: tuple[str, list[str]] = ("", [])
        self._there = there

    def kept(self, site: str) -> KeptPlan | None:
        """A site's plan; None: there is none, or one of another release."""
        return self.kept_at(f"plan/{site}")

    def kept_at(self, key: str) -> KeptPlan | None:
        """The same of what is kept under a key."""
        found = self._state.get(key)
        if found is None:
            return None
        try:
            kept = decode_plan(found)
        except msgspec.DecodeError:
            return None
        return kept if kept.names == self._there or self.names(kept.names) else None

    def names(self, digest: str) -> list[str]:
        """The names that a plan's places are in, in rising order; empty: they are gone."""
        kept_digest, names = self._names
        if kept_digest != digest:
            names = []
            for number in count():
                found = self._state.get(f"plan-names/{digest}/{number:06}")
                if found is None:
                    break
                names += _decode_names(found)
            self._names = (digest, names)
        return names

    def plan(self, site: str, appliance: str, catalogue: Catalogue) -> FillPlan | None:
        """Last night's plan of a box, brought up to what is published now."""
        kept = self.kept(site)
        if kept is None or appliance not in kept.boxes:
            return None
        return fill_plan(kept, appliance, self.names(kept.names), catalogue.assets, catalogue.titles)

    def wanted(self, site: str, appliance: str, catalogue: Catalogue) -> list[AssetSummary] | None:
        """What last night's plan gives a box, of what is published now, in the order of names."""
        kept = self.kept(site)
        if kept is None or appliance not in kept.boxes:
            return None
        return wanted_assets(kept, appliance, self.names(kept.names), catalogue.assets)

    def boxes_with(self, site: str, asset: str) -> list[str]:
        """The boxes to which last night's plan gives the asset."""
        kept = self.kept(site)
        if kept is None:
            return []
        names = self.names(kept.names)
        place = bisect_left(names, asset)
        return kept.boxes_with(place) if place < len(names) and names[place] == asset else []


def put_plan(transaction: StateTransaction, site: str, kept: KeptPlan) -> None:
    """Keep a site's plan."""
    transaction.put(f"plan/{site}", encode_plan(kept))


def put_names(state: StateStore, names: Sequence[str]) -> str:
    """Have names at hand for plans, before any plan counts on them; what stands for them. They are in rising order."""
    digest = digest_hex("\n".join(names).encode())
    if state.get(f"plan-names/{digest}/{0:06}") is None:
        with state.write() as transaction:
            for number, start in enumerate(range(0, max(len(names), 1), NAMES_PER_ENTRY)):
                part = list(names[start : start + NAMES_PER_ENTRY])
                transaction.put(f"plan-names/{digest}/{number:06}", _encode_names(part))
    return digest


def drop_names(transaction: StateTransaction, *, but: str) -> None:
    """Forget the names of earlier nights."""
    for key in [key for key, _ in transaction.scan("plan-names/") if key.split("/")[1] != but]:
        transaction.delete(key)
