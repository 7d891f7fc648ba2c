from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace as replace_message
from structlog.testing import capture_logs

import steering.plan.bodies as bodies_module
from oca.common.clock import now_ns
from oca.common.messages import AssetDemand, Contents, DemandBatch, FillPlan, PrefixQuality, WantedObject
from steering.decision.feedback_settings import FeedbackTable
from steering.fleet.turnup_settings import TurnupTable
from steering.plan.counted import Counted
from steering.plan.demand import hours_of
from steering.plan.evidence import DAY_NS
from steering.plan.kept_plan import KeptPlan, decode_plan, fill_plan
from steering.plan.planner import compute_plans, make_plans
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import JSON, TITLE, Steering
from tests.unit.steering.made_up import (
    ORIGIN,
    daily_bytes,
    make_batch,
    make_contents,
    make_progress,
    make_report,
    make_settings,
    revision,
)
from tests.waiting import WAIT_S

REPORT = "/v1/appliances/metro-a/report"


async def test_report_of_starving_players_slows_their_path(steering: Steering, package: Path) -> None:
    revisions = steering.publish(package)
    starving = [PrefixQuality(f"127.0.{number}.0/24", 100, 50) for number in range(9)]
    strange = [PrefixQuality("nonsense", 100, 100), PrefixQuality("203.0.113.0/24", 100, 100)]
    for minute in range(6):
        await steering.report(
            make_report(sequence=minute + 1, contents=make_contents(revisions), quality=[*starving, *strange])
        )
    slowed = steering.service.decider.feedback.of_home("metro")
    assert {name: path.weight for name, path in slowed.items()} == {"metro-a": 0.5}
    answer = await steering.get("/v1/explain", params={"title": "harbour", "client": "127.0.0.1"})
    why = next(pathway["why"] for pathway in answer["pathways"] if pathway["pathway"] == "metro-a")
    assert "players there starve: 50.0% of requests, by the median of 9 networks, 2.0% is usual; takes 50%" in why
    steering.service.decider.settings = replace_message(
        steering.service.decider.settings, feedback=FeedbackTable(enabled=False)
    )
    await steering.report(make_report(sequence=7, quality=[]))
    assert steering.service.decider.feedback.of_home("metro") == slowed


async def test_report_brings_appliance_up(steering: Steering) -> None:
    async with await steering.report(make_report()) as response:
        answer = await response.json()
        assert abs(answer.pop("at_ns") - now_ns()) < 60e9
        assert (response.status, answer) == (
            200,
            {
                "contents_wanted": False,
                "demand_sequence": None,
                "policy": None,
                "routes_wanted": False,
                "sends_viewers": True,
                "standing": "up",
                "why": "report 0.0 s old, limit 4.5 s",
            },
        )
    appliance = (await steering.get("/v1/fleet"))["appliances"][0]
    assert (appliance["appliance"], appliance["up"], appliance["verdict"]) == ("metro-a", True, "ok")


async def test_report_of_a_second_box_of_the_name_is_told_once(steering: Steering) -> None:
    with capture_logs() as lines:
        for sequence, boot in enumerate(("first", "second", "first", "first")):
            async with await steering.report(make_report(boot_id=revision(boot), sequence=sequence)) as response:
                assert response.status == 200
    told = [line for line in lines if line["log_level"] == "warning"]
    assert [line["event"] for line in told] == ["two boots report as metro-a; the later one counts while it reports"]
    async with steering.client.get("/metrics") as response:
        assert 'oca_steering_reports_total{outcome="rival"} 2.0' in await response.text()


async def test_report_is_asked_for_contents_until_known(steering: Steering) -> None:
    contents = make_contents({"harbour/video-240p": revision("x")})
    short = Contents(digest=contents.digest)
    answers = []
    for sequence, sent in enumerate((short, contents, short)):
        async with await steering.report(make_report(sequence=sequence, contents=sent)) as response:
            answers.append((await response.json())["contents_wanted"])
    assert answers == [True, False, False]


async def test_report_demand_is_acknowledged_and_counted_once(steering: Steering, package: Path) -> None:
    steering.publish(package)
    now = now_ns()
    batch = make_batch(7, at_ns=now, harbour__video_240p=(1, 10))
    for sequence in (1, 2):
        async with await steering.report(make_report(sequence=sequence, demand=batch)) as response:
            assert (await response.json())["demand_sequence"] == 7
    assert [list(days.values()) for days in daily_bytes(steering.state)["metro"].values()] == [[10]]


BATCH = make_batch(7, at_ns=now_ns(), harbour__video_240p=(1, 10))
GOOD_BYTES = 10


