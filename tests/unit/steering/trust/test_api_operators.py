from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from oca.common.clock import now_ns
from oca.common.new_key import new_secret
from oca.common.problem import problems
from steering.decision.address import Trust
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.trust import api_operators
from steering.trust.api_operators import ATTEMPTS_BURST, COOKIE, LoginRequest, Operators
from steering.trust.audit import read_entries
from steering.trust.roles import Role
from steering.trust.settings import OperatorsTable
from steering.trust.users import Login, open_login, put_user
from tests.unit.steering.api_client import JSON, Steering
from tests.unit.steering.made_up import make_settings
from tests.unit.steering.trust.box import Box

PASSWORD = "four words put together"
VIEWER = {"X-Forwarded-For": "198.51.100.7"}
"""Behind a proxy on this machine."""


def add(state: EmbeddedState, name: str, role: Role) -> None:
    with state.write() as transaction:
        put_user(transaction, name, role, PASSWORD, new_secret(), now_ns=now_ns())


def make_token(state: EmbeddedState, name: str) -> dict[str, str]:
    secret, at_ns = new_secret(), now_ns()
    login = Login(user=name, kind="token", label="test", made_at_ns=at_ns, ends_at_ns=at_ns + 10**12)
    with state.write() as transaction:
        open_login(transaction, secret, login)
    return {"Authorization": f"Bearer {secret}"}


async def log_in(steering: Steering, name: str, password: str = PASSWORD, **headers: str) -> tuple[int, Any, str]:
    body = {"name": name, "password": password}
    async with steering.client.post("/v1/login", json=body, headers=VIEWER | headers) as response:
        return response.status, await response.json(), response.headers.get("Set-Cookie", "")


async def status(steering: Steering, method: str, path: str, **options: Any) -> int:
    async with steering.client.request(method, path, **options) as response:
        return response.status


class TestDefault:
    """``login = "remote"``."""

    async def test_this_machine_needs_no_login(self, steering: Steering) -> None:
        for path in ("/", "/v1/fleet", "/metrics", "/v1/titles", "/v1/operators/audit"):
            assert await status(steering, "GET", path) == 200, path
        assert await steering.get("/v1/operators/me") == {"name": "local", "role": "admin"}

    async def test_whoever_comes_through_a_proxy_logs_in(self, steering: Steering) -> None:
        for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"):
            for path in ("/v1/fleet", "/metrics", "/v1/explain?title=x", "/page/app.js"):
                assert await status(steering, "GET", path, headers={header: "198.51.100.7"}) == 401, path
        assert await status(steering, "GET", "/v1/fleet", headers={"Origin": "http://x", "Via": "1.1 x"}) == 401

    async def test_players_need_no_login(self, steering: Steering) -> None:
        assert await status(steering, "GET", "/health", headers=VIEWER) == 200
        assert await status(steering, "POST", "/v1/playback", json={"title": "none"}, headers=VIEWER) == 404
        assert await status(steering, "GET", "/steer/hls?title=none", headers=VIEWER) == 200

    async def test_page_of_elsewhere_changes_nothing(self, steering: Steering) -> None:
        body = {"appliance": "metro-a"}
        headers = {"Origin": "http://evil.example"}
        assert await status(steering, "POST", "/v1/operators/enrolments", json=body, headers=headers) == 403
        assert await status(steering, "GET", "/v1/operators/audit", headers=headers) == 403
        assert await status(steering, "POST", "/v1/operators/enrolments", data=b"{}", headers={}) == 415
        assert read_entries(steering.state, last=10) == []

    async def test_page_on_this_machine_changes_things_for_whoever_logged_in(self, steering: Steering) -> None:
        body, page = {"scope": "site", "name": "metro"}, {"Origin": "http://127.0.0.1"}
        assert await status(steering, "POST", "/v1/drains", json=body, headers=page) == 403
        add(steering.state, "anna", "operate")
        shown = page | make_token(steering.state, "anna")
        assert await status(steering, "POST", "/v1/drains", json=body, headers=shown) == 200
        assert [entry.who for entry in read_entries(steering.state, last=1)] == ["anna"]

    async def test_stranger_is_shown_a_form(self, steering: Steering) -> None:
        for page in ("/", "/console", "/console/player"):
            async with steering.client.get(page, headers=VIEWER) as response:
                assert (response.status, response.content_type) == (401, "text/html")
                assert "script-src 'self'" in response.headers["Content-Security-Policy"]
                assert 'src="/page/login.js"' in await response.text()
        assert await status(steering, "GET", "/page/login.js", headers=VIEWER) == 200


