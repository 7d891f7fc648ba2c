"""What is served in the benchmark: files of each size, the same in a store, and the programs in C that take part."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from oca.store.importing import describe_folder, import_folder
from oca.store.store import Store

SIZES = {"4 KiB": 4096, "64 KiB": 65536, "1 MiB": 2**20, "2.5 MB": 2_500_000, "16 MiB": 2**24}
FILES = 16
PACED_BYTES = 131_072
"""One object a second, 1.05 Mbit/s: a low rendition's segment."""
PACED_PATH = f"/bench/{PACED_BYTES}-0.m4s"
_HERE = Path(__file__).parent


def paths(size: str) -> list[str]:
    """URL paths of the files of one size."""
    return [f"/bench/{SIZES[size]}-{number}.m4s" for number in range(FILES)]


def prepare(folder: Path) -> Path:
    """Write the files under ``folder``/www, and import them into a store; returns its device."""
    source = folder / "www" / "bench"
    source.mkdir(parents=True)
    for size, size_bytes in SIZES.items():
        for path in paths(size):
            (folder / "www" / path[1:]).write_bytes(os.urandom(size_bytes))
    (folder / "www" / PACED_PATH[1:]).write_bytes(os.urandom(PACED_BYTES))
    device = folder / "device"
    device.mkdir()
    store = Store.open([device])
    manifest, files = describe_folder(source, asset="bench/segments", mount="/bench")
    import_folder(store, manifest, files)
    store.close()
    folder.chmod(0o755)
    return device


def certify(folder: Path) -> tuple[Path, Path]:
    """A certificate for the benchmark's address and its key."""
    certificate, key = folder / "bench.crt", folder / "bench.key"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-days", "2", "-subj", "/CN=bench.test", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key


def compile_c(folder: Path, name: str) -> Path:
    """``name``.c of this package as a program in ``folder``."""
    program = folder / name
    subprocess.run(["cc", "-O2", "-o", str(program), str(_HERE / f"{name}.c")], check=True)
    return program
