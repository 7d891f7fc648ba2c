"""What root starts by hand, done as the user whose folder it is: what root made there, the service could not write."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from oca.common.clock import monotonic_s
from oca.common.errors import ConfigError
from oca.common.log import get_logger

ASKER = os.getuid()
"""The user who started this process, whoever it goes on as: audit logs name that one."""
ANSWER_S = 5.0
"""How long folders may take to tell whose they are, before they count as ones that hang."""
QUESTION = "import os, sys; told = os.stat(sys.argv[1]); print(told.st_uid, told.st_gid)"
_log = get_logger("owner")


def become_owner(*folders: Path) -> None:
    """Where root runs this, go on for good as the owner of the first of ``folders`` that is not root's.

    A device that is not mounted is root's for the most part; one that fails or hangs tells nothing. Where none tells,
    what is above the first one does. Nothing happens where root owns all that tell, or somebody else runs this.

    Raises:
        ConfigError: Root may not become another user here.
    """
    if os.geteuid() != 0:
        return
    owners = _owners(folders) or _owners(folders[0].absolute().parents)[:1]
    for folder, uid, gid in owners:
        if uid != 0:
            _become(folder, uid, gid)
            return


def warn_of_root(user: str) -> None:
    """Say so where root runs a service that is ``user``'s to run; it stays root, as whoever started it may mean it."""
    if os.geteuid() == 0:
        _log.warning(
            "root runs this service",
            why="a fault that a stranger's request finds would give him the machine, and what it writes is root's",
            remedy=f"run it as the user {user}, as its unit does; by hand: sudo -u {user}",
        )


def _become(folder: Path, uid: int, gid: int) -> None:
    """All three ids: a program that is started becomes, and a fault could bring back, what any of them still is."""
    try:
        account = pwd.getpwuid(uid)
        name, group, groups = account.pw_name, account.pw_gid, os.getgrouplist(account.pw_name, account.pw_gid)
    except KeyError:
        name, group, groups = f"#{uid}", gid, [gid]
    try:
        os.setgroups(groups)
        os.setresgid(group, group, group)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise ConfigError(
            f"{folder} belongs to {name}, and root cannot become that user here: {error.strerror}",
            remedy=f"run it as that user, as with: sudo -u {name}",
        ) from None


def _owners(folders: Sequence[Path]) -> list[tuple[Path, int, int]]:
    """Each folder that is there and answers, and its user and group.

    A program is asked and left where it hangs. A thread that hangs would hold up the change of user, which waits until
    every thread has made it.
    """
    asked = [(folder, _ask(folder)) for folder in folders]
    until_s = monotonic_s() + ANSWER_S
    found = []
    for folder, asking in asked:
        with suppress(subprocess.TimeoutExpired):
            asking.wait(max(0.0, until_s - monotonic_s()))
            told, _ = asking.communicate()
            if asking.returncode == 0:
                uid, gid = told.split()
                found.append((folder, int(uid), int(gid)))
    return found


def _ask(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", "-c", QUESTION, str(folder)]
    return subprocess.Popen(  # noqa: S603 - this interpreter, with a fixed text
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
