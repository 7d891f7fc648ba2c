from oca.store.scrub_messages import (
    SCRUB,
    Begin,
    Found,
    LeaveOut,
    Progress,
    ScrubTally,
    Suspect,
    Trouble,
    decode_down,
    decode_up,
    line,
)


def test_scrub_messages_arrive_as_they_were_sent() -> None:
    for down in (
        Begin(devices=("/a",), rate_bytes_per_s=1, interval_s=2.0, out=[0]),
        LeaveOut(out=[1]),
        Suspect(device=0, asset="a/b"),
    ):
        assert decode_down(line(down)) == down
    for up in (
        Progress(device=0, read_bytes=1, packs=2, passed_at_ns=3),
        Found(device=0, asset="a/b", kind="gone", what="is gone"),
        Trouble(device=0, said="x"),
    ):
        assert decode_up(line(up)) == up


def test_tally_adds_up_what_the_scrubber_says() -> None:
    tally = ScrubTally()
    assert tally.values() == {"scrub_pass_end_seconds": 0}
    tally.add(Progress(device=0, read_bytes=10, packs=1, passed_at_ns=0))
    tally.add(Progress(device=1, read_bytes=5, packs=1, passed_at_ns=7_000_000_000))
    assert tally.values()["scrub_pass_end_seconds"] == 0  # one device has had no whole pass
    tally.add(Progress(device=0, read_bytes=10, packs=1, passed_at_ns=9_000_000_000))
    tally.add(Found(device=0, asset="a/b", kind="damaged", what="x"))
    tally.add(Trouble(device=0, said="x"))
    values = tally.values()
    assert values == {
        "scrub_read_bytes": 25,
        "scrub_packs": 3,
        "scrub_faults:damaged": 1,
        "scrub_pass_end_seconds": 7,
    }
    declared = {key for family in SCRUB for key in family.keys()}  # noqa: SIM118 - a Family is no mapping
    assert values.keys() <= declared
