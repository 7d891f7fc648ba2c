from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oca.common.clock import now_s
from oca.common.jwk import Jwk, SigningPolicy
from oca.common.signing import Claims, encrypt_client, sign
from oca.common.uri_container import hash_container
from oca.delivery import authorise
from oca.delivery.authorisation import Authorisation
from oca.delivery.authorisation_settings import AuthorisationTable
from oca.delivery.authorise import FAILURES_MAX, Gate
from oca.delivery.control import TurnAway
from oca.delivery.counters import Page
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.miss_settings import MissTable
from oca.http1.request import Fields, Request
from tests.unit.common.signing_keys import ENC, ES, HS, STRANGER, ring
from tests.unit.delivery.bench import CONTENT, Bench, Benches, read_reply

NOW_S = 2_000_000_000.0
CLIENT = "192.0.2.7"
RING = ring(ES, HS, ENC)
STRANGERS = ring(STRANGER)
OBJECT = "/harbour/v/1.m4s"


def token(claims: Claims | None = None, *, kid: str = "es", **changed: Any) -> str:
    made = claims or Claims(**{"cdniuc": "regex:/harbour/.*", "exp": NOW_S + 60, **changed})
    return sign(made, RING.signing[kid])


def request(
    path: str, query: str = "", *, method: Any = "GET", host: str = "box.example", persistent: bool = True
) -> Request:
    return Request(method, path.encode(), Fields(host=host.encode()), persistent, 1, query.encode())


class Judged:
    """A gate with its counters."""

    def __init__(
        self, page: Page, *keys: Jwk, policy: SigningPolicy | None = None, before: Gate | None = None, **settings: Any
    ) -> None:
        self._page = page
        table = AuthorisationTable(**{"mode": "required", **settings})
        told = Authorisation(keys=keys or (ES.public(), HS, ENC), policy=policy)
        self.gate = Gate(table, told, page.counts, appliance="fra1-a", before=before)
        self.gate.tick(NOW_S)

    def count(self, key: str) -> int:
        return self._page.counts[DELIVERY_SLOTS[key]]

    def ask(self, asked: Request, client: str = CLIENT) -> tuple[str, str]:
        """The path that is looked up and the reason of the refusal, as the counters have it."""
        before = list(self._page.counts)
        bare, reply = self.gate.judge(asked, client)
        reasons = [
            key.partition(":")[2]
            for key, slot in DELIVERY_SLOTS.items()
            if "authorisation_refusals:" in key and self._page.counts[slot] > before[slot]
        ]
        assert (reply is None) == (not reasons)
        if reply is not None:
            assert reply.status == (429 if reasons == ["too-many"] else 403)
        return bare.path.decode("latin-1"), "".join(reasons)

    def why(self, path: str, query: str = "", client: str = CLIENT, **how: Any) -> str:
        return self.ask(request(path, query, **how), client)[1]


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page.create()
    yield made
    made.close()


@pytest.fixture
def judged(page: Page) -> Callable[..., Judged]:
    return lambda *keys, **settings: Judged(page, *keys, **settings)


Make = Callable[..., Judged]


@pytest.mark.parametrize("kid", ["es", "hs"])
def test_gate_finds_token_in_each_place_and_looks_up_what_follows(judged: Make, kid: str) -> None:
    it, made = judged(), token(kid=kid)
    for path, query in (
        (f"/t/{made}{OBJECT}", ""),
        (f"/t/{made}{OBJECT}", "CMCD=br%3D1"),
        (OBJECT, f"URISigningPackage={made}"),
        (f"/harbour;URISigningPackage={made}/v/1.m4s", ""),
    ):
        for _ in range(3):
            assert it.ask(request(path, query)) == (OBJECT, "")
    assert it.count("delivery_tokens_checked") == 1


