"""The fleet console in a real Chromium: what it shows and does, how soon, at what size, and what axe finds."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, Page, expect

from oca.common.clock import now_ns
from oca.common.messages import Health, Load, StoreUse
from steering.state.embedded import EmbeddedState
from steering.titles.publish import Publication, publish
from steering.trust.roles import Role
from steering.trust.users import put_user
from tests.system.reading import PAINT_MS_MAX, TRANSFER_BYTES_MAX, findings, first_paint_ms, transferred_bytes
from tests.unit.steering.made_up import make_contents, make_report, write_package
from tests.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

HARBOUR = Publication("harbour", "Harbour", "/harbour", "", (), 0, 0)
ADDRESS = "127.0.120.1:8090"
COMMANDS = Path(sys.executable).parent
PASSWORD = "a long enough word"
PHONE = {"width": 360, "height": 740}
VIEWS = (
    "fleet",
    "site/fra1",
    "catalogue",
    "title/harbour",
    "plan",
    "plan/fra1",
    "explain?title=harbour",
    "routes",
    "log",
)
CITIES = {
    "ber1": (52.5, 13.4),
    "fra1": (50.1, 8.7),
    "par1": (48.9, 2.4),
    "lon1": (51.5, -0.1),
    "mad1": (40.4, -3.7),
    "rom1": (41.9, 12.5),
    "waw1": (52.2, 21.0),
    "osl1": (59.9, 10.8),
    "lis1": (38.7, -9.1),
    "ath1": (38.0, 23.7),
}


class Fleet:
    """A steering with ten sites of three boxes each, of which one is out, one degraded, one drained, one never came."""

    def __init__(self, folder: Path) -> None:
        self.settings = folder / "steering.toml"
        self.url = f"http://{ADDRESS}"
        sites = "".join(
            f'[[site]]\nid = "{name}"\nisp = "isp-{name[:3]}"\nlatitude = {latitude}\nlongitude = {longitude}\n'
            f'prefixes = ["203.0.{number}.0/24"]\n'
            + "".join(f'[[site.appliance]]\nid = "{name}-{letter}"\n' for letter in "abc")
            for number, (name, (latitude, longitude)) in enumerate(CITIES.items())
        )
        self.settings.write_text(
            f'[api]\nlisten = "{ADDRESS}"\n[state]\npath = "{folder}/state"\n[fleet]\nreport_interval_s = 300\n'
            f'[probes]\ninterval_s = 0\n[origin]\nurl = "http://origin.example"\n{sites}'
        )
        state = EmbeddedState.open(folder / "state", bytes_max=2**26)
        publish(write_package(folder / "harbour"), HARBOUR, state, progress=lambda done, total: None)
        state.close()
        self._log = (folder / "steering.log").open("ab")
        self._process = subprocess.Popen(
            [COMMANDS / "oca-steering", "serve", "--config", self.settings], stdout=self._log, stderr=self._log
        )

    def add_user(self, name: str, role: Role) -> None:
        state = EmbeddedState.open(self.settings.parent / "state", bytes_max=2**26)
        with state.write() as transaction:
            put_user(transaction, name, role, PASSWORD, "salt", now_ns=now_ns())
        state.close()

    def run(self, *arguments: str) -> str:
        command = [str(COMMANDS / "oca-steering"), *arguments, "--config", str(self.settings)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def ask(self, path: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(f"{self.url}{path}", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return msgspec.json.decode(answer.read())

    def report(self) -> None:
        """One report of every box but one."""
        assets = {asset["asset"]: asset["holders_count"] for asset in self.ask("/v1/catalogue/harbour")["assets"]}
        revisions = {name: self.ask(f"/v1/appliances/ber1-a/assets/{name}")["revision"] for name in assets}
        plain = make_report(
            sent_at_ns=now_ns(),
            store=StoreUse(capacity_bytes=40 * 10**12, used_bytes=31 * 10**12, assets=9000, objects=9 * 10**6),
            load=Load(connections=812, sent_bytes_per_s=2.1e9, link_bytes_per_s=12.5e9, cpu_ratio=0.2),
            contents=make_contents(revisions),
        )
        changes: dict[str, Any] = {
            "par1-b": {"health": Health(verdict="failed", reasons=["no device can be read"])},
            "lon1-c": {"health": Health(verdict="degraded", reasons=["/var/lib/oca/nvme1 is taken out"], weight=0.5)},
            "mad1-a": {"serving": "drained"},
        }
        for name in (f"{site}-{letter}" for site in CITIES for letter in "abc"):
            if name != "rom1-c":
                told = msgspec.structs.replace(
                    plain,
                    appliance=name,
                    site=name[:4],
                    delivery_urls=[f"http://{name}.example"],
                    **changes.get(name, {}),
                )
                self.ask(f"/v1/appliances/{name}/report", msgspec.json.encode(told))

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


def is_up(fleet: Fleet) -> bool:
    assert fleet.is_running, "it ended: is the address taken?"
    try:
        return bool(fleet.ask("/health")["titles"])
    except OSError:
        return False


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    made = Fleet(tmp_path_factory.mktemp("fleet"))
    try:
        wait_until(lambda: is_up(made))
        made.report()
        made.run("plan", "--now")
        yield made
    finally:
        made.stop()


class Opened:
    """The console in a tab, and what it asked for and complained of."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def go(self, view: str) -> None:
        """A view by its address, until it is there."""
        await self.page.goto(f"{self.url}/console#/{view}")
        name = view.partition("?")[0].partition("/")[0]
        parent = {"site": "fleet", "title": "catalogue"}.get(name, name)
        await expect(self.page.locator("nav a[aria-current]")).to_have_attribute("href", f"#/{parent}")
        await expect(self.page.locator("#view h2")).to_be_visible()


