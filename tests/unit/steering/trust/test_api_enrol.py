"""From outside: what a box, a thief and a box with a wrong clock are answered."""

from __future__ import annotations

import json

import pytest

from oca.common.clock import now_ns
from oca.common.new_key import new_pair
from steering.state.embedded import EmbeddedState
from steering.trust.identities import revoke
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_report
from tests.unit.steering.trust.box import Box, make_token


async def test_token_is_exchanged_for_an_identity(steering: Steering) -> None:
    box = Box(steering)
    assert await box.enrol(box.token()) == (200, {"appliance": "metro-a", "site": "metro", "keyid": box.keyid})
    status, _ = await box.post("report", *box.report())
    assert status == 200


async def test_enrolled_appliance_is_let_in_by_its_key_alone(steering: Steering) -> None:
    box = Box(steering)
    await box.enrol(box.token())
    async with await steering.report(make_report()) as response:
        assert response.status == 401
        assert (await response.json())["title"] == "metro-a must sign with its own key, and this is not signed"
    async with await steering.report(make_report("metro-b")) as response:
        assert response.status == 200
    async with steering.client.get("/metrics") as response:
        assert 'oca_steering_signatures_refused_total{reason="unsigned"} 1.0' in await response.text()


async def test_plan_and_assets_need_the_key_too(steering: Steering) -> None:
    box = Box(steering)
    await box.enrol(box.token())
    for what in ("fill-plan", "assets/harbour/video-240p"):
        path = f"/v1/appliances/metro-a/{what}"
        assert (await steering.problem("GET", path))[0] == 401
        headers = box.sign("GET", path)
        status, problem = await steering.problem("GET", path, headers=headers)
        assert status in (404, 409), problem  # let in: it has no plan yet, there is no such asset
        assert (await steering.problem("GET", path, headers=headers))[1]["title"] == "This request was seen before"


async def test_enrolment_is_answered_again_when_its_answer_was_lost(steering: Steering) -> None:
    box = Box(steering)
    token = box.token()
    first = await box.enrol(token)
    assert await box.enrol(token) == first
    thief = Box(steering)
    status, problem = await thief.enrol(token)
    assert (status, problem["title"]) == (403, "The enrolment token was used already")


@pytest.mark.parametrize(
    ("ttl_s", "age_s", "spoil", "says"),
    [
        (3600, 0, "x", "There is no such enrolment token"),
        (60, 61, "", "The enrolment token has ended"),
    ],
)
async def test_wrong_token_is_refused(steering: Steering, ttl_s: float, age_s: int, spoil: str, says: str) -> None:
    box = Box(steering)
    token = box.token(ttl_s=ttl_s, at_ns=now_ns() - age_s * 10**9)
    if spoil:
        token = token[:-1] + ("A" if token[-1] != "A" else "B")
    status, problem = await box.enrol(token)
    assert (status, problem["title"]) == (403, says)
    assert "enrol create --appliance metro-a" in problem["remedy"]


async def test_token_of_another_appliance_is_refused(steering: Steering) -> None:
    box = Box(steering, "metro-b")
    status, problem = await box.enrol(make_token(steering.state, "metro-a"))
    assert (status, problem["title"]) == (403, "There is no such enrolment token")
    assert (await Box(steering, "nobody").enrol("nobody." + "x" * 43))[0] == 403


async def test_enrolment_must_be_signed_by_the_key_it_brings(steering: Steering) -> None:
    box = Box(steering)
    status, problem = await box.enrol(box.token(), key=new_pair())
    assert (status, problem["title"]) == (401, "Signed with another key than it brings")


async def test_forged_report_is_refused(steering: Steering) -> None:
    box, thief = Box(steering), Box(steering)
    await box.enrol(box.token())
    status, problem = await thief.post("report", *thief.report())
    assert (status, problem["title"]) == (401, "Signed with a key that is not metro-a's")
    thief.private = box.private
    body, headers = thief.report()
    forged = headers | {"Signature": f"oca=:{'A' * 86}==:"}
    status, problem = await box.post("report", body, forged)
    assert (status, problem["title"]) == (401, "The signature is not one of this request")


async def test_changed_body_is_refused(steering: Steering) -> None:
    box = Box(steering)
    await box.enrol(box.token())
    body, headers = box.report()
    status, problem = await box.post("report", body.replace(b'"sequence":1', b'"sequence":9'), headers)
    assert (status, problem["title"]) == (400, "The body is not the one that Content-Digest names")
    stripped = {name: value for name, value in headers.items() if name != "Content-Digest"}
    status, problem = await box.post("report", body, stripped)
    assert (status, problem["title"]) == (401, "The signature is not one of this request")


