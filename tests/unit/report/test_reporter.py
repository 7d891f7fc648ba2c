import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from oca.common.box import ApplianceTable, SteeringTable
from oca.common.jwk import SigningPolicy
from oca.common.log import configure_logging
from oca.common.messages import QUALITY_PREFIXES_MAX, PrefixQuality, Report, ReportAnswer
from oca.common.quality import Quality
from oca.common.tracing import OFF, Tracing
from oca.report import reporter as reporting
from oca.report.exchange import ANSWER_BYTES_MAX
from oca.report.reporter import Reporter
from oca.report.snapshot import Snapshot
from oca.store.records import HeldPack
from tests.unit.common.signing_keys import ES
from tests.unit.tracing import Collector, parent_of, traceparent
from tests.waiting import WAIT_S

PACK = HeldPack("film/video", "a" * 32, 10, 1, 0, 1)


class Steering:
    """A steering that answers as it is told, and remembers what it was sent."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.tokens: list[str] = []
        self.traces: list[str] = []
        self.known = ""
        self.answer: Callable[[Report], web.StreamResponse] = self.take
        self.came = asyncio.Event()
        self.policy: SigningPolicy | None = None

    def take(self, report: Report) -> web.Response:
        if report.contents.assets is not None:
            self.known = report.contents.digest
        demand = report.demand.sequence if report.demand else None
        wanted = report.contents.digest != self.known
        policy = self.policy if self.policy is not None and report.policy != self.policy.revision else None
        answer = ReportAnswer(contents_wanted=wanted, demand_sequence=demand, policy=policy)
        return web.Response(body=msgspec.json.encode(answer))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        report = msgspec.json.decode(await request.read(), type=Report)
        self.reports.append(report)
        self.tokens.append(request.headers.get("Authorization", ""))
        self.traces.append(request.headers.get("traceparent", ""))
        self.came.set()
        return self.answer(report)


class Policies:
    """Takes any policy but a refused one."""

    def __init__(self) -> None:
        self.policy: SigningPolicy | None = None
        self.offered = 0
        self.refused = False

    def take(self, policy: SigningPolicy) -> None:
        self.offered += 1
        if not self.refused:
            self.policy = policy


@pytest.fixture
async def steering() -> AsyncIterator[tuple[Steering, str]]:
    configure_logging(style="json")
    made = Steering()
    app = web.Application()
    app.router.add_post("/v1/appliances/fra1-a/report", made.handle)
    async with TestServer(app, host="127.0.0.1") as server:
        yield made, str(server.make_url("")).rstrip("/")


@pytest.fixture
def make_reporter(delivery: Any, make_snapshot: Callable[..., Snapshot]) -> Callable[..., Reporter]:
    def make(url: str, signing: Policies | None = None, tracing: Tracing = OFF, **settings: Any) -> Reporter:
        snapshot = make_snapshot(PACK)
        return Reporter(
            ApplianceTable(id="fra1-a", site="fra1"),
            SteeringTable(url=url, **{"report_interval_s": 300, "timeout_s": 5, **settings}),
            boot_id="b" * 32,
            delivery=delivery,
            observe=lambda: (snapshot, "serving"),
            chance=lambda: 0.5,
            signing=signing or Policies(),
            tracing=tracing,
        )

    return make


async def test_reporter_lists_contents_only_when_steering_wants_them(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter]
) -> None:
    service, url = steering
    reporter = make_reporter(url)
    async with aiohttp.ClientSession() as session:
        await reporter.report(session)
        await reporter.report(session)
        service.known = "forgotten"
        await reporter.report(session)
    listed = [report.contents.assets is not None for report in service.reports]
    assert listed == [False, True, False, False, True]
    assert [report.sequence for report in service.reports] == [1, 2, 3, 4, 5]
    first = service.reports[0]
    assert (first.appliance, first.site, first.serving, first.boot_id) == ("fra1-a", "fra1", "serving", "b" * 32)
    assert first.delivery_urls == ["http://127.0.0.1:8080"]
    assert reporter.link.connected


async def test_reporter_traces_a_sample_of_its_reports(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter]
) -> None:
    service, url = steering
    collector = Collector(sample=0.5)
    reporter = make_reporter(url, tracing=collector.tracer)
    async with aiohttp.ClientSession() as session:
        await reporter.report(session)  # two requests: the second brings the list of contents
        await reporter.report(session)
        service.answer = lambda _: web.Response(status=503, text="broken")
        await reporter.report(session)
    spans = collector.spans
    requests = [span for span in spans if span.name == "POST /v1/appliances/{appliance}/report"]
    first, second, last = map(traceparent, requests)
    assert service.traces == [first, second, "", last]
    assert [parent_of(span, spans) for span in requests] == ["report"] * 3
    statuses = [(span.attributes or {})["http.response.status_code"] for span in requests]
    assert statuses == [200, 200, 503]
    assert [span.status.is_ok for span in requests] == [True, True, False]
    assert (requests[0].attributes or {})["url.full"] == f"{url}/v1/appliances/fra1-a/report"
    collector.tracer.close()


async def test_reporter_resends_demand_until_acknowledged(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter], delivery: Any
) -> None:
    service, url = steering
    reporter = make_reporter(url)
    service.answer = lambda _: web.Response(status=500, text="broken")
    async with aiohttp.ClientSession() as session:
        delivery.demand = {"film/video": (2, 200)}
        await reporter.report(session)
        delivery.demand = {"film/video": (1, 100)}
        await reporter.report(session)
        service.answer = service.take
        await reporter.report(session)
        await reporter.report(session)
    batches = [report.demand for report in service.reports if report.demand]
    assert [batch.sequence for batch in batches] == [1, 1, 1, 2]
    assert batches[0].items == batches[1].items == batches[2].items
    assert (batches[3].items[0].requests, batches[3].items[0].bytes) == (1, 100)


async def test_reporter_leaves_no_demand_behind_at_the_end(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter], delivery: Any
) -> None:
    service, url = steering
    service.known = "anything"
    reporter = make_reporter(url)
    service.answer = lambda _: web.Response(status=500)
    delivery.demand = {"film/video": (1, 10)}
    async with aiohttp.ClientSession() as session:
        await reporter.report(session)
    service.answer = service.take
    delivery.demand = {"film/audio": (2, 20)}
    await reporter.report_last()
    taken = {report.demand.sequence: report.demand.items for report in service.reports if report.demand}
    assert [(items[0].asset, items[0].requests) for items in taken.values()] == [("film/video", 1), ("film/audio", 2)]


def _oversized(_: Report) -> web.Response:
    return web.Response(body=b" " * (ANSWER_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            lambda _: web.Response(status=403, text="unknown appliance"),
            "403 to the report: unknown appliance; put this",
        ),
        (
            lambda _: web.Response(
                status=400,
                text='{"title": "t1 belongs to site lab", "status": 400, "remedy": "correct appliance.site"}',
            ),
            "steering answered 400 to the report: t1 belongs to site lab; correct appliance.site",
        ),
        (lambda _: web.Response(status=400), "steering answered 400 to the report; look at steering's log"),
        (lambda _: web.Response(status=302, headers={"Location": "/"}), "steering answered 302"),
        (lambda _: web.Response(text="<html>"), "the answer is not as agreed"),
        (lambda _: web.Response(text="{}"), "the answer is not as agreed"),
        (_oversized, "larger than"),
    ],
)
async def test_reporter_says_why_steering_takes_no_report(
    steering: tuple[Steering, str],
    make_reporter: Callable[..., Reporter],
    capsys: pytest.CaptureFixture[str],
    answer: Callable[[Report], web.Response],
    why: str,
) -> None:
    service, url = steering
    service.answer = answer
    reporter = make_reporter(url)
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            await reporter.report(session)
        assert (reporter.link.connected, why in reporter.link.why) == (False, True)
        service.answer = service.take
        await reporter.report(session)
    assert reporter.link.connected
    assert not reporter.link.why
    logged = capsys.readouterr().err
    assert logged.count("serving goes on") == 1
    assert logged.count("steering takes reports") == 1


async def test_reporter_names_address_that_refuses(make_reporter: Callable[..., Reporter]) -> None:
    reporter = make_reporter("http://127.0.0.1:1")
    await reporter.report_last()
    assert reporter.link.why.startswith("http://127.0.0.1:1/v1/appliances/fra1-a/report: Connection refused; check")


async def test_reporter_gives_up_on_steering_that_hangs(make_reporter: Callable[..., Reporter]) -> None:
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reporter = make_reporter(f"http://127.0.0.1:{port}", timeout_s=0.1)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.1)) as session:
        await reporter.report(session)
    assert "no answer within 0.1 s" in reporter.link.why
    for writer in held:
        writer.close()
    server.close()


async def test_reporter_reports_at_once_when_nudged(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter]
) -> None:
    service, url = steering
    service.answer = lambda _: web.Response(body=b'{"contents_wanted": false}')
    reporter = make_reporter(url)
    running = asyncio.get_running_loop().create_task(reporter.run())
    async with asyncio.timeout(WAIT_S):
        for expected in (1, 2, 3):
            await service.came.wait()
            service.came.clear()
            assert len(service.reports) == expected
            reporter.nudge()
    running.cancel()
    await asyncio.wait([running])


async def test_reporter_goes_on_reporting_by_itself(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter]
) -> None:
    service, url = steering
    reporter = make_reporter(url, report_interval_s=0.2)
    running = asyncio.get_running_loop().create_task(reporter.run())
    async with asyncio.timeout(WAIT_S):
        while len(service.reports) < 4:
            await service.came.wait()
            service.came.clear()
    running.cancel()
    await asyncio.wait([running])


async def test_reporter_sends_its_token(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter], tmp_path: Path
) -> None:
    service, url = steering
    (tmp_path / "token").write_text("0123456789abcdef\n")
    reporter = make_reporter(url, token_file=str(tmp_path / "token"))
    await reporter.report_last()
    assert service.tokens == ["Bearer 0123456789abcdef"] * 2
    assert reporter.link.known_by == "token"


async def test_reporter_hands_policy_on_and_reports_it_at_once(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter]
) -> None:
    service, url = steering
    service.policy = SigningPolicy(
        revision="1" * 32, enforce="required", issuer="steering", path_element="t", keys=[ES.public()]
    )
    held = Policies()
    reporter = make_reporter(url, held)
    running = asyncio.create_task(reporter.run())
    try:
        async with asyncio.timeout(WAIT_S):
            while not service.reports or not service.reports[-1].policy:
                service.came.clear()
                await service.came.wait()
    finally:
        running.cancel()
    last = service.reports[-1]
    assert (last.policy, last.keys, held.offered) == ("1" * 32, ["es"], 1)
    assert service.reports[0].policy == ""


async def test_reporter_does_not_hurry_for_policy_that_is_not_taken(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter]
) -> None:
    service, url = steering
    service.policy = SigningPolicy(revision="1" * 32, enforce="required", issuer="s", path_element="t", keys=[])
    held = Policies()
    held.refused = True
    reporter = make_reporter(url, held)
    async with aiohttp.ClientSession() as session:
        await reporter.report(session)
    assert held.offered == 2  # with the list of contents came a second report
    assert not reporter._wanted.is_set()


async def test_reporter_goes_to_another_instance_where_one_is_away(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter]
) -> None:
    service, url = steering
    reporter = make_reporter("http://127.0.102.99:9", other_urls=(url,))
    async with aiohttp.ClientSession() as session:
        await reporter.report(session)
        assert (reporter.link.why, reporter.link.url) == ("", url)
        service.answer = lambda _: web.Response(status=503)
        await reporter.report(session)
        assert reporter.link.why.startswith("http://127.0.102.99:9/v1/appliances/fra1-a/report: ")
        service.answer = service.take
        await reporter.report(session)
    assert reporter.link.why == ""
    assert len(service.reports) == 4


async def test_reporter_tells_once_a_minute_what_players_told(
    steering: tuple[Steering, str],
    make_reporter: Callable[..., Reporter],
    delivery: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service, url = steering
    now_s = [1000.0]
    monkeypatch.setattr(reporting, "monotonic_s", lambda: now_s[0])
    delivery.told = [
        Quality("film/a", "192.0.2.0/24", requests=30, starved=3, throughput_kbits_per_s=9000, throughput_told=3),
        Quality("film/b", "192.0.2.0/24", requests=10, starved=1),
        *(Quality("film/a", f"10.0.{number}.0/24", requests=1) for number in range(200)),
    ]
    reporter = make_reporter(url)
    async with aiohttp.ClientSession() as session:
        for now_s[0] in (1030.0, 1061.0, 1062.0, 1121.0):
            await reporter.report(session)
    assert [report.quality is not None for report in service.reports] == [False, False, True, False, True]
    told = service.reports[2].quality
    assert told is not None
    assert told[0] == PrefixQuality("192.0.2.0/24", 40, 4, 3000)
    assert len(told) == QUALITY_PREFIXES_MAX


async def test_reporter_learns_what_steering_makes_of_the_box_and_of_its_clock(
    steering: tuple[Steering, str], make_reporter: Callable[..., Reporter]
) -> None:
    service, url = steering

    def judged(report: Report) -> web.Response:
        answer = ReportAnswer(
            contents_wanted=False,
            at_ns=report.sent_at_ns - 3600 * 10**9,
            sends_viewers=False,
            why="turning up: it holds 3% of its plan",
            standing="turning-up",
        )
        return web.Response(body=msgspec.json.encode(answer))

    service.answer = judged
    reporter = make_reporter(url)
    async with aiohttp.ClientSession() as session:
        await reporter.report(session)
    assert reporter.link.clock_ahead_s == 3600.0
    assert (reporter.link.sends_viewers, reporter.link.judged) == (False, "turning up: it holds 3% of its plan")
    assert reporter.link.standing == "turning-up"
