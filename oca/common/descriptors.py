"""How many descriptors this process may hold; each connection and each open file takes one."""

from __future__ import annotations

import resource


def raise_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one; the limit that now holds.

    The soft limit is 1024 on most systems, for programs that use select(); ours do not. Call once, at start.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # a hard limit of "infinity" that is above what the kernel grants
        return soft
    return hard if hard != resource.RLIM_INFINITY else 2**31 - 1
