// Tonight's plans, and what earlier nights expected against what came; of all sites, and of one with its boxes.

import { ask } from "../api.js";
import { bytes, count, element, field, form, input, link, Pages, pairs, section, tiles, when } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const HEADS = ["Day", "#Forecast", "#Came", "#Difference", "#Held, forecast", "#Held, came", "#To move", "#Assets", "#Copies", "#Sites"];
const day = (night) => new Date(night.day * 86400000).toLocaleDateString([], { dateStyle: "medium", timeZone: "UTC" });
const share = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "");
const isKnown = (night) => night.came_bytes >= 0;

/** #/plan and #/plan/SITE */
export function plan([name]) {
  return name ? ofSite(name) : ofAll();
}

async function ofAll() {
  const top = element("div");
  const history = element("div");
  const search = input("");
  const sites = new Pages("Sites, and what tonight's plan expects of each", ["Site", ...HEADS.slice(1, 9)], async (after) => {
    const page = await ask(`/v1/plans?${new URLSearchParams({ search: search.value, after })}`);
    top.replaceChildren(
      tiles([
        ["Plans made", when(page.made_at_ns) || "not yet"],
        ["Each day at (steering's clock)", page.at],
        ["Sites with a plan", count(page.planned)],
      ]),
    );
    history.replaceChildren(await nights(page.nights));
    return {
      rows: page.sites.map((row) => [link(row.name, `#/plan/${row.site}`), ...(row.night ? cells(row.night).slice(1, 9) : ["no plan yet"])]),
      after: page.after,
      said: `${count(page.matching)} sites`,
    };
  });
  await sites.begin();
  return {
    title: "Plan",
    nodes: [top, section("Forecast against what came, all sites", history), section("By site", form(sites.begin, field("Find by name, ISP or country", search)), sites.node)],
  };
}

async function ofSite(name) {
  const found = await ask(`/v1/plans/${encodeURIComponent(name)}`);
  const boxes = [];
  for (const box of found.boxes) {
    const first = new Pages(`The first of ${count(box.assets)} assets of ${box.appliance}, best first`, ["Asset", "#Size", "#Popularity", "Why"], async () => ({
      rows: box.first.map((asset) => [asset.asset, bytes(asset.bytes), asset.popularity.toFixed(2), asset.why]),
      after: "",
      said: "",
    }));
    await first.begin();
    boxes.push(
      section(
        `Box ${box.appliance}`,
        pairs([
          ["Made", when(box.made_at_ns)],
          ["Holds then", `${count(box.assets)} assets, ${bytes(box.bytes)} of ${bytes(box.capacity_bytes)}`],
        ]),
        first.node,
      ),
    );
  }
  const none = found.boxes.length ? "" : element("p", "", "No box of this site has a plan yet: plans are made of boxes that have reported.");
  return {
    title: `Plan of ${found.site}`,
    nodes: [section("Forecast against what came", await nights(found.nights), element("p", "doing", link("The site", `#/site/${found.site}`, "button plain"))), none, ...boxes],
  };
}

async function nights(list) {
  if (!list.length) return element("p", "soft", "No night has been planned yet: oca-steering plan --now makes plans at once.");
  const table = new Pages("By night; what came is known once the day is over and the next plans are made", HEADS, async () => ({
    rows: [...list].reverse().map(cells),
    after: "",
    said: "",
  }));
  await table.begin();
  const drawn = list.length > 1 ? chart(list) : element("p", "soft", "The picture begins with the second night.");
  return element("div", "", drawn, table.node);
}

function cells(night) {
  const came = isKnown(night);
  const off = came && night.came_bytes ? (100 * (night.expected_bytes - night.came_bytes)) / night.came_bytes : null;
  return [
    day(night),
    bytes(night.expected_bytes),
    came ? bytes(night.came_bytes) : "",
    off === null ? "" : `${off < 0 ? "−" : "+"}${Math.abs(off).toFixed(1)} %`,
    share(night.expected_held_bytes, night.expected_bytes),
    came ? share(night.came_held_bytes, night.came_bytes) : "",
    bytes(night.moved_bytes),
    count(night.assets),
    count(night.copies),
    count(night.sites),
  ];
}

/** Two lines: what was expected is dashed, what came is solid with points. */
function chart(list) {
  const most = Math.max(1, ...list.flatMap((night) => [night.expected_bytes, night.came_bytes]));
  const x = (at) => 10 + (580 * at) / Math.max(1, list.length - 1);
  const y = (value) => 95 - (85 * value) / most;
  const svg = document.createElementNS(NS, "svg");
  const known = list.map((night, at) => [night, at]).filter(([night]) => isKnown(night));
  const said = known.length ? `; the last that came: ${bytes(known.at(-1)[0].came_bytes)} on ${day(known.at(-1)[0])}` : "";
  svg.setAttribute("class", "chart");
  svg.setAttribute("viewBox", "0 0 600 100");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Forecast and what came, ${list.length} days${said}. The table below has the figures.`);
  svg.append(
    line("forecast", list.map((night, at) => [x(at), y(night.expected_bytes)])),
    line("came", known.map(([night, at]) => [x(at), y(night.came_bytes)])),
    ...known.map(([night, at]) => dot(x(at), y(night.came_bytes))),
  );
  return element("figure", "", element("p", "soft", "Dashed: forecast. Solid, with points: what came."), svg);
}

function line(kind, points) {
  const path = document.createElementNS(NS, "polyline");
  path.setAttribute("class", kind);
  path.setAttribute("points", points.map((point) => point.map((each) => each.toFixed(1)).join(",")).join(" "));
  return path;
}

function dot(x, y) {
  const circle = document.createElementNS(NS, "circle");
  for (const [key, value] of Object.entries({ class: "came", cx: x, cy: y, r: 2.5 })) circle.setAttribute(key, value);
  return circle;
}
