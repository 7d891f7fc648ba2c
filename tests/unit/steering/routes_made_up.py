"""Tables of routes as an appliance tells of them, made up."""

from __future__ import annotations

from collections.abc import Mapping

from oca.common.routes import NOTHING, PathAttributes, RouteBatch, RouteGroup, route_digest
from steering.routes.reach import Reach
from tests.unit.steering.made_up import revision

NEAR = PathAttributes(as_path="64500")
FAR = PathAttributes(as_path="64500 64501")


class Box:
    """What an appliance hears, and what it has told of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.table: dict[str, PathAttributes] = {}
        self.sequence = 0

    @property
    def digest(self) -> str:
        total = 0
        for prefix, attributes in self.table.items():
            total ^= route_digest(attributes)(prefix)
        return f"{total:032x}"

    def batch(
        self, announced: Mapping[str, PathAttributes], withdrawn: tuple[str, ...] = (), *, whole: bool = False
    ) -> RouteBatch:
        """The change to the table, or with ``whole`` the change and then all of the table."""
        before = NOTHING if whole else self.digest
        self.table |= announced
        for prefix in withdrawn:
            self.table.pop(prefix)
        self.sequence += 1
        told = self.table if whole else announced
        return RouteBatch(
            epoch=revision("boot"),
            sequence=self.sequence,
            before=before,
            after=self.digest,
            announced=[RouteGroup(attributes, [prefix]) for prefix, attributes in told.items()],
            withdrawn=[] if whole else list(withdrawn),
            begins=whole,
            full=whole,
            ends=whole,
        )

    def tell(self, reach: Reach, announced: Mapping[str, PathAttributes], *withdrawn: str, whole: bool = False) -> str:
        """Have ``reach`` take it; why it did not, if so."""
        return take(reach, self.name, self.batch(announced, withdrawn, whole=whole))


def take(reach: Reach, appliance: str, batch: RouteBatch) -> str:
    return "".join(reach.take(appliance, batch))