def test_gate_names_each_refusal(judged: Make) -> None:
    it = judged(path_element="t")
    good = token()
    forged = sign(Claims(cdniuc="regex:/harbour/.*"), STRANGERS.signing["es"])
    other = sign(Claims(cdniuc="regex:/.*"), ring(Jwk(kty="oct", kid="x", alg="HS256", k=HS.k)).signing["x"])
    hers = encrypt_client(ip_network("198.51.100.0/24"), RING)
    for path, query, wanted in (
        (OBJECT, "", "missing"),
        (OBJECT, "CMCD=x", "missing"),
        (f"/t/{OBJECT}", "", "missing"),
        (f"/t/{good}", "", "malformed"),
        (f"/t/x{OBJECT}", "", "malformed"),
        (f"/t/x.y.z{OBJECT}", "", "malformed"),
        (f"/t/{good}/t/{good}{OBJECT}", "", "repeated"),
        (f"/t/{good}{OBJECT}", f"URISigningPackage={good}", "repeated"),
        (f"/t/{good}{OBJECT};URISigningPackage={good}", "", "repeated"),
        (f"/t/{forged}{OBJECT}", "", "bad-signature"),
        (f"/t/{other}{OBJECT}", "", "unknown-key"),
        (f"/t/{token(exp=NOW_S)}{OBJECT}", "", "expired"),
        (f"/t/{token(nbf=NOW_S + 1)}{OBJECT}", "", "not-yet"),
        (f"/t/{token(aud='other')}{OBJECT}", "", "audience"),
        (f"/t/{token(jti='1')}{OBJECT}", "", "token-id"),
        (f"/t/{token(cdniip=hers)}{OBJECT}", "", "wrong-client"),
        (f"/t/{good}/quay/v/1.m4s", "", "wrong-uri"),
    ):
        for _ in range(2):
            assert it.why(path, query) == wanted


def test_gate_knows_token_of_one_title_is_none_of_another(judged: Make) -> None:
    it = judged()
    one, other = token(), token(cdniuc="regex:/quay/.*")
    assert it.why(f"/t/{one}/harbour/1") == it.why(f"/t/{other}/quay/1") == ""
    assert it.why(f"/t/{one}/quay/1") == it.why(f"/t/{other}/harbour/1") == "wrong-uri"


@pytest.mark.parametrize(
    "rest",
    [
        "/quay/1",
        "/harbour",
        "/harbourx/1",
        "/harbou",
        "//harbour/1",
        "/./harbour/1",
        "/x/../harbour/1",
        "/HARBOUR/1",
        "/",
        "/harbour\\1",
    ],
)
def test_gate_grants_no_path_beside_its_container(judged: Make, rest: str) -> None:
    assert judged().why(f"/t/{token()}{rest}") == "wrong-uri"


def test_gate_hands_dot_segments_to_look_up_as_they_are(judged: Make) -> None:
    """A store holds no such path (``UrlPath``): it is a miss, not another title."""
    assert judged().ask(request(f"/t/{token()}/harbour/../quay/1")) == ("/harbour/../quay/1", "")


def test_gate_honours_times_at_each_use(judged: Make) -> None:
    it, made = judged(), token(nbf=NOW_S + 10, exp=NOW_S + 20)
    for at_s, wanted in ((0, "not-yet"), (10, ""), (19.9, ""), (20, "expired"), (15, ""), (9.9, "not-yet")):
        it.gate.tick(NOW_S + at_s)
        assert it.why(f"/t/{made}{OBJECT}") == wanted
    assert it.count("delivery_tokens_checked") == 1


def test_gate_allows_for_clock_that_is_off(judged: Make) -> None:
    it, made = judged(clock_leeway_s=30), token(nbf=NOW_S + 30, exp=NOW_S + 60)
    for at_s, wanted in ((0, ""), (-0.1, "not-yet"), (89, ""), (90, "expired")):
        it.gate.tick(NOW_S + at_s)
        assert it.why(f"/t/{made}{OBJECT}") == wanted


def test_gate_grants_clients_of_prefix_alone(judged: Make) -> None:
    it = judged()
    four = token(cdniip=encrypt_client(ip_network("192.0.2.0/24"), RING))
    six = token(cdniip=encrypt_client(ip_network("2001:db8::/32"), RING))
    for made, client, wanted in (
        (four, "192.0.2.255", ""),
        (four, "::ffff:192.0.2.1", ""),
        (four, "192.0.3.1", "wrong-client"),
        (four, "2001:db8::1", "wrong-client"),
        (six, "2001:db8:ffff::1", ""),
        (six, "2001:db9::1", "wrong-client"),
        (six, "192.0.2.1", "wrong-client"),
    ):
        assert it.why(f"/t/{made}{OBJECT}", client=client) == wanted


