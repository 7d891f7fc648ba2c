"""Starts one delivery worker: ``python -m oca.delivery FD``, with a socket pair to the supervisor at FD.

Ctrl-C, a service manager's SIGTERM and ``systemctl kill --signal=HUP`` reach the whole group; it is the supervisor that
drains, reloads or upgrades, and whose end ends the worker. They are ignored from the first line on, before the slow
imports: a worker that stopped by itself would cut its viewers off, and leave an open listening queue behind with nobody
to answer.
"""

import faulthandler
import signal
import sys


def main() -> None:
    """Ignore the signals, then load and run the worker."""
    faulthandler.enable()  # an unreadable page of a mapped index ends a process without another word
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    from oca.delivery.worker import run  # noqa: PLC0415 - only now: a signal may come while it loads

    run(int(sys.argv[1]))


if __name__ == "__main__":
    main()
