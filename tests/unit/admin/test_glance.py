from pathlib import Path

import msgspec
import pytest

from oca.admin.glance import FillStatus, RoutesStatus, fill_status, fill_text, routes_text
from oca.common.messages import FillProgress
from oca.store.fill_files import FOLDER, PAUSE_FILE, PROGRESS_FILE, fill_record
from oca.store.fill_record import RUNNING_AGE_NS_MAX, FillRecord, Pause

HOUR_NS = 3600 * 10**9
AT_NS = 100 * HOUR_NS


def progress(**changes: object) -> FillProgress:
    plain = FillProgress(
        appliance="fra1-a",
        plan="a" * 32,
        state="done",
        started_at_ns=AT_NS - 2 * HOUR_NS,
        updated_at_ns=AT_NS - HOUR_NS,
        bytes_total=4 * 2**30,
        bytes_done=4 * 2**30,
        assets_total=3,
        assets_done=3,
        assets_failed=0,
        assets_evicted=0,
        current=[],
    )
    return msgspec.structs.replace(plain, **changes)


def text(record: FillRecord) -> str:
    status = fill_status(record, AT_NS)
    assert status is not None
    return fill_text(status, AT_NS)


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (FillRecord(), "none yet: 'oca-fill run', or its timer"),
        (FillRecord(progress()), "done 1 h 0 min ago: 4.0 GiB of 4.0 GiB (100%), 3 of 3 assets"),
        (
            FillRecord(progress(state="running", updated_at_ns=AT_NS, bytes_done=2**30, assets_done=1)),
            "running: 1.0 GiB of 4.0 GiB (25%), 1 of 3 assets",
        ),
        (
            FillRecord(progress(state="running", updated_at_ns=AT_NS - RUNNING_AGE_NS_MAX - 1, assets_done=0)),
            "broke off 10.0 s ago, the next goes on: 4.0 GiB of 4.0 GiB (100%), 0 of 3 assets",
        ),
        (
            FillRecord(progress(state="incomplete", assets_failed=2, assets_evicted=1, reason="closed")),
            "incomplete 1 h 0 min ago: 4.0 GiB of 4.0 GiB (100%), 3 of 3 assets, 2 FAILED, 1 evicted; closed",
        ),
        (
            FillRecord(None, Pause(since_ns=1, why="works on the ring")),
            "PAUSED until 'oca-fill resume'; none yet: 'oca-fill run', or its timer; works on the ring",
        ),
        (
            FillRecord(progress(bytes_total=0, bytes_done=0), Pause(since_ns=1, until_ns=AT_NS + HOUR_NS)),
            "PAUSED until 1970-01-05 05:00:00Z; done 1 h 0 min ago: 0 B of 0 B, 3 of 3 assets",
        ),
        (
            FillRecord(progress(), Pause(since_ns=1, until_ns=AT_NS)),
            "done 1 h 0 min ago: 4.0 GiB of 4.0 GiB (100%), 3 of 3 assets",
        ),
    ],
)
def test_glance_tells_how_fills_stand(record: FillRecord, line: str) -> None:
    assert text(record) == line


def test_glance_tells_nothing_of_fills_while_their_device_cannot_be_read() -> None:
    assert fill_status(None, AT_NS) is None


def test_glance_reads_what_the_agent_wrote_and_passes_over_what_is_damaged(tmp_path: Path) -> None:
    assert fill_record(tmp_path) == FillRecord()
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / PROGRESS_FILE).write_bytes(msgspec.json.encode(progress()))
    (tmp_path / FOLDER / PAUSE_FILE).write_text("{")
    assert fill_record(tmp_path) == FillRecord(progress())
    assert fill_status(fill_record(tmp_path), AT_NS) == FillStatus(
        state="done",
        updated_at_ns=AT_NS - HOUR_NS,
        bytes_total=4 * 2**30,
        bytes_done=4 * 2**30,
        assets_total=3,
        assets_done=3,
    )


def test_glance_tells_of_routes() -> None:
    assert routes_text(RoutesStatus(routes=7, kept=0, sessions=2, sessions_established=2)) == (
        "7 by BGP, 2 of 2 sessions established"
    )
    assert routes_text(RoutesStatus(routes=7, kept=3, sessions=2, sessions_established=1, why="isp is down")) == (
        "7 by BGP, 1 of 2 sessions established, 3 kept of sessions that are down; isp is down"
    )