@pytest.mark.parametrize(
    ("batch", "counted", "taken_bytes"),
    [
        (replace_message(BATCH, ended_at_ns=now_ns() + 10**13), 'batches_total{outcome="future"} 1.0', 0),
        (replace_message(BATCH, started_at_ns=2**62), 'batches_total{outcome="backwards"} 1.0', 0),
        (replace_message(BATCH, sequence=1), 'batches_total{outcome="repeated"} 1.0', 0),
        (BATCH, 'batches_total{outcome="missing"} 5.0', GOOD_BYTES),
        (
            replace_message(BATCH, items=[*BATCH.items, AssetDemand("harbour/none", 1, 99)]),
            'items_dropped_total{reason="unknown-asset"} 1.0',
            GOOD_BYTES,
        ),
        (
            replace_message(BATCH, items=[*BATCH.items, AssetDemand("harbour/audio-en", 1, 2**60)]),
            'items_dropped_total{reason="absurd"} 1.0',
            GOOD_BYTES,
        ),
        (
            replace_message(BATCH, wanted=[WantedObject("/harbour/none.m4s", 1, 0, 0)]),
            'items_dropped_total{reason="unknown-object"} 1.0',
            GOOD_BYTES,
        ),
        (
            replace_message(BATCH, wanted=[WantedObject("/harbour/poster.jpg", 1, 0, 0, (0, 9, 2**60))]),
            'items_dropped_total{reason="absurd"} 1.0',
            GOOD_BYTES,
        ),
    ],
)
async def test_demand_that_cannot_be_is_acknowledged_counted_and_left_out(
    steering: Steering, package: Path, batch: DemandBatch, counted: str, taken_bytes: int
) -> None:
    steering.publish(package)
    first = make_batch(1, at_ns=now_ns())
    for sequence, each in enumerate((first, batch), start=1):
        async with await steering.report(make_report(sequence=sequence, demand=each)) as response:
            assert (await response.json())["demand_sequence"] == each.sequence
    text = await (await steering.client.get("/metrics")).text()
    assert f"oca_steering_demand_{counted}" in text
    hours = {hour.asset: hour.counted for hour in hours_of(steering.state, "demand")}
    assert hours == ({"harbour/video-240p": Counted(1, taken_bytes)} if taken_bytes else {})


async def test_stale_report_changes_nothing(steering: Steering) -> None:
    await steering.report(make_report(sequence=9))
    async with await steering.report(make_report(sequence=8, serving="drained")) as response:
        assert response.status == 200
    assert (await steering.get("/v1/fleet"))["appliances"][0]["serving"] == "serving"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"appliance": "metro-b"}, "$.appliance"),
        ({"site": "region"}, "$.site"),
        ({"delivery_urls": ["http://box.example", "http://0.0.0.0"]}, "$.delivery_urls[1]"),
        ({"delivery_urls": ["ftp://x"]}, "$.delivery_urls[0]"),
        ({"delivery_urls": []}, "$.delivery_urls"),
        ({"sequence": -1}, "$.sequence"),
        ({"store": {"capacity_bytes": 1}}, "$.store"),
        ({"health": {"verdict": "fine", "reasons": []}}, "$.health.verdict"),
        (
            {"load": {"connections": 1, "sent_bytes_per_s": 0, "link_bytes_per_s": 0, "cpu_ratio": 2}},
            "$.load.cpu_ratio",
        ),
    ],
)
async def test_wrong_report_is_refused_with_the_field(steering: Steering, changes: dict[str, Any], field: str) -> None:
    body = {**msgspec.to_builtins(make_report()), **changes}
    status, problem = await steering.problem("POST", REPORT, json=body)
    assert (status, problem["field"]) == (400, field)
    assert (await steering.get("/v1/fleet"))["appliances"][0]["report_age_s"] is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"appliance": "\\ud800"}', b"[" * 100_000])
async def test_garbage_is_refused(steering: Steering, body: bytes) -> None:
    status, _ = await steering.problem("POST", REPORT, data=body, headers=JSON)
    assert status == 400


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(make_report().__struct_fields__)), VALUES)
@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_report_of_any_shape_is_taken_or_refused(state: EmbeddedState, field: str, value: Any) -> None:
    body = json.dumps({**msgspec.to_builtins(make_report()), field: value}).encode()

    async def send() -> int:
        async with (
            Steering(state, make_settings()) as steering,
            steering.client.post(REPORT, data=body, headers=JSON) as response,
        ):
            return response.status

    assert asyncio.run(send()) in (200, 400)


async def test_huge_bodies_are_refused_unread(steering: Steering) -> None:
    status, _ = await steering.problem(
        "POST", "/v1/appliances/metro-a/fill-progress", data=BytesIO(b"x" * (2**20 + 1)), headers=JSON
    )
    assert status == 413
    for data in (b"x", pieces(b"x")):
        status, _ = await steering.problem("GET", "/v1/appliances/metro-a/fill-plan", data=data)
        assert status == 413


