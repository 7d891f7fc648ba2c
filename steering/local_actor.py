"""Who runs a command on this machine, for the audit log. Whoever may write the state may also write the log."""

from __future__ import annotations

import os
import pwd

from steering.trust.audit import Actor


def local_actor() -> Actor:
    """The user, whoever became that user by sudo, and the address that they came from by ssh."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    sudo = os.environ.get("SUDO_USER", "")
    came_from = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return Actor(f"{name} (sudo by {sudo})" if sudo else name, f"ssh {came_from}" if came_from else "this machine")
