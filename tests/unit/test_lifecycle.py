import asyncio
from typing import Any

import pytest

from oca.common.errors import ConfigError, OcaError
from oca.delivery.settings import DeliveryTable
from oca.lifecycle import Lifecycle
from oca.settings import ApplianceSettings
from tests.unit.test_changes import settings


class FakeSupervisor:
    """Takes up what it is given, as it is told to."""

    def __init__(self) -> None:
        self.taken: list[DeliveryTable] = []
        self.faults: list[str] = []
        self.refuses = ""
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def reload(self, delivery: DeliveryTable, *, log_level: str, log_format: str) -> list[str]:
        await self.may_go_on.wait()
        if self.refuses:
            raise OcaError(self.refuses, remedy="see the log")
        self.taken.append(delivery)
        return self.faults


class FakeSuccessor:
    """Starts, or does not."""

    pid = 7
    fault = ""

    async def until_ready(self) -> None:
        if self.fault:
            raise OcaError(self.fault, remedy="see the log")


class Rig:
    def __init__(self) -> None:
        self.supervisor = FakeSupervisor()
        self.file: ApplianceSettings | ConfigError = settings()
        self.applied: list[ApplianceSettings] = []
        fake: Any = self.supervisor
        self.successor = FakeSuccessor()
        succeed: Any = lambda: self.successor  # noqa: E731
        self.lifecycle = Lifecycle(settings(), fake, load=self.load, apply=self.applied.append, succeed=succeed)

    def load(self) -> ApplianceSettings:
        if isinstance(self.file, ConfigError):
            raise self.file
        return self.file


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_reload_takes_up_settings_and_names_those_that_wait(rig: Rig) -> None:
    rig.file = settings(delivery={"idle_timeout_s": 5, "workers": 7}, log={"level": "error"})
    outcome = await rig.lifecycle.reload()
    assert (outcome.kind, outcome.done, outcome.waiting) == ("reload", True, ("delivery.workers",))
    assert outcome.said == "changed delivery.idle_timeout_s, log.level"
    assert outcome.at_ns > 0
    (applied,) = rig.applied
    assert (applied.delivery.idle_timeout_s, applied.delivery.workers, applied.log.level) == (5, 0, "error")
    assert rig.supervisor.taken == [applied.delivery]
    assert (await rig.lifecycle.reload()).said == "no setting has changed; files are read anew"
    assert rig.lifecycle.last.waiting == ("delivery.workers",)


async def test_reload_keeps_settings_where_file_is_bad(rig: Rig) -> None:
    rig.file = ConfigError("appliance.toml: delivery.workers = -1", remedy="write 0 to 256")
    outcome = await rig.lifecycle.reload()
    assert (outcome.done, outcome.kind) == (False, "reload")
    assert outcome.said == "all goes on as before: appliance.toml: delivery.workers = -1; write 0 to 256"
    assert not rig.applied
    assert not rig.supervisor.taken


async def test_reload_keeps_settings_where_workers_do_not_start(rig: Rig) -> None:
    rig.file = settings(delivery={"idle_timeout_s": 5})
    rig.supervisor.refuses = "no delivery worker starts: ended with status 1"
    assert "no delivery worker starts" in (await rig.lifecycle.reload()).said
    assert not rig.applied
    rig.supervisor.refuses = ""
    assert (await rig.lifecycle.reload()).said == "changed delivery.idle_timeout_s"


async def test_reload_tells_what_could_not_be_read(rig: Rig) -> None:
    rig.supervisor.faults = ["cert.pem: no such file"]
    outcome = await rig.lifecycle.reload()
    assert (outcome.done, outcome.said.endswith("; goes on as it was: cert.pem: no such file")) == (False, True)


async def test_reloads_that_wait_for_one_another_are_one(rig: Rig) -> None:
    rig.supervisor.may_go_on.clear()
    loop = asyncio.get_running_loop()
    running = [loop.create_task(rig.lifecycle.reload()) for _ in range(5)]
    await asyncio.sleep(0)
    rig.supervisor.may_go_on.set()
    outcomes = await asyncio.gather(*running)
    assert len(rig.supervisor.taken) == 2
    assert {outcome.kind for outcome in outcomes} == {"reload"}


async def test_upgrade_ends_renewals_of_this_daemon(rig: Rig) -> None:
    outcome = await rig.lifecycle.upgrade()
    assert (outcome.kind, outcome.done, outcome.said.startswith("process 7 serves")) == ("upgrade", True, True)
    assert rig.lifecycle.successor is not None
    assert await rig.lifecycle.reload() == await rig.lifecycle.upgrade() == outcome
    assert not rig.supervisor.taken


@pytest.mark.parametrize("fault", ["it ended before it was ready", ""])
async def test_upgrade_goes_on_as_before_where_new_daemon_cannot_start(rig: Rig, fault: str) -> None:
    rig.successor.fault = fault
    if not fault:
        rig.file = ConfigError("appliance.toml: not TOML", remedy="mend it")
    outcome = await rig.lifecycle.upgrade()
    assert (outcome.done, (fault or "not TOML") in outcome.said) == (False, True)
    assert rig.lifecycle.successor is None
    rig.file = settings(delivery={"idle_timeout_s": 5})
    assert (await rig.lifecycle.reload()).done
