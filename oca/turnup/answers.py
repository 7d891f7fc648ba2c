"""What ``oca init`` asks, and the settings file it makes of the answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oca.common.settings_schema import toml


class Answers(NamedTuple):
    """Who the box is, where it stores and listens, and whom it belongs to.

    ``urls`` empty: as it listens; ``identity_file`` empty: where the package has it.
    """

    id: str
    site: str
    devices: Sequence[str]
    listen: Sequence[str]
    urls: Sequence[str] = ()
    steering: str = ""
    token_file: str = ""
    identity_file: str = ""


def settings_text(answers: Answers) -> str:
    """``appliance.toml`` with what was answered; everything else stays as it comes."""
    lines = [
        "# Settings of this appliance, as 'oca init' wrote them; change them by hand and 'oca reload'.",
        "# All there are, with their meaning: oca config print. What this file changes: oca config diff FILE.",
        "",
        "[appliance]",
        f"id = {toml(answers.id)}",
        f"site = {toml(answers.site)}",
        "",
        "[delivery]",
        f"listen = {toml(list(answers.listen))}",
    ]
    if answers.urls:
        lines.append(f"urls = {toml(list(answers.urls))}")
    lines += ["", "[store]", f"devices = {toml(list(answers.devices))}"]
    if answers.steering:
        lines += ["", "[steering]", f"url = {toml(answers.steering)}"]
        if answers.token_file:
            lines.append(f"token_file = {toml(answers.token_file)}")
        if answers.identity_file:
            lines.append(f"identity_file = {toml(answers.identity_file)}")
    return "\n".join(lines) + "\n"


def next_steps(file: str, answers: Answers, *, installed: bool) -> list[str]:
    """What an operator does after the file is written; ``installed``: it is the one that the units name."""
    steps = [f"oca check --config {file}"]
    if answers.steering and not answers.token_file:
        steps.insert(0, f"oca enrol --config {file} --token -, and paste the token that this prints")
        steps.insert(0, f"at steering: oca-steering enrol create --appliance {answers.id}")
    elif answers.steering:
        steps.insert(0, f"the same token stands in steering's file: token_file of {answers.id} in steering.toml")
    if not installed:
        return [*steps, f"oca serve --config {file}", f"oca status --config {file}"]
    outside = [device for device in answers.devices if not device.startswith("/var/lib/oca/")]
    if outside:
        paths = " ".join(outside)
        steps.insert(0, f"systemctl edit oca.service oca-fill.service, with [Service] ReadWritePaths={paths}")
    return [*steps, "systemctl enable --now oca.service oca-fill.timer", "oca status"]
