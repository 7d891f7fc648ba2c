"""The settings files of the demo's processes, written as an operator would write them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from demo import nats
from demo.places import HOT_SHARE, SITES, Appliance, Instance, Places


def settings_files(places: Places, *, films_bytes: Sequence[int], workers: int) -> Iterator[tuple[Path, str]]:
    """Every file with its text.

    Args:
        places: Addresses and folders.
        films_bytes: Size of each film; the stores are measured by them.
        workers: Delivery workers of each appliance.
    """
    for instance in places.instances:
        yield places.run / instance.name / "steering.toml", _steering(places, instance)
    for number in range(len(places.nats)):
        yield places.run / f"nats-{number + 1}" / "nats.conf", nats.configuration(places, number)
    for appliance in places.appliances:
        folder = places.run / appliance.id
        yield (
            folder / "appliance.toml",
            _appliance(places, appliance, folder, appliance.store_bytes(films_bytes), workers),
        )
        yield (
            folder / "fill.toml",
            '[box]\nconfig = "appliance.toml"\n\n[fill]\nprogress_interval_s = 0.25\n\n[ladder]\nlook_interval_s = 1\n',
        )


def _steering(places: Places, instance: Instance) -> str:
    parts = [
        f'[api]\nlisten = "{instance.listen}"\nsteering_ttl_s = 5',
        _state(places, instance),
        f'[origin]\nurl = "{places.origin_url}"',
        '[signing]\nmode = "required"',
        "[fleet]\nshed_by_cpu = false\nreturn_s = 0",  # who watches kills the same box again and again
        f"[plan]\nhot_share = {HOT_SHARE}",
    ]
    for site in SITES:
        parts.append(
            f'[[site]]\nid = "{site.id}"\nname = "{site.name}"\nclass = "{site.kind}"\n'
            f'latitude = {site.latitude}\nlongitude = {site.longitude}\nprefixes = ["{site.prefix}"]'
        )
        parts += [
            f'[[site.appliance]]\nid = "{appliance.id}"' for appliance in places.appliances if appliance.site == site.id
        ]
    return "\n\n".join(parts) + "\n"


def _state(places: Places, instance: Instance) -> str:
    path = places.run / instance.name / "state"
    state = f'[state]\nengine = "{places.engine}"\npath = "{path}"\ninstance = "{instance.name}"'
    urls = ", ".join(f'"nats://{client}"' for client, _ in places.nats)
    return f"{state}\n\n[state.nats]\nurls = [{urls}]" if urls else state


def _appliance(places: Places, appliance: Appliance, folder: Path, store_bytes: int, workers: int) -> str:
    others = ", ".join(f'"{instance.url}"' for instance in places.instances[1:])
    return (
        f'[appliance]\nid = "{appliance.id}"\nsite = "{appliance.site}"\n\n'
        f'[delivery]\nlisten = ["{appliance.delivery}"]\nworkers = {workers}\ndrain_s = 2\n\n'
        f'[admin]\nlisten = "{appliance.admin}"\n\n'
        f'[store]\ndevices = ["{folder / "device0"}"]\ndevice_bytes_max = {store_bytes}\n'
        f"reserve_ratio = 0.0\n\n"
        f'[steering]\nurl = "{places.steering_url}"\nother_urls = [{others}]\n'
        f'identity_file = "{folder / "identity.json"}"\n\n'
        "[health]\ncpu_ratio_enter = 1.0\n"  # players, browser and encoder are busy on the same machine
    )