async def test_huge_report_is_refused_by_its_length(steering: Steering) -> None:
    reader, writer = await asyncio.open_connection(steering.client.host, steering.client.port)
    head = f"POST {REPORT} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {10**9}\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(WAIT_S):
        assert await reader.readline() == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    writer.close()


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_plan_needs_a_report_first(steering: Steering) -> None:
    status, problem = await steering.problem("GET", "/v1/appliances/metro-a/fill-plan")
    assert status == 409
    assert "has not reported yet" in problem["title"]


async def test_plan_is_made_as_asked_until_one_is_kept(steering: Steering, package: Path) -> None:
    steering.publish(package)
    await steering.report(make_report())
    async with steering.client.get("/v1/appliances/metro-a/fill-plan") as response:
        plan = msgspec.json.decode(await response.read(), type=FillPlan)
    assert [item.asset for item in plan.assets] == ["harbour/manifests", "harbour/audio-en", "harbour/video-240p"]
    assert plan.capacity_bytes == 10**6
    make_plans(steering.state, make_settings(), now_ns=now_ns())
    kept = await steering.get("/v1/appliances/metro-a/fill-plan")
    assert kept["plan"] == plan.plan
    assert kept == await steering.get("/v1/appliances/metro-a/fill-plan")


async def test_plan_marks_what_is_released_soon_as_urgent(steering: Steering, package: Path) -> None:
    steering.publish(package, replace(TITLE, released_at_ns=now_ns() + 3600 * 10**9))
    await steering.report(make_report())
    plan = await steering.get("/v1/appliances/metro-a/fill-plan")
    assert [item["urgent"] for item in plan["assets"]] == [True] * 3