def test_gate_compares_whole_uri_as_client_names_it(judged: Make) -> None:
    it = judged()
    made = token(cdniuc=r"regex:http://box\.example/harbour/[a-z]/1\.m4s(\?.*)?")
    alone = token(cdniuc=hash_container(f"http://box.example{OBJECT}"))
    for each in (made, alone):
        assert it.why(f"/t/{each}{OBJECT}") == it.why(f"/t/{each}{OBJECT}", host="box.example:80") == ""
        assert it.why(f"/t/{each}{OBJECT}", host="box.example:8080") == "wrong-uri"
        assert it.why(f"/t/{each}{OBJECT}", host="other.example") == "wrong-uri"
        assert it.gate.judge(request(f"/t/{each}{OBJECT}"), CLIENT, b"https")[1] is not None
    assert it.why(f"/t/{made}{OBJECT}", "CMCD=x") == ""
    assert it.why(f"/t/{alone}{OBJECT}", "CMCD=x") == "wrong-uri"


def test_gate_lets_preflight_pass_and_judges_head(judged: Make) -> None:
    it = judged()
    assert it.ask(request(OBJECT, method="OPTIONS")) == (OBJECT, "")
    assert it.ask(request(f"/t/x{OBJECT}", method="OPTIONS")) == (OBJECT, "")
    assert it.ask(request("*", method="OPTIONS")) == ("*", "")
    assert it.why(OBJECT, method="HEAD") == "missing"
    assert it.why(f"/t/{token()}{OBJECT}", method="HEAD") == ""
    assert it.gate.judge(request(OBJECT, method="HEAD"), CLIENT)[1].text == b""  # type: ignore[union-attr]


def test_gate_asks_for_token_under_mounts_alone(judged: Make) -> None:
    it = judged(mode="by-mount", mounts=("/harbour", "/a/b"))
    assert it.ask(request("/quay/1")) == ("/quay/1", "")
    assert it.ask(request("/t/nonsense/quay/1")) == ("/quay/1", "")
    assert it.why("/harbours/1") == it.why("/a/1") == ""
    assert it.why(OBJECT) == it.why("/a/b/1") == it.why("/harbour") == "missing"
    assert it.why(f"/t/{token()}{OBJECT}") == ""


def test_gate_takes_tokens_off_where_they_are_optional(judged: Make) -> None:
    policy = SigningPolicy(revision="0" * 32, enforce="optional", issuer="s", path_element="sig", keys=[])
    it = judged(mode="steering", policy=policy, mounts=("/harbour",))
    for path in (OBJECT, f"/sig/{token()}{OBJECT}", f"/sig/nonsense{OBJECT}"):
        assert it.ask(request(path)) == (OBJECT, "")
    assert it.count("delivery_tokens_checked") == 0


def test_gate_holds_steerings_keys_to_its_issuer_and_own_keys_to_theirs(judged: Make) -> None:
    policy = SigningPolicy(
        revision="0" * 32, enforce="required", issuer="steering", path_element="t", keys=[ES.public()]
    )
    it = judged(HS, policy=policy, issuers=("studio",))
    for iss, kid, wanted in (
        ("steering", "es", ""),
        ("studio", "es", "issuer"),
        ("studio", "hs", ""),
        ("steering", "hs", "issuer"),
        (None, "hs", ""),
    ):
        assert it.why(f"/t/{token(iss=iss, kid=kid)}{OBJECT}") == wanted


def test_gate_says_why_in_header_only_when_configured(judged: Make) -> None:
    quiet, telling = judged(), judged(debug_header=True)
    for it, wanted in ((quiet, False), (telling, True)):
        reply = it.gate.judge(request(f"/t/{token(exp=NOW_S)}{OBJECT}"), CLIENT)[1]
        assert reply is not None
        assert (b"\r\nCache-Status: fra1-a;detail=authorisation-expired\r\n" in reply.head) is wanted
        assert b"Cache-Control: no-store" in reply.head
        assert reply.text == b"not authorised\n"
        assert b"expired" not in reply.text