async def opened(browser: Browser, url: str, **options: Any) -> Opened:
    context = await browser.new_context(**options)
    return Opened(await context.new_page(), url)


async def log_in(page: Page, name: str) -> None:
    """Fill in the form that is shown."""
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


async def test_console_shows_what_is_out_and_why(browser: Browser, fleet: Fleet) -> None:
    console = await opened(browser, fleet.url)
    page = console.page
    await console.go("fleet")
    await expect(page.locator(".tiles")).to_contain_text("26 of 30")
    await expect(page.locator(".map .mark")).to_have_count(len(CITIES))
    trouble = page.get_by_role("region", name="Boxes that do not serve")
    await expect(trouble.locator("tbody tr")).to_have_count(4)
    await expect(trouble).to_contain_text("its own verdict is failed: no device can be read")
    await page.get_by_label("State").select_option("partly")
    await expect(page.get_by_role("region", name="Each site").locator("tbody tr")).to_have_count(4)
    await page.get_by_role("link", name="par1").first.click()
    await expect(page.locator("article", has_text="par1-b")).to_contain_text("out (failed)")
    assert console.hosts == {ADDRESS}
    assert not console.complaints
    await page.context.close()


async def test_console_is_soon_there_and_small(browser: Browser, fleet: Fleet) -> None:
    paints, sizes = [], []
    for _ in range(3):  # other work on the machine delays a paint, and hastens none
        console = await opened(browser, fleet.url)
        await console.go("fleet")
        await expect(console.page.locator(".map .mark").first).to_be_visible()
        paints.append(await first_paint_ms(console.page))
        sizes.append(await transferred_bytes(console.page))
        await console.page.context.close()
    assert min(paints) < PAINT_MS_MAX, paints
    assert 10_000 < max(sizes) < TRANSFER_BYTES_MAX, sizes


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_console_has_no_serious_finding_of_axe(browser: Browser, fleet: Fleet, axe: str, scheme: Any) -> None:
    console = await opened(browser, fleet.url, color_scheme=scheme)
    for view in VIEWS:
        await console.go(view)
        assert await findings(console.page, axe, contrast_alone=scheme == "dark") == [], view
    assert not console.complaints
    await console.page.context.close()


async def test_console_fits_a_phone_in_every_view(browser: Browser, fleet: Fleet) -> None:
    console = await opened(browser, fleet.url, viewport=PHONE)
    for view in VIEWS:
        await console.go(view)
        assert await console.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view
        sizes = "all => all.filter(one => one.checkVisibility()).map(one => one.getBoundingClientRect().height)"
        assert min(await console.page.eval_on_selector_all("nav a, button, input, select", sizes)) >= 44, view
    await console.page.context.close()


