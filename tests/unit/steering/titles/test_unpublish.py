from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oca.common.errors import ConfigError
from steering.state.engine import open_state
from steering.state.store import StateStore
from steering.titles.catalogue import Catalogue
from steering.titles.publish import Publication, publish
from steering.titles.unpublish import unpublish
from steering.trust.audit import fault_of, read_entries
from steering.trust.local_actor import local_actor
from tests.unit.steering.made_up import write_package
from tests.unit.steering.state.conftest import Opener, name_of, nats_table
from tests.unit.steering.state.nats_server import NatsServer
from tests.waiting import WAIT_S, wait_until

TIMES = 6


@pytest.fixture
def store(opener: Opener, tmp_path: Path) -> Iterator[StateStore]:
    opened = opener(tmp_path)
    yield opened
    opened.close()


def put(
    store: StateStore, package: Path, title: str = "harbour", mount: str = "", meanwhile: Callable[[], object] = int
) -> None:
    """Publish; ``meanwhile`` happens while the folder is read."""
    publication = Publication(title, title.title(), mount or f"/{title}", "", (), 5, 7)

    def show(done: int, total: int) -> None:
        if done == total:
            meanwhile()

    publish(package, publication, store, progress=show)


def kept(store: StateStore) -> dict[str, bytes]:
    """What the state has of titles."""
    return {key: value for kind in ("title/", "asset/", "object/") for key, value in store.scan(kind)}


def test_unpublish_leaves_nothing_of_a_title(store: StateStore, package: Path) -> None:
    put(store, package, "mill")
    before, catalogue = kept(store), Catalogue(store)
    put(store, package)
    assert catalogue.refresh()
    (title,) = unpublish(["harbour"], store, now_ns=9)
    assert (title.title, len(title.assets)) == ("harbour", 3)
    assert kept(store) == before
    assert catalogue.refresh()
    assert [*catalogue.titles] == ["mill"]
    assert (catalogue.asset("harbour/audio-en"), catalogue.asset_of_object("/harbour/poster.jpg")) == (None, None)
    (entry,) = read_entries(store, last=1)
    assert (entry.action, entry.what, entry.at_ns) == ("unpublish", "harbour", 9)
    assert ((entry.who, entry.place), fault_of(store)) == (local_actor(), "")


def test_unpublish_takes_several_out_and_names_each(store: StateStore, package: Path) -> None:
    for name in ("harbour", "mill", "quay"):
        put(store, package, name)
    assert [title.title for title in unpublish(["quay", "harbour", "quay"], store, now_ns=9)] == ["quay", "harbour"]
    assert [*Catalogue(store).titles] == ["mill"]
    assert [entry.what for entry in read_entries(store, last=2)] == ["quay", "harbour"]


def test_unpublish_changes_nothing_where_one_is_not_there(store: StateStore, package: Path) -> None:
    put(store, package)
    before = dict(store.scan(""))
    with pytest.raises(ConfigError) as refused:
        unpublish(["harbour", "mist", "harbour/audio-en"], store, now_ns=9)
    assert refused.value.message == "no title 'mist', 'harbour/audio-en' is published; nothing was taken out"
    assert refused.value.remedy.startswith("'oca-steering titles' lists those that are, ")
    assert dict(store.scan("")) == before


def test_title_taken_out_can_be_published_again(store: StateStore, package: Path) -> None:
    put(store, package)
    before, catalogue = kept(store), Catalogue(store)
    unpublish(["harbour"], store, now_ns=9)
    assert catalogue.refresh()
    put(store, package)
    assert kept(store) == before
    assert catalogue.refresh()
    assert catalogue.assets["harbour/audio-en"].kind == "audio"


def test_paths_of_a_title_taken_out_are_free(store: StateStore, package: Path) -> None:
    """A path is of one title, and so is each asset: nothing that is taken out can be another's."""
    put(store, package)
    unpublish(["harbour"], store, now_ns=9)
    put(store, package, "other", mount="/harbour")
    assert Catalogue(store).asset_of_object("/harbour/poster.jpg") == "other/manifests"


def test_publishing_meanwhile_loses_nothing(store: StateStore, package: Path) -> None:
    put(store, package)
    put(store, package, "mill", meanwhile=lambda: unpublish(["harbour"], store, now_ns=9))
    assert [*Catalogue(store).titles] == ["mill"]
    before = kept(store)
    put(
        store, package, "mill", meanwhile=lambda: unpublish(["mill"], store, now_ns=9)
    )  # what was published last is there
    assert kept(store) == before


def test_publishing_and_taking_out_at_once_loses_nothing(store: StateStore, package: Path, tmp_path: Path) -> None:
    quay = write_package(tmp_path / "quay")
    put(store, package)

    def publish_others() -> None:
        for number in range(TIMES):
            put(store, quay, f"quay{number}")

    beside = threading.Thread(target=publish_others)
    beside.start()
    for _ in range(TIMES):
        unpublish(["harbour"], store, now_ns=9)
        put(store, package)
    beside.join(WAIT_S)
    assert [*Catalogue(store).titles] == ["harbour", *(f"quay{number}" for number in range(TIMES))]
    assert len(kept(store)) == (TIMES + 1) * len([key for key in kept(store) if "harbour" in key])
    assert (len(read_entries(store, last=100)), fault_of(store)) == (3 * TIMES + 1, "")


def test_title_taken_out_is_gone_at_every_instance(nats: NatsServer, tmp_path: Path, package: Path) -> None:
    one, other = (open_state(nats_table(nats, tmp_path / copy, name=name_of(tmp_path))) for copy in ("a", "b"))
    put(one, package)
    catalogue = Catalogue(other)
    wait_until(lambda: catalogue.refresh() or len(catalogue.titles) == 1)
    unpublish(["harbour"], one, now_ns=9)
    wait_until(catalogue.refresh)
    assert len(catalogue.titles) == 0
    for state in (one, other):
        state.close()