def test_gate_says_why_in_a_header_that_can_be_read_whatever_the_box_is_called(page: Page) -> None:
    gate = Gate(AuthorisationTable(mode="required", debug_header=True), Authorisation(), page.counts, appliance="1-a")
    reply = gate.judge(request(OBJECT), CLIENT)[1]
    assert reply is not None
    assert b'\r\nCache-Status: "1-a";detail=authorisation-missing\r\n' in reply.head  # RFC 8941: no token


def test_gate_closes_where_client_asks_for_it(judged: Make) -> None:
    assert judged().gate.judge(request(OBJECT, persistent=False), CLIENT)[1].close  # type: ignore[union-attr]


def test_gate_checks_one_bad_token_once(judged: Make) -> None:
    it = judged()
    forged = sign(Claims(cdniuc="regex:/.*"), STRANGERS.signing["es"])
    assert [it.why(f"/t/{forged}{OBJECT}") for _ in range(100)] == ["bad-signature"] * 100
    assert it.count("delivery_tokens_checked") == 1


def test_gate_bounds_checks_a_second_and_lets_known_tokens_pass(judged: Make) -> None:
    it = judged(checks_per_s_max=20)
    known = token()
    assert it.why(f"/t/{known}{OBJECT}") == ""
    asked = [
        it.why(f"/t/{token(exp=NOW_S + 100 + number)}{OBJECT}", client=f"192.0.2.{number}") for number in range(50)
    ]
    assert asked == [""] * 19 + ["too-many"] * 31
    assert it.why(f"/t/{known}{OBJECT}") == ""
    it.gate.tick(NOW_S + 0.5)
    again = [it.why(f"/t/{token(exp=NOW_S + 200 + number)}{OBJECT}") for number in range(20)]
    assert again == [""] * 10 + ["too-many"] * 10
    it.gate.tick(NOW_S - 3600)  # a clock set back gives nothing and takes nothing
    assert it.why(f"/t/{token(exp=NOW_S + 999)}{OBJECT}") == "too-many"


def test_gate_stops_looking_at_tokens_of_client_that_fails(judged: Make) -> None:
    it = judged()

    forged = [sign(Claims(cdniuc="regex:/.*"), STRANGERS.signing["es"]) for _ in range(FAILURES_MAX + 6)]
    asked = [it.why(f"/t/{each}{OBJECT}") for each in forged[:-1]]
    assert asked == ["bad-signature"] * FAILURES_MAX + ["too-many"] * 5
    assert it.why(f"/t/{token()}{OBJECT}", client="192.0.2.8") == ""
    assert it.why(f"/t/{forged[0]}{OBJECT}") == "bad-signature"
    it.gate.tick(NOW_S + 1)
    assert it.why(f"/t/{forged[-1]}{OBJECT}") == "bad-signature"


def test_gate_takes_household_with_many_addresses_for_one_client(judged: Make) -> None:
    it = judged()
    forged = [sign(Claims(cdniuc="regex:/.*"), STRANGERS.signing["es"]) for _ in range(FAILURES_MAX + 1)]
    asked = [
        it.why(f"/t/{each}{OBJECT}", client=f"2001:db8:1:2::{number:x}") for number, each in enumerate(forged, start=1)
    ]
    assert asked == ["bad-signature"] * FAILURES_MAX + ["too-many"]
    assert it.why(f"/t/{token()}{OBJECT}", client="2001:db8:1:3::1") == ""


def test_gate_forgets_tokens_not_in_use_and_keeps_those_in_use(judged: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorise, "KNOWN_MAX", 4)
    monkeypatch.setattr(authorise, "REFUSED_MAX", 4)
    it = judged(checks_per_s_max=1000)
    used = token()
    for number in range(40):
        assert it.why(f"/t/{token(exp=NOW_S + 100 + number)}{OBJECT}") == it.why(f"/t/{used}{OBJECT}") == ""
        assert it.why(f"/t/x{number}{OBJECT}") == "malformed"
    assert it.count("delivery_tokens_checked") == 41
    assert len(it.gate._young) + len(it.gate._old) <= 8
    assert len(it.gate._refused) <= 4


