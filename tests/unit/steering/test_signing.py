import re
from collections import Counter
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from msgspec import structs

from oca.common.errors import SteeringError
from oca.common.jwk import KEYS_MAX, SigningPolicy
from oca.common.keyring import KeyRing
from oca.common.messages import AssetManifest, Report, ReportAnswer
from oca.common.signing import Grant, find_key, verify
from steering.key_schedule import HANDOVER_S, SHARED_S
from steering.settings import SteeringSettings
from steering.signing import STATE_KEY, Signing, read_keys, rotate
from steering.signing_settings import SigningTable
from steering.state.embedded import EmbeddedState
from steering.tokens import Token
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_contents, make_report, make_settings

NOW_S = 2_000_000_000.0
ON = SigningTable(mode="required")


class Clock:
    def __init__(self) -> None:
        self.at_s = NOW_S

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ids(made: Signing) -> list[str]:
    return [key.kid for key in made.policy.keys]


def grant_of(token_path: str, made: Signing) -> Grant:
    """What an appliance that has ``made``'s policy makes of a token."""
    element, token = token_path.strip("/").split("/")
    ring = KeyRing()
    ring.add(made.policy.keys, source="steering", issuers=[made.policy.issuer])
    key = find_key(token.encode(), ring)
    assert not isinstance(key, str), key
    grant = verify(token.encode(), key, ring, audience=())
    assert isinstance(grant, Grant), grant
    assert element == made.policy.path_element
    return grant


def test_signing_off_makes_no_key_and_says_nothing(state: EmbeddedState) -> None:
    made = Signing(SigningTable(), state)
    assert state.get(STATE_KEY) is None
    assert (made.token_path(["any"], "/harbour"), made.policy_for("")) == ("", None)
    was_on = "1" * 32
    told = made.policy_for(was_on)  # an appliance from before it was turned off
    assert told is not None
    assert (told.enforce, told.keys) == ("off", [])
    assert made.policy_for(told.revision) is None


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_signing_grants_title_to_whoever_holds_its_key(state: EmbeddedState, clock: Clock, algorithm: Any) -> None:
    made = Signing(structs.replace(ON, algorithm=algorithm, token_lifetime_s=3600.0), state, clock=clock)
    (key,) = made.policy.keys
    assert (key.alg, key.d) == (algorithm, "")
    grant = grant_of(made.token_path([key.kid], "/harbour"), made)
    assert grant.container.covers(b"/harbour/v/1.m4s", b"CMCD=x", b"http://any")
    assert not grant.container.covers(b"/harbours/1.m4s", b"", b"http://any")
    assert NOW_S + 3600 <= grant.ends_s <= NOW_S + 3600 + SHARED_S
    assert made.token_path([], "/harbour") == ""  # it knows nothing of tokens


def test_signing_shares_token_among_viewers_for_a_while(state: EmbeddedState, clock: Clock) -> None:
    made = Signing(ON, state, clock=clock)
    first = made.token_path(ids(made), "/harbour")
    clock.at_s += 1
    assert made.token_path(ids(made), "/harbour") == first
    assert made.token_path(ids(made), "/quay") != first
    clock.at_s += SHARED_S
    later = made.token_path(ids(made), "/harbour")
    assert grant_of(later, made).ends_s > grant_of(first, made).ends_s


def test_token_that_was_kept_with_a_title_is_good_as_long_as_the_same_would_be_made(
    state: EmbeddedState, clock: Clock
) -> None:
    made = Signing(ON, state, clock=clock)
    first = made.token(ids(made), "/harbour")
    assert first is not None
    made._tokens.clear()
    assert made.token(ids(made), "/harbour", kept=first) is first
    for kid, claim in (("gone", None), (first.kid, "of another network")):
        other = Token(kid, claim, first.path, shared_until_s=first.shared_until_s, ends_s=first.ends_s)
        assert made.token(ids(made), "/harbour", kept=other) not in (first, other)
    clock.at_s += 1 + SHARED_S
    later = made.token(ids(made), "/harbour", kept=first)
    assert later is not None
    assert later.ends_s > first.ends_s


