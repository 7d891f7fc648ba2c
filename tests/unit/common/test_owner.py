from __future__ import annotations

import errno
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from oca.common import owner
from oca.common.clock import monotonic_s
from oca.common.errors import ConfigError
from oca.common.owner import become_owner, warn_of_root
from tests.waiting import WAIT_S

NOBODY = pwd.getpwnam("nobody")
FIRST, SECOND = Path("/above/first"), Path("/above/second")
WRITES = """
import os, subprocess, sys
from pathlib import Path
from oca.common.owner import ASKER, become_owner
folder = Path(sys.argv[1])
become_owner(folder / "made/state", folder)
(folder / "written").touch()
(folder / "below").mkdir()
print((folder / "written").stat().st_uid, (folder / "below").stat().st_gid, *os.getresuid(), *os.getresgid(), ASKER)
subprocess.run(["bash", "-c", "id -u"], check=True)
print(os.getgroups())
"""
HANGS = "import os, stat, sys; stat.S_ISFIFO(os.stat(sys.argv[1]).st_mode) and open(sys.argv[1]).read();"


class System:
    """Stands in for the calls that change who a process is, and for folders of these names and owners."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, uid: int, owners: dict[str, int], *, refuses: int = 0) -> None:
        self.refuses = refuses
        self.became: list[tuple[object, ...]] = []
        name = "__import__('os').path.basename(__import__('sys').argv[1])"
        monkeypatch.setattr(owner, "QUESTION", f"print({owners}[{name}], {NOBODY.pw_gid})")
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        for what in ("setgroups", "setresgid", "setresuid"):
            monkeypatch.setattr(os, what, partial(self.become, what))

    def become(self, what: str, *who: object) -> None:
        if self.refuses:
            raise OSError(self.refuses, os.strerror(self.refuses))
        self.became.append((what, *who))


def noted(
    ask: Callable[[Path], subprocess.Popen[bytes]], started: list[subprocess.Popen[bytes]], folder: Path
) -> subprocess.Popen[bytes]:
    started.append(ask(folder))
    if folder.name != "first":  # that one hangs; how long the others may take is not what is tested
        started[-1].wait(WAIT_S)
    return started[-1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that other users reach, too."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize(
    ("uid", "owners"),
    [
        (1000, {"first": 65534}),
        (0, {"first": 0}),
        (0, {"first": 0, "second": 0}),
        (0, {"first": 0, "above": 65534}),
        (0, {"above": 0}),
        (0, {}),
    ],
)
def test_owner_stays_who_it_is_unless_root_meets_another(
    monkeypatch: pytest.MonkeyPatch, uid: int, owners: dict[str, int]
) -> None:
    system = System(monkeypatch, uid, owners)
    become_owner(FIRST, SECOND)
    assert system.became == []


@pytest.mark.parametrize(
    "owners",
    [
        {"first": NOBODY.pw_uid, "second": 4_000_000},
        {"second": NOBODY.pw_uid, "above": 4_000_000},
        {"first": 0, "second": NOBODY.pw_uid},  # a mount point on which nothing is mounted
        {"above": NOBODY.pw_uid},
    ],
)
def test_owner_of_first_folder_that_is_not_roots_is_taken_on(
    monkeypatch: pytest.MonkeyPatch, owners: dict[str, int]
) -> None:
    system = System(monkeypatch, 0, owners)
    become_owner(FIRST, SECOND)
    uid, gid = NOBODY.pw_uid, NOBODY.pw_gid
    wanted = [("setgroups", os.getgrouplist("nobody", gid)), ("setresgid", gid, gid, gid)]
    assert system.became == [*wanted, ("setresuid", uid, uid, uid)]


def test_owner_without_a_name_is_taken_on(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, 0, {"first": 4_000_000})
    become_owner(FIRST)
    gid = NOBODY.pw_gid
    wanted = [("setgroups", [gid]), ("setresgid", gid, gid, gid)]
    assert system.became == [*wanted, ("setresuid", 4_000_000, 4_000_000, 4_000_000)]


def test_owner_that_root_may_not_become_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    System(monkeypatch, 0, {"first": NOBODY.pw_uid}, refuses=errno.EPERM)
    with pytest.raises(ConfigError, match="belongs to nobody, and root cannot become") as refused:
        become_owner(FIRST)
    assert refused.value.remedy == "run it as that user, as with: sudo -u nobody"


def test_owner_is_whose_the_files_are(folder: Path) -> None:
    """For real, where the tests run as root; else all stays with who runs them."""
    who, group = os.geteuid(), os.getegid()
    if os.geteuid() == 0:
        who, group = NOBODY.pw_uid, NOBODY.pw_gid
        os.chown(folder, who, group)
    done = subprocess.run([sys.executable, "-u", "-c", WRITES, str(folder)], capture_output=True, text=True, check=True)
    ids, started, groups = done.stdout.splitlines()
    assert ids.split() == [str(each) for each in (who, group, who, who, who, group, group, group, os.getuid())]
    assert started == str(who)
    if os.geteuid() == 0:
        assert groups == str(os.getgrouplist("nobody", group))


@pytest.mark.parametrize(("uid", "said"), [(0, ["root runs this service"]), (NOBODY.pw_uid, [])])
def test_root_that_runs_a_service_is_told_whom_to_run_it_as(
    monkeypatch: pytest.MonkeyPatch, uid: int, said: list[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with capture_logs() as lines:
        warn_of_root("oca-steering")
    assert [line["event"] for line in lines] == said
    assert all("sudo -u oca-steering" in line["remedy"] for line in lines)


def test_owner_waits_for_folder_that_hangs_only_so_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system = System(monkeypatch, 0, {"first": 0, "second": NOBODY.pw_uid})
    monkeypatch.setattr(owner, "QUESTION", HANGS + owner.QUESTION)
    monkeypatch.setattr(owner, "ANSWER_S", 1.0)
    started: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(owner, "_ask", partial(noted, owner._ask, started))
    os.mkfifo(tmp_path / "first")
    (tmp_path / "second").mkdir()
    begun_at_s = monotonic_s()
    become_owner(tmp_path / "first", tmp_path / "second")
    assert monotonic_s() - begun_at_s >= 1.0
    assert system.became[-1][:2] == ("setresuid", NOBODY.pw_uid)
    (tmp_path / "first").write_text("")
    assert [each.communicate(timeout=WAIT_S)[1] for each in started] == [None, None]
