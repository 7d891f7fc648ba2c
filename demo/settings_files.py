"""The settings files of the demo's processes, written as an operator would write them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from demo.places import HOT_SHARE, SITES, Appliance, Places


def settings_files(places: Places, *, films_bytes: Sequence[int], workers: int) -> Iterator[tuple[Path, str]]:
    """Every file with its text.

    Args:
        places: Addresses and folders.
        films_bytes: Size of each film; the stores are measured by them.
        workers: Delivery workers of each appliance.
    """
    yield places.run / "steering" / "steering.toml", _steering(places)
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


def _steering(places: Places) -> str:
    parts = [
        f'[api]\nlisten = "{places.steering}"\nsteering_ttl_s = 5',
        f'[state]\npath = "{places.run / "steering" / "state"}"',
        f'[origin]\nurl = "{places.origin_url}"',
        '[signing]\nmode = "required"',
        "[fleet]\nshed_by_cpu = false",
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


def _appliance(places: Places, appliance: Appliance, folder: Path, store_bytes: int, workers: int) -> str:
    return (
        f'[appliance]\nid = "{appliance.id}"\nsite = "{appliance.site}"\n\n'
        f'[delivery]\nlisten = ["{appliance.delivery}"]\nworkers = {workers}\ndrain_s = 2\n\n'
        f'[admin]\nlisten = "{appliance.admin}"\n\n'
        f'[store]\ndevices = ["{folder / "device0"}"]\ndevice_bytes_max = {store_bytes}\n'
        f"reserve_ratio = 0.0\n\n"
        f'[steering]\nurl = "{places.steering_url}"\nidentity_file = "{folder / "identity.json"}"\n'
    )