async def test_console_is_used_by_keyboard_alone(browser: Browser, fleet: Fleet) -> None:
    console = await opened(browser, fleet.url)
    page = console.page
    await console.go("fleet")
    await expect(page.locator(".map .mark").first).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to the content")).to_be_focused()
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.classList.contains('mark')"):
            break
    west, east = page.locator(".map .mark").nth(0), page.locator(".map .mark").nth(1)
    await expect(west).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(east).to_be_focused()
    label = await east.get_attribute("aria-label") or ""
    await page.keyboard.press("Enter")
    sites = page.get_by_role("region", name="Each site").locator("tbody tr")
    await expect(sites).to_have_count(1)
    await expect(sites).to_contain_text(label.partition(":")[0])
    await page.context.close()


async def test_console_tells_what_boxes_are_to_hold(browser: Browser, fleet: Fleet) -> None:
    console = await opened(browser, fleet.url)
    await console.go("plan")
    await expect(console.page.locator(".tiles")).to_contain_text("Sites with a plan")
    await expect(console.page.get_by_text("The picture begins with the second night.")).to_be_visible()
    await console.page.get_by_role("link", name="fra1").click()
    await expect(console.page.get_by_role("region", name="assets of fra1-a")).to_contain_text("harbour/manifests")
    assert not console.complaints
    await console.page.context.close()


async def test_console_takes_box_out_and_lets_it_serve_again(browser: Browser, fleet: Fleet) -> None:
    fleet.add_user("otto", "operate")
    console = await opened(browser, fleet.url)
    page = console.page
    await console.go("fleet")
    await page.get_by_role("link", name="Log in to change anything").click()
    await log_in(page, "otto")
    await expect(page.locator("#who")).to_have_text("otto (operate)")
    await console.go("site/lis1")
    await page.get_by_label("Why (for the log").fill("new fans")
    await page.get_by_role("button", name="Drain lis1-a").focus()
    await page.keyboard.press("Enter")
    box = page.locator("article", has_text="lis1-a")
    await expect(page.get_by_text("lis1-a gets no new viewers")).to_be_focused()
    await expect(box).to_contain_text("new fans", timeout=20_000)
    await expect(box).to_contain_text("taken out")
    await console.go("log")
    await expect(page.locator("tbody tr").first).to_contain_text("lis1-a")
    await expect(page.locator("tbody tr").first).to_contain_text("otto")
    await console.go("fleet")
    await expect(page.get_by_role("region", name="Taken out from steering")).to_contain_text("new fans")
    await console.go("site/lis1")
    await page.get_by_role("button", name="Send viewers to lis1-a again").click()
    await expect(box).to_contain_text("serving", timeout=20_000)
    assert fleet.ask("/v1/drains")["drains"] == []
    assert not console.complaints
    await page.context.close()


async def test_console_explains_where_a_viewer_is_sent(browser: Browser, fleet: Fleet) -> None:
    console = await opened(browser, fleet.url)
    page = console.page
    await console.go("explain")
    await page.get_by_label("Title (id)").fill("harbour")
    await page.get_by_label("Viewer's address").fill("203.0.1.9")
    await page.get_by_role("button", name="Explain").click()
    await expect(page.locator("ol li").first).to_contain_text("fra1-")
    await expect(page.get_by_text("Passed over: 27")).to_be_visible()
    await page.get_by_label("Title (id)").fill("nothing")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No such title")).to_be_visible()
    await page.context.close()


async def test_console_asks_for_login_and_says_who_is_in(browser: Browser, fleet: Fleet) -> None:
    fleet.add_user("vera", "read")
    # Whoever comes by way of a proxy is not on steering's own machine, and logs in.
    console = await opened(browser, fleet.url, extra_http_headers={"X-Forwarded-For": "203.0.113.9"})
    page = console.page
    await page.goto(f"{fleet.url}/console")
    await log_in(page, "vera")
    await expect(page.locator("#who")).to_have_text("vera (read)")
    await expect(page.locator(".tiles")).to_contain_text("26 of 30")
    await page.goto(f"{fleet.url}/console#/site/lis1")
    await expect(page.get_by_role("link", name="Try this box")).to_have_count(3)
    await expect(page.get_by_role("button", name="Drain")).to_have_count(0)
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("Password")).to_be_visible()
    await expect(page.get_by_text("oca-steering users add NAME --role operate")).to_be_visible()
    await page.context.close()