class TestAlways:
    """``login = "always"``."""

    @pytest.fixture
    def settings(self) -> SteeringSettings:
        return make_settings(operators=OperatorsTable(login="always"))

    async def test_session_opens_with_the_password_and_ends(self, steering: Steering) -> None:
        add(steering.state, "anna", "read")
        assert await status(steering, "GET", "/v1/fleet") == 401
        code, answer, cookie = await log_in(steering, "anna")
        assert (code, answer) == (200, {"name": "anna", "role": "read"})
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Secure" not in cookie
        shown = {"Cookie": cookie.partition(";")[0]}
        assert await steering.get("/v1/operators/me", headers=shown) == {"name": "anna", "role": "read"}
        steering.client.session.cookie_jar.clear()
        assert await status(steering, "POST", "/v1/logout", headers=JSON | shown) == 204
        steering.client.session.cookie_jar.clear()
        assert await status(steering, "GET", "/v1/fleet", headers=shown) == 401
        told = [(entry.who, entry.place, entry.action) for entry in read_entries(steering.state, last=10)]
        assert told == [("anna", "198.51.100.7", "login"), ("anna", "127.0.0.1", "logout")]

    async def test_cookie_is_for_tls_alone_behind_tls(self, steering: Steering) -> None:
        add(steering.state, "anna", "read")
        _, _, cookie = await log_in(steering, "anna", **{"X-Forwarded-Proto": "https"})
        assert "Secure" in cookie
        assert cookie.startswith(f"{COOKIE}=")

    @pytest.mark.parametrize(("name", "password"), [("anna", "wrong words here"), ("nobody", PASSWORD), ("", "")])
    async def test_wrong_login_tells_nothing(self, steering: Steering, name: str, password: str) -> None:
        add(steering.state, "anna", "read")
        with capture_logs() as lines:
            code, problem, cookie = await log_in(steering, name, password)
        assert (code, problem["title"], cookie) == (401, "Name or password is wrong", "")
        assert [line["event"] for line in lines if line["event"] != "looked for cycles"] == ["login refused"]
        assert not password or password not in repr(lines)

    async def test_logins_are_limited_by_client_and_by_name(
        self, steering: Steering, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(steering.state, "anna", "read")
        monkeypatch.setattr(api_operators, "password_holds", lambda user, password: False)
        codes = [(await log_in(steering, f"user{number}"))[0] for number in range(ATTEMPTS_BURST + 2)]
        assert codes == [401] * ATTEMPTS_BURST + [429, 429]
        other = {"X-Forwarded-For": "198.51.100.8"}
        assert (await log_in(steering, "anna", **other))[0] == 401
        for number in range(ATTEMPTS_BURST):
            code, _, _ = await log_in(steering, "anna", **{"X-Forwarded-For": f"203.0.113.{number}"})
        assert code == 429
        body = {"name": "anna", "password": "x"}
        async with steering.client.post("/v1/login", json=body, headers=VIEWER) as response:
            assert 0 < int(response.headers["Retry-After"]) <= 30

    @pytest.mark.parametrize(
        ("role", "looks", "enrols"), [("read", 200, 403), ("operate", 200, 403), ("admin", 200, 201)]
    )
    async def test_roles_may_what_they_may(self, steering: Steering, role: Role, looks: int, enrols: int) -> None:
        add(steering.state, "anna", role)
        token = make_token(steering.state, "anna")
        assert await status(steering, "GET", "/metrics", headers=token) == looks
        body = {"appliance": "metro-a"}
        assert await status(steering, "POST", "/v1/operators/enrolments", json=body, headers=token) == enrols
        wanted = 404 if role != "read" else 403  # let through to where nothing is, or not
        assert await status(steering, "POST", "/v1/nothing/here", json={}, headers=token) == wanted

    async def test_role_and_end_of_token_are_told(self, steering: Steering) -> None:
        add(steering.state, "anna", "read")
        token = make_token(steering.state, "anna")
        _, problem = await steering.problem(
            "POST", "/v1/operators/enrolments", json={"appliance": "metro-a"}, headers=token
        )
        assert problem["title"] == "anna has the role read; this needs admin"
        wrong = {"Authorization": "Bearer nonsense"}
        code, problem = await steering.problem("GET", "/v1/fleet", headers=wrong)
        assert (code, problem["title"]) == (401, "The session or token has ended")

    async def test_enrolment_by_http_is_good_and_audited(self, steering: Steering) -> None:
        add(steering.state, "anna", "admin")
        token = make_token(steering.state, "anna")
        body = {"appliance": "metro-a", "ttl_s": 600}
        async with steering.client.post("/v1/operators/enrolments", json=body, headers=token) as response:
            made = await response.json()
        assert (await Box(steering).enrol(made["token"]))[0] == 200
        audit = (await steering.get("/v1/operators/audit", headers=token))["entries"]
        assert [(entry["who"], entry["action"]) for entry in audit] == [("anna", "enrol create"), ("metro-a", "enrol")]
        last = (await steering.get("/v1/operators/audit?last=1", headers=token))["entries"]
        assert [entry["action"] for entry in last] == ["enrol"]
        assert (await steering.problem("GET", "/v1/operators/audit?last=0", headers=token))[0] == 400
        assert made["token"] not in repr(audit)
        bad = {"appliance": "nobody"}
        assert await status(steering, "POST", "/v1/operators/enrolments", json=bad, headers=token) == 404

    async def test_anonymous_logout_is_refused(self, steering: Steering) -> None:
        assert await status(steering, "POST", "/v1/logout", json={}) == 401


async def test_changes_by_http_are_written_down_with_who_made_them(state: EmbeddedState) -> None:
    """Whatever endpoint changes something, the gate writes the entry: once it was done, not when it was refused."""

    async def change(request: web.Request) -> web.Response:
        return web.Response(status=409 if "refused" in request.query else 204)

    operators = Operators(OperatorsTable(login="always"), state, Trust(("127.0.0.0/8",)), {})
    app = web.Application(middlewares=[problems, operators.gate])
    app.router.add_route("*", "/v1/drains/{name}", change)
    add(state, "anna", "operate")
    token = make_token(state, "anna") | VIEWER
    async with TestClient(TestServer(app)) as client:
        for method, path in (("GET", "a"), ("POST", "b"), ("POST", "c?refused"), ("DELETE", "d")):
            async with client.request(method, f"/v1/drains/{path}", headers=token):
                pass
        async with client.post("/v1/drains/e", headers=VIEWER) as response:
            assert response.status == 401
    told = [(entry.who, entry.place, entry.action, entry.what) for entry in read_entries(state, last=10)]
    assert told == [
        ("anna", "198.51.100.7", "post", "/v1/drains/b"), ("anna", "198.51.100.7", "delete", "/v1/drains/d"),
    ]  # fmt: skip


def test_login_request_never_shows_its_password() -> None:
    assert PASSWORD not in repr(LoginRequest(name="anna", password=PASSWORD))


class TestOff:
    """``login = "off"``."""

    @pytest.fixture
    def settings(self) -> SteeringSettings:
        return make_settings(operators=OperatorsTable(login="off"))

    async def test_nobody_logs_in(self, steering: Steering) -> None:
        assert await status(steering, "GET", "/v1/fleet", headers=VIEWER) == 200
