"""Starts one delivery worker: ``python -m oca.delivery FD``, with a socket pair to the supervisor at FD.

Ctrl-C and a service manager's SIGTERM reach the whole group; it is the supervisor that drains, and whose end ends the
worker. They are ignored from the first line on, before the slow imports: a worker that stopped by itself would
leave an open listening queue behind with nobody to answer.
"""

import faulthandler
import signal
import sys


def main() -> None:
    """Ignore the signals, then load and run the worker."""
    faulthandler.enable()  # an unreadable page of a mapped index ends a process without another word
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    from oca.delivery.worker import run  # noqa: PLC0415 - only now: a signal may come while it loads

    run(int(sys.argv[1]))


if __name__ == "__main__":
    main()
