"""Who runs a command on this machine, for the audit log. Whoever may write the state may also write the log."""

from __future__ import annotations

import os
import pwd

from oca.common.owner import ASKER
from steering.trust.audit import Actor


def local_actor() -> Actor:
    """The user, whoever became that user by sudo, and the address that they came from by ssh."""
    name = user_name(ASKER)
    sudo = os.environ.get("SUDO_USER", "")
    came_from = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return Actor(f"{name} (sudo by {sudo})" if sudo else name, f"ssh {came_from}" if came_from else "this machine")


def user_name(uid: int) -> str:
    """What a user of this machine is called."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