async def test_plans_on_request_are_made_beside_the_loop_one_at_a_time(
    steering: Steering, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[int] = []
    most: list[int] = []

    def plan(*arguments: Any, **options: Any) -> dict[str, FillPlan]:
        running.append(threading.get_ident())
        most.append(len(running))
        made = compute_plans(*arguments, **options)
        assert running.pop() != threading.main_thread().ident
        return made

    monkeypatch.setattr(bodies_module, "compute_plans", plan)
    for name in ("metro-a", "metro-b"):
        await steering.report(make_report(name))
    answers = await asyncio.gather(
        *(steering.get(f"/v1/appliances/{name}/fill-plan") for name in ("metro-a", "metro-b") * 4)
    )
    assert {answer["appliance"] for answer in answers} == {"metro-a", "metro-b"}
    assert most == [1] * 8


async def test_plan_is_built_beside_the_loop_and_only_as_it_changes(
    steering: Steering, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    at_ns = now_ns()

    def build(kept: KeptPlan, appliance: str, *arguments: Any) -> FillPlan:
        assert threading.current_thread() is not threading.main_thread()
        built.append(appliance)
        return fill_plan(kept, appliance, *arguments)

    monkeypatch.setattr(bodies_module, "fill_plan", build)
    monkeypatch.setattr(bodies_module, "now_ns", lambda: at_ns)
    steering.publish(package, replace(TITLE, released_at_ns=at_ns + DAY_NS // 2))
    for name in ("metro-a", "metro-b"):
        await steering.report(make_report(name))

    async def urgent() -> set[bool]:
        paths = (f"/v1/appliances/{name}/fill-plan" for name in ("metro-a", "metro-b") * 4)
        answers = await asyncio.gather(*map(steering.get, paths))
        return {item["urgent"] for answer in answers for item in answer["assets"]}

    make_plans(steering.state, make_settings(), now_ns=at_ns)
    assert (await urgent(), await urgent(), sorted(built)) == ({False}, {False}, ["metro-a", "metro-b"])
    at_ns += DAY_NS // 2
    assert (await urgent(), await urgent(), len(built)) == ({True}, {True}, 4), "some of it has become urgent"
    steering.publish(package, TITLE)
    assert (await urgent(), await urgent(), len(built)) == ({False}, {False}, 6), "a title was published anew"
    make_plans(steering.state, make_settings(), now_ns=at_ns)
    assert (await urgent(), await urgent(), len(built)) == ({False}, {False}, 8), "there are new plans"
    monkeypatch.setattr(bodies_module, "BODIES_BYTES_MAX", 1)
    make_plans(steering.state, make_settings(), now_ns=at_ns + 1)
    await urgent()
    await steering.get("/v1/appliances/metro-b/fill-plan")
    assert built[-1] == "metro-b", "no more is kept than may be"
    before = len(built)
    await steering.get("/v1/appliances/metro-b/fill-plan")
    assert len(built) == before, "but the newest"


async def test_manifest_names_objects_and_sources_as_they_rank_now(steering: Steering, package: Path) -> None:
    held = steering.publish(package)
    for name, site in (("metro-b", "metro"), ("region-a", "region"), ("metro-a", "metro")):
        await steering.report(make_report(name, site, contents=make_contents(held)))
    manifest = await steering.get("/v1/appliances/metro-a/assets/harbour/video-240p")
    assert manifest["objects"][0]["path"] == "/harbour/media-0.m3u8"
    assert manifest["revision"] == held["harbour/video-240p"]
    assert [(source["kind"], source["url"]) for source in manifest["sources"]] == [
        ("peer", "http://metro-b.example:8080"),
        ("tier", "http://region-a.example:8080"),
        ("origin", ORIGIN),
    ]
    await steering.report(
        make_report("metro-b", sequence=2, contents=make_contents(dict.fromkeys(held, revision("old"))))
    )
    sources = (await steering.get("/v1/appliances/metro-a/assets/harbour/video-240p"))["sources"]
    assert [source["kind"] for source in sources] == ["tier", "origin"]
    status, _ = await steering.problem("GET", "/v1/appliances/metro-a/assets/harbour/none")
    assert status == 404


async def test_manifest_names_peers_that_take_no_viewers_yet_or_any_more(state: EmbeddedState, package: Path) -> None:
    """A cluster that is new, or being drained, must not fetch all of it from the origin."""
    async with Steering(state, make_settings(turnup=TurnupTable())) as steering:
        held = steering.publish(package)
        for name, site, serving in (("metro-b", "metro", "serving"), ("region-a", "region", "draining")):
            await steering.report(make_report(name, site, serving=serving, contents=make_contents(held)))
        await steering.report(make_report("metro-a"))
        assert steering.service.decider.liveness("metro-b").standing == "turning-up"
        manifest = await steering.get("/v1/appliances/metro-a/assets/harbour/video-240p")
        assert [source["kind"] for source in manifest["sources"]] == ["peer", "tier", "origin"]


async def masters_of(steering: Steering, *appliances: str) -> list[bool]:
    path = "/v1/appliances/{}/assets/harbour/video-240p"
    return [(await steering.get(path.format(name)))["master"] for name in appliances]


async def test_manifest_names_one_master_a_site_among_those_that_plan_the_asset(
    steering: Steering, package: Path
) -> None:
    steering.publish(package)
    for name, site in (("metro-a", "metro"), ("metro-b", "metro"), ("region-a", "region")):
        await steering.report(make_report(name, site))
    assert await masters_of(steering, "metro-a", "metro-b") == [True, True], "none but itself is known to plan it"
    make_plans(steering.state, make_settings(), now_ns=now_ns())
    chosen = await masters_of(steering, "metro-a", "metro-b")
    assert sorted(chosen) == [False, True]
    assert await masters_of(steering, "region-a") == [True]
    master, other = ("metro-a", "metro-b") if chosen[0] else ("metro-b", "metro-a")
    done = replace_message(make_progress(master), state="done", started_at_ns=now_ns())
    path = f"/v1/appliances/{master}/fill-progress"
    async with steering.client.post(path, data=msgspec.json.encode(done), headers=JSON) as response:
        assert response.status == 204
    assert await masters_of(steering, other) == [True], "the master's fill has ended without it"


async def test_manifest_reads_the_plan_of_its_site_once(
    steering: Steering, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steering.publish(package)
    for name in ("metro-a", "metro-b"):
        await steering.report(make_report(name))
    make_plans(steering.state, make_settings(), now_ns=now_ns())
    read: list[bytes] = []

    def decode(stored: bytes) -> KeptPlan:
        read.append(stored)
        return decode_plan(stored)

    monkeypatch.setattr("steering.plan.store.decode_plan", decode)
    await masters_of(steering, "metro-a")
    assert len(read) == 1


async def test_fill_progress_shows_in_the_fleet(steering: Steering) -> None:
    path = "/v1/appliances/metro-a/fill-progress"
    body = msgspec.json.encode(make_progress())
    async with steering.client.post(path, data=body, headers=JSON) as response:
        assert response.status == 204
    assert (await steering.get("/v1/fleet"))["appliances"][0]["fill"]["bytes_done"] == 5
    status, problem = await steering.problem(
        "POST", path, data=msgspec.json.encode(make_progress("metro-b")), headers=JSON
    )
    assert (status, problem["field"]) == (400, "$.appliance")


async def test_restart_keeps_catalogue_demand_and_capacities(
    state: EmbeddedState, settings: SteeringSettings, package: Path
) -> None:
    async with Steering(state, settings) as first:
        first.publish(package)
        await first.report(make_report())
    async with Steering(state, settings) as second:
        assert len((await second.get("/v1/titles"))["titles"]) == 1
        assert (await second.get("/v1/appliances/metro-a/fill-plan"))["assets"]
