import asyncio
import threading

from oca.delivery.service import TICK_S, Service
from tests.unit.delivery.bench import Benches
from tests.waiting import until


class Watched:
    """A connection that tells when it is looked at."""

    client = "192.0.2.1"

    def __init__(self) -> None:
        self.checked_at_s: list[float] = []

    def check(self, now_s: float) -> None:
        self.checked_at_s.append(now_s)

    def drain(self, *, gently: bool = False) -> None: ...

    def reset(self) -> None: ...

    def can_go(self, now_s: float) -> bool:
        return False


class Ending(Watched):
    """One that takes its time to end."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service

    def check(self, now_s: float) -> None:
        super().check(now_s)
        threading.Event().wait(0.002)
        self._service.leave(self)


async def test_sweep_looks_at_every_connection_once_and_at_few_a_tick(benches: Benches) -> None:
    service = benches().service
    connections = [Watched() for _ in range(1000)]
    for connection in connections:
        service.join(connection)
    await until(lambda: all(connection.checked_at_s for connection in connections))
    for connection in connections:
        service.leave(connection)
    assert max(len(connection.checked_at_s) for connection in connections) <= 2
    ticks = [connection.checked_at_s[0] for connection in connections]
    assert max(ticks.count(tick) for tick in set(ticks)) <= 1000 * TICK_S + 1


async def test_sweep_ends_one_connection_between_two_looks_where_that_takes_long(benches: Benches) -> None:
    service = benches().service
    connections = [Ending(service) for _ in range(200)]
    for connection in connections:
        service.join(connection)
    looks = 0
    while service.sessions:
        ended = len(service.sessions)
        await asyncio.sleep(0)
        looks += 1
        assert ended - len(service.sessions) <= 1
    assert looks > 200
    assert all(len(connection.checked_at_s) == 1 for connection in connections)


async def test_sweep_passes_over_connection_that_has_ended(benches: Benches) -> None:
    service = benches().service
    staying, leaving = Watched(), Watched()
    service.join(staying)
    service.join(leaving)
    service._begin_sweep()
    service.leave(leaving)
    service._sweep_due = 2
    service._sweep()
    assert staying.checked_at_s
    assert not leaving.checked_at_s
    service.leave(staying)


async def test_service_tells_how_late_it_comes_to_its_timer(benches: Benches) -> None:
    bench = benches()
    await until(lambda: bench.count("delivery_lag_seconds:0.001") > 0)
    assert bench.count("delivery_lag_seconds:0.25") == 0
    threading.Event().wait(0.2)  # what blocks the loop blocks everybody
    await until(lambda: bench.count("delivery_lag_seconds:0.25") == 1)


async def test_queued_turns_come_one_between_two_looks_at_the_sockets(benches: Benches) -> None:
    service = benches().service
    taken: list[int] = []
    for number in range(3):
        service.queue(lambda number=number: taken.append(number))  # type: ignore[misc]
    seen = []
    while len(taken) < 3:
        seen.append(len(taken))
        await asyncio.sleep(0)
    assert taken == [0, 1, 2]
    assert seen == sorted(set(seen))
