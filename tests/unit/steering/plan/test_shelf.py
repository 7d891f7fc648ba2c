from steering.plan.shelf import is_new, name_hash, shelve
from tests.unit.steering.made_up import DAY_NS, make_summary, make_title

LADDER = [
    make_summary("b/high", bitrate_bits_per_s=900),
    make_summary("b/low", bitrate_bits_per_s=100),
    make_summary("b/sound", "audio"),
    make_summary("b/manifests", "manifests", 7),
]


def test_shelf_ranks_each_kind_of_a_ladder_by_bit_rate() -> None:
    shelf = shelve(
        [
            make_title("b", assets=LADDER, released_at_ns=5, regions=["DE"]),
            make_title("a", assets=[make_summary("a/only")], released_at_ns=1, regions=[]),
        ]
    )
    rungs = {asset.asset: int(rung) for asset, rung in zip(shelf.assets, shelf.families.rung, strict=True)}
    assert rungs["b/low"] == rungs["a/only"] < rungs["b/high"]
    assert len({rungs[asset.asset] for asset in LADDER}) == 4
    assert [shelf.assets[row].asset for row in (shelf.place["a/only"], shelf.place["b/low"])] == ["a/only", "b/low"]
    assert shelf.manifests.sum() == 1
    assert shelf.stored_bytes[shelf.place["b/manifests"]] == 7 + 4096 + 64 + 3 * 160
    assert shelf.released_at_ns.tolist() == [1, 5, 5, 5, 5]
    assert shelf.title_released_at_ns.tolist() == [1, 5]
    assert shelf.may_lie_in("FR", until_ns=9).tolist() == [True, False, False, False, False]
    assert shelf.may_lie_in("DE", until_ns=4).tolist() == [True, False, False, False, False]
    assert shelf.named(["b/low", "a"]).sum() == 2


def test_shelf_knows_what_came_out_lately() -> None:
    titles = [
        make_title(name, assets=[make_summary(f"{name}/only")], released_at_ns=days * DAY_NS + 5)
        for name, days in (("a", 96), ("b", 98), ("c", 100), ("d", 101))
    ]
    assert is_new(shelve(titles).released_at_ns, 100).tolist() == [False, True, True, False]


def test_shelf_without_titles_is_empty() -> None:
    shelf = shelve([])
    assert (shelf.families.titles, len(shelf.may_lie_in("", until_ns=1)), len(shelf.named(["x"]))) == (0, 0, 0)


def test_name_hash_fits_64_bits_and_stays() -> None:
    assert name_hash("a") == name_hash("a") != name_hash("b")
    assert name_hash("a") < 2**64