def test_tokens_of_titles_are_made_anew_each_at_a_time_of_its_own(state: EmbeddedState, clock: Clock) -> None:
    made = Signing(structs.replace(ON, algorithm="HS256"), state, clock=clock)
    titles = [f"/title-{number}" for number in range(300)]
    anew = Counter[int]()
    told = {title: made.token_path(ids(made), title) for title in titles}
    for second in range(int(SHARED_S)):
        clock.at_s += 1
        for title in titles:
            token = made.token_path(ids(made), title)
            if token != told[title]:
                anew[second] += 1
                ends_s, told[title] = grant_of(token, made).ends_s, token
                assert clock.at_s + ON.token_lifetime_s <= ends_s <= clock.at_s + ON.token_lifetime_s + SHARED_S
    assert anew.total() == len(titles)
    assert max(anew.values()) <= 8  # where all were made anew at once, 300


@pytest.mark.parametrize("lifetime_s", [60.0, 3.0])
def test_tokens_of_short_lives_are_shared_for_a_quarter_of_it(
    state: EmbeddedState, clock: Clock, lifetime_s: float
) -> None:
    made = Signing(structs.replace(ON, token_lifetime_s=lifetime_s), state, clock=clock)
    first = made.token_path(ids(made), "/harbour")
    assert clock.at_s + lifetime_s <= grant_of(first, made).ends_s <= clock.at_s + lifetime_s * 1.25 + 1
    clock.at_s += lifetime_s / 4
    assert made.token_path(ids(made), "/harbour") != first


def test_signing_goes_by_a_clock_that_was_set_back(state: EmbeddedState, clock: Clock) -> None:
    made = Signing(ON, state, clock=clock)
    first = made.token(ids(made), "/harbour")
    clock.at_s -= 86400
    for kept in (first, None):
        token = made.token(ids(made), "/harbour", kept=kept)
        assert token is not None
        assert grant_of(token.path, made).ends_s == token.ends_s <= clock.at_s + ON.token_lifetime_s + SHARED_S


async def test_signing_rotates_with_overlap(state: EmbeddedState, clock: Clock) -> None:
    made = Signing(structs.replace(ON, key_lifetime_s=5000.0, token_lifetime_s=100.0), state, clock=clock)
    (old,) = ids(made)
    revision = made.policy.revision
    clock.at_s += 4999
    await made.look()
    assert ids(made) == [old]
    clock.at_s += 1
    await made.look()
    assert ids(made)[0] == old
    _, new = ids(made)
    assert made.policy_for(revision) == made.policy
    # An appliance that does not have the new key yet is signed for by the old one; others by the new one.
    by_old, by_new = made.token_path([old], "/harbour"), made.token_path([old, new], "/harbour")
    assert (grant_of(by_old, made).kid, grant_of(by_new, made).kid) == (old, new)
    clock.at_s += HANDOVER_S
    assert grant_of(made.token_path([old], "/harbour"), made).kid == new
    clock.at_s += 99
    await made.look()
    assert grant_of(by_old, made).ends_s < clock.at_s  # over before its key goes
    clock.at_s += 1 + SHARED_S
    await made.look()
    assert ids(made) == [new]


async def test_signing_follows_other_instance_and_restart(state: EmbeddedState, clock: Clock) -> None:
    one, other = Signing(ON, state, clock=clock), Signing(ON, state, clock=clock)
    assert one.policy == other.policy
    rotate(state, ON, at_s=clock.at_s, now=True)
    await one.look()
    await other.look()
    assert len(ids(one)) == 2
    assert one.policy == other.policy == Signing(ON, state, clock=clock).policy


async def test_signing_revokes_keys_at_once(state: EmbeddedState, clock: Clock) -> None:
    made = Signing(ON, state, clock=clock)
    before = ids(made)
    token = made.token_path(before, "/harbour")
    rotate(state, ON, at_s=clock.at_s, revoke=True)
    await made.look()
    assert set(before).isdisjoint(ids(made))
    with pytest.raises(AssertionError, match="unknown-key"):
        grant_of(token, made)
    # Until the appliance has told that it holds the new key, it is signed for by that one: the URL is good by then.
    assert grant_of(made.token_path(before, "/harbour"), made).kid == ids(made)[0]


def test_signing_changes_algorithm_with_overlap(state: EmbeddedState, clock: Clock) -> None:
    Signing(ON, state, clock=clock)
    made = Signing(structs.replace(ON, algorithm="HS256"), state, clock=clock)
    assert [key.alg for key in made.policy.keys] == ["ES256", "HS256"]