def test_gate_keeps_what_it_knew_by_keys_that_stay(judged: Make) -> None:
    """A rotation: one key goes, one stays, and nobody's token is checked again."""
    first = judged()
    by_es, by_hs = token(), token(kid="hs")
    assert first.why(f"/t/{by_es}{OBJECT}") == first.why(f"/t/{by_hs}{OBJECT}") == ""
    second = judged(HS, before=first.gate)
    assert second.why(f"/t/{by_hs}{OBJECT}") == ""
    assert second.count("delivery_tokens_checked") == 2
    assert second.why(f"/t/{by_es}{OBJECT}") == "unknown-key"
    third = judged(STRANGER.public(), before=first.gate)  # another key under the kid
    assert third.why(f"/t/{by_es}{OBJECT}") == "bad-signature"


def test_gate_checks_anew_what_its_keys_may_speak_for_no_more(judged: Make) -> None:
    first = judged(issuers=("studio",))
    told = token(iss="studio")
    assert first.why(f"/t/{told}{OBJECT}") == ""
    assert judged(before=first.gate, issuers=("archive",)).why(f"/t/{told}{OBJECT}") == "issuer"
    assert judged(before=first.gate, issuers=("studio",)).why(f"/t/{told}{OBJECT}") == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["/t/", "/", "a.b.c", "URISigningPackage=", ";", "harbour", "é", "GOOD", "?", "&", "%2F"]),
        max_size=10,
    )
)
def test_gate_grants_or_names_a_refusal_and_leaves_no_token_behind(page: Page, parts: list[str]) -> None:
    it, good = Judged(page), token()
    path, _, query = "".join(good if part == "GOOD" else part for part in parts).partition("?")
    asked = Request("GET", b"/" + path.encode(), Fields(host=b"h"), True, 1, query.encode())
    looked_up, why = it.ask(asked)
    assert why or looked_up.startswith("/harbour/")
    assert not looked_up.startswith("/t/")
    assert ";URISigningPackage=" not in looked_up


def usual(gate: Gate, target: str) -> str | None:
    """What is left of a target without its token, if the short way takes it."""
    data = f"GET {target} HTTP/1.1\r\n\r\n".encode()
    end = len(b"GET ") + len(target)
    begin = gate.granted(data, end)
    path, _, query = data[begin:end].partition(b"?")
    return data[begin:end].decode() if begin and b";" not in path and not gate.may_hold_token(query) else None


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (f"/t/GOOD{OBJECT}", OBJECT),
        (f"/t/GOOD{OBJECT}?CMCD=x", f"{OBJECT}?CMCD=x"),
        (OBJECT, None),
        (f"{OBJECT}?URISigningPackage=GOOD", None),
        ("/t/GOOD/quay/1", None),
        (f"/t/GOOD{OBJECT}?URISigningPackage=GOOD", None),
        (f"/t/GOOD{OBJECT};URISigningPackage=GOOD", None),
        (f"/t/GOOD/t/GOOD{OBJECT}", None),
        ("/t/GOOD", None),
        (f"/t/GOOD?x{OBJECT}", None),
        (f"/t/LATE{OBJECT}", None),
        (f"/t/EARLY{OBJECT}", None),
        (f"/t/HERS{OBJECT}", None),
        (f"/t/ALL{OBJECT}", None),
        (f"/t/WHOLE{OBJECT}", None),
        (f"/t/NEW{OBJECT}", None),
        (f"/t/x{OBJECT}", None),
    ],
)
def test_gate_knows_usual_line_of_token_that_was_judged(judged: Make, line: str, wanted: str | None) -> None:
    """None means the long way, where ``judge`` decides."""
    it = judged()
    tokens = {
        "GOOD": token(),
        "LATE": token(exp=NOW_S),
        "EARLY": token(nbf=NOW_S + 1),
        "HERS": token(cdniip=encrypt_client(ip_network("192.0.2.0/24"), RING)),
        "ALL": token(cdniuc="regex:/.*"),
        "WHOLE": token(cdniuc=r"regex:http://box\.example/.*"),
    }
    for each in tokens.values():
        it.why(f"/t/{each}{OBJECT}")
    for name, each in {**tokens, "NEW": token(exp=NOW_S + 61)}.items():
        line = line.replace(name, each)
    assert usual(it.gate, line) == wanted


