"""HTTP clients in a process of their own, that tell of every request which did not get its whole, right answer.

Reads ``{"host", "port", "digests": {path: [sha256, …]}, "clients", "pause_s"}`` from its first line of input, asks
until its input ends, and then prints what came of it. Half of the clients keep their connection, half open one for each
request. Nothing is tried again: a request that was sent and has no whole answer is a cut response. With
``"absent_allowed"`` a 404 is an answer, too, and counted apart.
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import sys
import threading
import time
from typing import Any

TIMEOUT_S = 30.0
LONG_S = 0.05


class Client(threading.Thread):
    """Asks for one object after the other."""

    def __init__(self, number: int, plan: dict[str, Any], over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._plan = plan
        self._over = over
        self._keeps = number % 2 == 0
        self._paths = itertools.islice(itertools.cycle(plan["digests"].items()), number, None)
        self._connection = http.client.HTTPConnection(plan["host"], plan["port"], timeout=TIMEOUT_S)
        self.answers = self.absent = 0
        self.connections = 0
        self.waits: list[tuple[float, float]] = []
        """When each long one began, and how long it took."""
        self.failures: list[dict[str, Any]] = []

    def run(self) -> None:
        for path, digests in self._paths:
            if self._over.wait(self._plan["pause_s"]):
                break
            began_s = time.monotonic()
            port = 0
            try:
                if self._connection.sock is None:
                    self._connection.connect()
                    self.connections += 1
                port = self._connection.sock.getsockname()[1]
                self._ask(path, digests)
            except (OSError, http.client.HTTPException, ValueError) as error:
                what = f"{type(error).__name__}: {error}"
                self.failures.append(
                    {"port": port, "path": path, "what": what, "began_s": began_s, "at_s": time.monotonic()}
                )
                self._connection.close()
            if (took_s := time.monotonic() - began_s) > LONG_S:
                self.waits.append((began_s, took_s))
        self._connection.close()

    def _ask(self, path: str, digests: list[str]) -> None:
        self._connection.request("GET", path)
        with self._connection.getresponse() as response:
            body = response.read()
        if response.status == 404 and self._plan.get("absent_allowed"):
            self.absent += 1
        elif response.status != 200 or hashlib.sha256(body).hexdigest() not in digests:
            raise ValueError(f"status {response.status}, {len(body)} bytes")
        else:
            self.answers += 1
        if not self._keeps:
            self._connection.close()


def main() -> None:
    """Ask until standard input ends; print the sums as JSON."""
    plan = json.loads(sys.stdin.readline())
    over = threading.Event()
    clients = [Client(number, plan, over) for number in range(plan["clients"])]
    for client in clients:
        client.start()
    sys.stdin.read()
    over.set()
    for client in clients:
        client.join()
    json.dump(
        {
            "answers": sum(client.answers for client in clients),
            "absent": sum(client.absent for client in clients),
            "connections": sum(client.connections for client in clients),
            "waits": [wait for client in clients for wait in client.waits],
            "failures": [failure for client in clients for failure in client.failures],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