def test_signing_keeps_tokens_bounded(state: EmbeddedState, clock: Clock) -> None:
    made = Signing(structs.replace(ON, algorithm="HS256"), state, clock=clock, tokens_kept=3)
    for number in range(10):
        made.token_path(ids(made), f"/{number}")
        assert len(made._tokens) <= 6


BOUND = structs.replace(ON, bind_client="prefix", bind_prefix_v4=24, bind_prefix_v6=48)


def test_rotate_refuses_more_keys_than_appliances_take(state: EmbeddedState) -> None:
    for number in range(KEYS_MAX // 2):
        before = rotate(state, BOUND, at_s=NOW_S + number, now=True)
    with pytest.raises(SteeringError, match=f"with one more key {KEYS_MAX + 2} would be good at a time") as refused:
        rotate(state, BOUND, at_s=NOW_S + KEYS_MAX, now=True)
    assert "keys rotate --revoke" in refused.value.remedy
    assert read_keys(state) == before
    policy = Signing(BOUND, state).policy
    assert msgspec.json.decode(msgspec.json.encode(policy), type=SigningPolicy) == policy
    assert len(rotate(state, BOUND, at_s=NOW_S + KEYS_MAX, revoke=True)) == 1


def test_signing_binds_token_to_network_of_client(state: EmbeddedState, clock: Clock) -> None:
    made = Signing(BOUND, state, clock=clock)
    assert [key.alg for key in made.policy.keys] == ["ES256", "A128GCM"]
    four = made.network_of(4, int(ip_address("198.51.100.7")), 128)
    six = made.network_of(6, int(ip_address("2001:db8:7:8::9")), 128)
    assert (four, six) == ("198.51.100.0/24", "2001:db8:7::/48")
    assert made.network_of(4, int(ip_address("198.51.0.0")), 16) == "198.51.0.0/16"  # no more of it is known
    token = made.token_path(ids(made), "/harbour", four)
    assert grant_of(token, made).client == ip_network(four)
    assert "198" not in token
    assert grant_of(made.token_path(ids(made), "/harbour", six), made).client == ip_network(six)
    assert made.token_path(ids(made), "/harbour", four) == token
    assert grant_of(made.token_path(ids(made), "/harbour"), made).client is None  # as a fill agent gets it


def test_signing_binds_nothing_for_appliance_that_cannot_read_it(state: EmbeddedState, clock: Clock) -> None:
    made = Signing(BOUND, state, clock=clock)
    assert grant_of(made.token_path(ids(made)[:1], "/harbour", "198.51.100.0/24"), made).client is None
    assert Signing(ON, state, clock=clock).network_of(4, 1, 128) == ""


async def test_signing_makes_a_key_for_networks_when_binding_begins(state: EmbeddedState, clock: Clock) -> None:
    (old,) = ids(Signing(ON, state, clock=clock))
    made = Signing(BOUND, state, clock=clock)
    assert ids(made)[0] == old
    assert len(ids(made)) == 3
    assert grant_of(made.token_path([old], "/harbour", "198.51.100.0/24"), made).client is None
    await made.look()
    assert len(ids(made)) == 3
    rotate(state, BOUND, at_s=clock.at_s, revoke=True)
    await made.look()
    assert len(ids(made)) == 2


def test_state_file_is_its_owners_alone(state: EmbeddedState, tmp_path: Path) -> None:
    Signing(ON, state)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    assert modes == {"data.mdb": 0o600, "lock.mdb": 0o600}


def test_signing_shows_no_private_half(state: EmbeddedState, clock: Clock) -> None:
    made = Signing(ON, state, clock=clock)
    private = read_keys(state)[0].jwk.d
    assert private
    assert private not in repr(read_keys(state))
    assert private not in msgspec.json.encode(made.policy).decode()


# ---- through the service ----


SITES = {"metro-a": "metro", "metro-b": "metro", "region-a": "region"}
TOKEN = r"/t/[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"


@pytest.fixture
def settings() -> SteeringSettings:
    return make_settings(signing=ON)


async def _report(steering: Steering, report: Report) -> SigningPolicy | None:
    async with await steering.report(report) as response:
        return msgspec.json.decode(await response.read(), type=ReportAnswer).policy


async def _enrol(steering: Steering, package: Path, *names: str) -> None:
    """Every appliance holds the title; those named have taken steering's keys up."""
    contents = make_contents(steering.publish(package))
    for name, site in SITES.items():
        report = make_report(name, site, contents=contents)
        told = await _report(steering, report)
        assert told is not None
        if name in names:
            held = [key.kid for key in told.keys]
            again = structs.replace(report, sequence=2, policy=told.revision, keys=held)
            assert await _report(steering, again) is None


async def test_playback_signs_for_appliances_that_hold_the_key_and_leaves_others_open(
    steering: Steering, package: Path
) -> None:
    await _enrol(steering, package, "metro-a", "region-a")
    _, answer = await steering.playback()
    for urls in answer["assets"].values():
        for url in urls:
            host = urlsplit(url).hostname
            signed = re.match(TOKEN + "/harbour/", urlsplit(url).path) is not None
            assert signed is (host in ("metro-a.example", "region-a.example")), url
    assert not any("/t/" in pathway["url"] for pathway in answer["pathways"])
    assert "/t/" not in answer["hls_url"] + answer["dash_url"]


async def test_manifests_and_redirects_carry_token_that_relative_urls_inherit(
    steering: Steering, package: Path
) -> None:
    await _enrol(steering, package, *SITES)
    async with steering.client.get("/v1/playback/harbour/master.m3u8") as response:
        hls = await response.text()
    lines = [line for line in hls.splitlines() if line.startswith("http")] + re.findall(r',URI="([^"]+)"', hls)
    assert len(lines) >= 8
    for url in lines:
        parts = urlsplit(url)
        assert bool(re.match(TOKEN + "/harbour/", parts.path)) is (
            parts.hostname in {f"{name}.example" for name in SITES}
        )
    steering_line = next(line for line in hls.splitlines() if "CONTENT-STEERING" in line)
    assert "/t/" not in steering_line
    async with steering.client.get("/v1/playback/harbour/manifest.mpd") as response:
        bases = re.findall(r"<BaseURL[^>]*>([^<]+)</BaseURL>", await response.text())
    assert len(bases) >= 4
    for url in bases:
        parts = urlsplit(url)
        assert bool(re.match(TOKEN + "/harbour/", parts.path)) is (
            parts.hostname in {f"{name}.example" for name in SITES}
        )
    path = urlsplit(lines[0]).path.partition("/harbour/")[2]
    async with steering.client.get(f"/r/harbour/{path}?a=1", allow_redirects=False) as response:
        location = urlsplit(response.headers["Location"])
    assert re.fullmatch(TOKEN + "/harbour/" + re.escape(path), location.path)
    assert location.query == "a=1"


async def test_steering_answers_and_explanations_hold_no_token(steering: Steering, package: Path) -> None:
    await _enrol(steering, package, *SITES)
    for path in (
        "/steer/hls?title=harbour&pathways=metro-a,metro-b,origin",
        "/steer/dash?title=harbour&pathways=metro-a,metro-b,origin",
        "/v1/explain?title=harbour",
        "/v1/fleet",
        "/v1/titles",
        "/health",
    ):
        async with steering.client.get(path) as response:
            assert response.status == 200, path
            assert "/t/" not in await response.text(), path


async def test_fill_is_given_token_for_peers_and_none_for_origin(steering: Steering, package: Path) -> None:
    await _enrol(steering, package, "metro-b", "region-a")
    raw = await steering.get("/v1/appliances/metro-a/assets/harbour/video-240p")
    manifest = msgspec.convert(raw, AssetManifest)
    tokens = {source.appliance: source.token_path for source in manifest.sources}
    assert set(tokens) == {"metro-b", "region-a", None}
    assert re.fullmatch(TOKEN, tokens["metro-b"])
    assert re.fullmatch(TOKEN, tokens["region-a"])
    assert tokens[None] == ""


async def test_appliance_that_takes_no_keys_is_told_and_not_signed_for(steering: Steering, package: Path) -> None:
    """One of an older version, or with mode = "off", asks for no token and understands none."""
    await _enrol(steering, package)
    _, answer = await steering.playback()
    assert not any("/t/" in url for urls in answer["assets"].values() for url in urls)


async def test_playback_binds_token_to_the_viewers_network(state: EmbeddedState, package: Path) -> None:
    async with Steering(state, make_settings(signing=BOUND)) as steering:
        await _enrol(steering, package, *SITES)
        _, answer = await steering.playback(client="198.51.100.7")
        url = next(url for urls in answer["assets"].values() for url in urls)
        token = "/".join(urlsplit(url).path.split("/")[:3])
        assert grant_of(token, steering.service.decider.signing).client == ip_network("198.51.100.0/24")