async def test_body_that_is_not_signed_is_refused(steering: Steering) -> None:
    box = Box(steering)
    await box.enrol(box.token())
    body, _ = box.report()
    status, problem = await box.post("report", body, box.sign("POST", "/v1/appliances/metro-a/report"))
    assert (status, problem["title"]) == (401, "The body is not signed")


async def test_replayed_report_is_refused(steering: Steering) -> None:
    box = Box(steering)
    await box.enrol(box.token())
    sent = box.report()
    assert (await box.post("report", *sent))[0] == 200
    status, problem = await box.post("report", *sent)
    assert (status, problem["title"]) == (401, "This request was seen before")
    assert (await box.post("report", *box.report()))[0] == 200


async def test_report_of_an_enrolled_box_speaks_for_no_other(steering: Steering) -> None:
    mine, other = Box(steering, "metro-a"), Box(steering, "metro-b")
    await mine.enrol(mine.token())
    await other.enrol(other.token())
    body, headers = mine.report()
    status, problem = await other.post("report", body, headers)  # to the other's address
    assert (status, problem["title"]) == (401, "Signed with a key that is not metro-b's")
    mine_to_other = mine.sign("POST", "/v1/appliances/metro-b/report", body)
    assert (await other.post("report", body, mine_to_other))[0] == 401
    told = json.loads(body) | {"appliance": "metro-b"}
    raw = json.dumps(told).encode()
    status, problem = await mine.post("report", raw, mine.sign("POST", "/v1/appliances/metro-a/report", raw))
    assert (status, problem["field"]) == (400, "$.appliance")


@pytest.mark.parametrize(("late_s", "how"), [(3600, "behind"), (-3600, "ahead of"), (40, "behind")])
async def test_wrong_clock_is_named(steering: Steering, late_s: int, how: str) -> None:
    box = Box(steering)
    status, problem = await box.enrol(box.token(), late_s=late_s)
    assert status == 401
    assert problem["title"].startswith("The clock of metro-a is ")
    assert f" {how} steering's: it signed at 2" in problem["title"]
    assert "allowed are 30 s" in problem["title"]
    assert "timedatectl" in problem["remedy"]
    assert (await box.enrol(box.token()))[0] == 200
    status, problem = await box.post("report", *box.report(late_s=late_s))
    assert (status, problem["title"][:23]) == (401, "The clock of metro-a is")


async def test_request_from_before_the_start_is_refused(steering: Steering) -> None:
    """What was seen is forgotten by a restart, so nothing from before it is taken."""
    box = Box(steering)
    await box.enrol(box.token())
    status, problem = await box.post("report", *box.report(late_s=20))
    assert (status, problem["title"][:27]) == (401, "Signed before this instance")


async def test_revoked_appliance_is_out_at_once(steering: Steering, state: EmbeddedState) -> None:
    box = Box(steering)
    await box.enrol(box.token())
    with state.write() as transaction:
        revoke(transaction, "metro-a", now_ns=now_ns())
    status, problem = await box.post("report", *box.report())
    assert (status, problem["title"][:40]) == (403, "The identity of metro-a was revoked at 2")
    async with await steering.report(make_report()) as response:
        assert response.status == 403  # nor by its address
    assert (await box.renew(new_pair()))[0] == 403
    assert (await box.enrol(box.token()))[0] == 200
    assert (await box.post("report", *box.report()))[0] == 200


async def test_renewal_changes_the_key_and_lets_the_old_one_end(steering: Steering) -> None:
    box, new = Box(steering), new_pair()
    await box.enrol(box.token())
    assert (await box.renew(new))[0] == 200
    assert (await box.renew(new))[0] == 200  # the first answer may have been lost
    assert (await box.post("report", *box.report()))[0] == 200
    box.private = new
    assert (await box.post("report", *box.report()))[0] == 200


async def test_renewal_needs_present_and_new_key(steering: Steering) -> None:
    box, stranger = Box(steering), Box(steering)
    status, problem = await box.renew(new_pair())
    assert (status, problem["title"]) == (409, "metro-a is not enrolled, so there is nothing to renew")
    await box.enrol(box.token())
    assert (await stranger.renew(new_pair()))[0] == 401
    status, problem = await box.renew(new_pair(), proof_of=stranger.keyid)
    assert (status, problem["field"]) == (400, "$.proof")


async def test_page_cannot_enrol_anything(steering: Steering) -> None:
    box = Box(steering)
    async with steering.client.options("/v1/appliances/metro-a/enrol") as response:
        assert "Access-Control-Allow-Origin" not in response.headers
    async with steering.client.post("/v1/appliances/metro-a/enrol", data=b"{}") as response:
        assert response.status == 415
    del box