def test_gate_takes_no_query_for_path_of_its_prefix(judged: Make) -> None:
    it, made = judged(), token(cdniuc="regex:/a%3Fb/.*")
    assert it.ask(request(f"/t/{made}/a?b/c")) == ("/a?b/c", "")  # as decoded from /a%3Fb/c
    assert usual(it.gate, f"/t/{made}/a?b/c") is None
    assert it.why(f"/t/{made}/a", "b/c") == "wrong-uri"


# ---- over real sockets ----


def guarded(bench: Bench) -> Bench:
    told = Authorisation(keys=(ES.public(),))
    bench.service.gate = Gate(AuthorisationTable(mode="required"), told, bench.page.counts, appliance="a")
    bench.service.gate.tick(now_s())
    return bench


def asking(path: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: a", *fields, "", "")).encode()


def fresh(prefix: str = "/h/") -> str:
    return token(Claims(cdniuc=f"regex:{prefix}.*", exp=now_s() + 60))


async def test_session_serves_signed_urls_on_one_connection_with_refused_ones(benches: Benches) -> None:
    bench, good = guarded(benches()), fresh()
    reader, writer = await bench.connect()
    writer.write(asking("/h/small.m3u8") + asking(f"/t/{good}/h/small.m3u8") + asking(f"/t/{good}/h/none"))
    writer.write(asking(f"/t/{fresh('/quay/')}/h/small.m3u8", method="HEAD"))
    writer.write(asking("/h/small.m3u8", method="OPTIONS") + asking(f"/h/small.m3u8?a=1&URISigningPackage={good}"))
    status, fields, body = await read_reply(reader)
    assert (status, fields["Access-Control-Allow-Origin"], fields["Cache-Control"]) == (403, "*", "no-store")
    assert body == b"not authorised\n"
    assert (await read_reply(reader))[::2] == (200, CONTENT["small.m3u8"])
    assert (await read_reply(reader))[0] == 404
    assert (await read_reply(reader, bodiless=True))[0] == 403
    assert (await read_reply(reader))[0] == 204
    assert (await read_reply(reader))[::2] == (200, CONTENT["small.m3u8"])
    writer.write(asking(f"/t/{good}/h/small.m3u8", "Range: bytes=8-15", "User-Agent: oca-fill/1"))
    assert (await read_reply(reader))[::2] == (206, b"#EXTM3U\n")
    assert bench.service.demand.take() == [("harbour/v", 2, 2 * len(CONTENT["small.m3u8"]))]
    assert bench.count("delivery_authorisation_refusals:missing") == 1
    assert bench.count("delivery_authorisation_refusals:wrong-uri") == 1
    assert bench.count("delivery_responses:403") == 2
    assert bench.count("delivery_tokens_checked") == 2


@pytest.mark.parametrize("passes_token", [False, True])
async def test_session_redirects_with_token_only_where_fallback_checks_it(
    benches: Benches, *, passes_token: bool
) -> None:
    miss = MissTable(policy="redirect", fallback_url="http://next.example", redirect_token=passes_token)
    bench, good = guarded(benches(miss=miss)), fresh()
    signed = f"/t/{good}" if passes_token else ""
    reader, writer = await bench.connect()
    writer.write(asking(f"/t/{good}/h/none?a=1") + asking("/h/none"))
    status, fields, _ = await read_reply(reader)
    assert (status, fields["Location"]) == (302, f"http://next.example{signed}/h/none?a=1&oca-redirected")
    assert (await read_reply(reader))[0] == 403
    bench.service.lookup.spoil("harbour/v", "a test")
    writer.write(asking(f"/h/small.m3u8?URISigningPackage={good}"))
    in_query = f"URISigningPackage={good}&" if passes_token else ""
    assert (await read_reply(reader))[1][
        "Location"
    ] == f"http://next.example/h/small.m3u8?{in_query}oca-redirected-uncounted"
    bench.service.turn_away(TurnAway(cause="drained", answer="redirect", everyone=True))
    writer.write(asking(f"/t/{good}/h/small.m3u8"))
    assert (await read_reply(reader))[1]["Location"] == f"http://next.example{signed}/h/small.m3u8?oca-redirected"
    bench.service.demand.take_wanted()
    reader, writer = await bench.connect()
    writer.write(asking("/h/small.m3u8"))  # is turned away as well, and his asking counts for nothing
    assert (await read_reply(reader))[1]["Location"] == "http://next.example/h/small.m3u8?oca-redirected-uncounted"
    checked, unknown = bench.count("delivery_tokens_checked"), token(Claims(cdniuc="regex:/h/.*", exp=now_s() + 99))
    reader, writer = await bench.connect()
    writer.write(asking(f"/t/{unknown}/h/small.m3u8"))  # the checks are for those who are served
    assert (await read_reply(reader))[1]["Location"] == (
        f"http://next.example{f'/t/{unknown}' if passes_token else ''}/h/small.m3u8?oca-redirected-uncounted"
    )
    assert bench.service.demand.take_wanted() == {}
    assert bench.count("delivery_tokens_checked") == checked


async def test_session_asks_for_token_of_usual_requests_too(benches: Benches, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was served to one who might have it is not served to the next who may not."""
    bench, good, soon = guarded(benches()), fresh(), token(Claims(cdniuc="regex:/h/.*", exp=now_s() + 30))
    reader, writer = await bench.connect()
    signed, other = f"/t/{good}/h/small.m3u8", f"/t/{soon}/h/small.m3u8"
    for path, wanted in [(signed, 200)] * 3 + [("/h/small.m3u8", 403), (other, 200)] * 3:
        writer.write(asking(path))
        assert (await read_reply(reader))[0] == wanted
    gate = bench.service.gate
    assert gate is not None
    gate.tick(now_s() + 40)
    monkeypatch.setattr(gate, "tick", lambda _: None)  # the sweep would set it back
    for path, wanted in ((other, 403), (signed, 200)):
        writer.write(asking(path))
        assert (await read_reply(reader))[0] == wanted
    assert bench.count("delivery_authorisation_refusals:expired") == 1


async def test_session_keeps_no_token_in_what_it_remembers_or_logs(
    benches: Benches, capfd: pytest.CaptureFixture[str]
) -> None:
    bench, good = guarded(benches()), fresh()
    reader, writer = await bench.connect()
    for path in (f"/t/{good}/h/small.m3u8", f"/t/{good}/h/none", f"/t/{good}/quay", f"/t/{good}/t/{good}/h/small.m3u8"):
        writer.write(asking(path))
        await read_reply(reader)
    assert list(bench.service.lookup.kept) == [b"/h/small.m3u8"]
    shown = "".join(capfd.readouterr())
    assert good not in shown


async def test_session_refuses_encoded_way_round_its_token(benches: Benches) -> None:
    """What is looked up is what is judged: the path after it was decoded, once."""
    bench, good = guarded(benches()), fresh("/quay/")
    reader, writer = await bench.connect()
    for rest in (
        "/quay%2F..%2Fh/small.m3u8",
        "/quay/..%2fh%2fsmall.m3u8",
        "/quay/../h/small.m3u8",
        "/quay%2f%2e%2e/h/small.m3u8",
    ):
        writer.write(asking(f"/t/{good}{rest}"))
        assert (await read_reply(reader))[0] == 404, rest
    for path in (
        f"/t/{good}%2Fh/small.m3u8",
        f"/t%2F{good}/h/small.m3u8",
        f"/%74/{good}/%68/small.m3u8",
        f"/t/{good}/%2Fh/small.m3u8",
    ):
        writer.write(asking(path))
        assert (await read_reply(reader))[0] == 403, path
    writer.write(asking(f"/t/{fresh()}%2Fh%2Fsmall.m3u8"))
    assert (await read_reply(reader))[0] == 200
