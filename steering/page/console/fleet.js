// The fleet at a glance, what is out and why, all sites; and one site with its boxes.

import { ask } from "../api.js";
import { bytes, button, choice, count, element, field, form, input, link, Pages, pairs, rate, section, state, tiles } from "./dom.js";
import { Drains, inForce } from "./drain.js";
import { FleetMap } from "./map.js";

const query = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value)).toString();

/** #/fleet */
export async function fleet(_path, asked) {
  const sums = element("div");
  const chosen = { state: asked.get("state") ?? "", search: asked.get("search") ?? "", bounds: asked.get("bounds") ?? "" };
  const map = new FleetMap((mark) => (location.hash = `#/fleet?${query({ bounds: mark.bounds.join(",") })}`));
  const trouble = new Pages("Boxes that do not serve all their viewers, worst first", ["Box", "Site", "State", "Why"], async (after) => {
    const page = await ask(`/v1/fleet/boxes?${query({ state: "trouble", limit: 20, after })}`);
    return {
      rows: page.boxes.map((row) => [
        row.appliance.appliance,
        link(row.appliance.site, `#/site/${row.appliance.site}`),
        state(row.state, row.state === "out" ? ` (${row.appliance.standing})` : ""),
        reasons(row.appliance).join("; "),
      ]),
      after: page.after,
      said: page.matching ? `${count(page.matching)} boxes` : "All boxes serve.",
    };
  });
  const sites = new Pages("Each site with its boxes summed up; boxes: how many serve all their viewers", ["Site", "State", "#Boxes", "#Sends", "#Holds", "Class", "ISP", "Why"], async (after) => {
    const page = await ask(`/v1/fleet/sites?${query({ ...chosen, after })}`);
    return {
      rows: page.sites.map((site) => [
        link(site.name, `#/site/${site.site}`),
        state(site.state),
        `${count(site.by_state.serving ?? 0)} of ${count(site.boxes)}`,
        `${rate(site.sent_bytes_per_s)}${site.link_bytes_per_s ? ` of ${rate(site.link_bytes_per_s)}` : ""}`,
        `${bytes(site.used_bytes)} of ${bytes(site.capacity_bytes)}`,
        [site.class, site.region].filter(Boolean).join(", "),
        site.isp,
        site.why,
      ]),
      after: page.after,
      said: `${count(page.matching)} sites${chosen.bounds ? " in the chosen part of the map" : ""}`,
    };
  });
  const search = input(chosen.search);
  const states = choice([["", "any"], ["out", "out"], ["partly", "partly serving"], ["serving", "serving"], ["empty", "no boxes"]], chosen.state);
  const filter = form(
    () => {
      Object.assign(chosen, { search: search.value, state: states.value });
      return sites.begin();
    },
    field("Find by name, ISP or country", search),
    field("State", states),
  );
  if (chosen.bounds) filter.append(link("Whole map again", "#/fleet", "button plain"));
  const look = async () => {
    const seen = await ask("/v1/fleet/overview");
    sums.replaceChildren(summary(seen));
    map.show(seen.marks);
    unplaced.textContent = seen.unplaced ? `${count(seen.unplaced)} sites have no latitude and longitude in steering.toml, and are not on the map.` : "";
    await Promise.all([trouble.refresh(), taken.refresh()]);
  };
  const unplaced = element("p", "soft");
  const taken = inForce();
  await Promise.all([look(), sites.begin()]);
  return {
    title: "Fleet",
    nodes: [sums, section("Map", map.node, unplaced), section("What is out, and why", trouble.node, taken.node), section("All sites", filter, sites.node)],
    again: look,
  };
}

function summary(seen) {
  const of = (name) => count(seen.by_state[name] ?? 0);
  const line = seen.link_bytes_per_s ? ` of ${rate(seen.link_bytes_per_s)}` : "";
  return tiles([
    ["Boxes serving", `${of("serving")} of ${count(seen.boxes)}`],
    ["Degraded", of("degraded")],
    ["Not yet serving", of("waiting")],
    ["Taken out", of("drained")],
    ["Out", of("out")],
    ["Sites", count(seen.sites)],
    ["Sending", rate(seen.sent_bytes_per_s) + line],
    ["Held", `${bytes(seen.used_bytes)} of ${bytes(seen.capacity_bytes)}`],
    ["Titles", link(count(seen.titles), "#/catalogue")],
  ]);
}

/** #/site/ID */
export async function site([name], _asked, { may }) {
  const drains = new Drains(may, () => look(true));
  const whole = element("div", "doing");
  const list = element("div", "boxes");
  const about = element("div");
  let title = name;
  let after = "";
  const more = button("Show more boxes", () => go(after), "plain");
  const go = async (from) => {
    const page = await ask(`/v1/fleet/boxes?${query({ site: name, after: from })}`);
    const cards = page.boxes.map((row) => card(row, drains.of("appliance", row.appliance.appliance)));
    if (from) list.append(...cards);
    else list.replaceChildren(...cards);
    after = page.after;
    more.hidden = !after;
  };
  const look = async (changed = false) => {
    await drains.look();
    const found = (await ask(`/v1/fleet/sites?${query({ search: name, limit: 200 })}`)).sites.find((each) => each.site === name);
    if (!found) throw new Error(`There is no site ${name}`);
    title = found.name;
    about.replaceChildren(
      pairs([
        ["State", state(found.state)],
        ["Class", found.class],
        ["ISP", found.isp || "not named"],
        ["Country", found.region || "not named"],
        ["Place", `${found.latitude}, ${found.longitude}`],
      ]),
    );
    if (changed || !whole.contains(document.activeElement)) whole.replaceChildren(drains.of("site", name));
    if (changed || (!list.contains(document.activeElement) && list.childElementCount <= 50)) await go("");
  };
  await look();
  return { title: `Site ${title}`, nodes: [section("About", about), section("Boxes", drains.node, whole, list, more)], again: () => look() };
}

/** Why a box stands as it does, and what else it says of itself. */
function reasons(box) {
  return [box.why, ...box.reasons.filter((why) => !box.why.includes(why))].filter(Boolean);
}

function card({ state: name, appliance: box }, drain) {
  const holds = element("meter");
  Object.assign(holds, { max: Math.max(box.capacity_bytes, 1), value: box.used_bytes });
  holds.setAttribute("aria-label", "Store used");
  const line = box.link_bytes_per_s ? ` of ${rate(box.link_bytes_per_s)}` : "";
  return element(
    "article",
    name,
    element("h3", "", box.appliance, state(name, name === "out" ? ` (${box.standing})` : "")),
    ...reasons(box).map((why) => element("p", "", why)),
    pairs([
      ["Sends", `${rate(box.sent_bytes_per_s)}${line}, ${count(box.connections)} connections`],
      ["Holds", `${bytes(box.used_bytes)} of ${bytes(box.capacity_bytes)}, ${count(box.assets)} assets `, holds],
      ...(box.fill ? [["Fill", ...filling(box.fill)]] : []),
      ["Delivers at", box.delivery_urls.join(", ") || "not known"],
    ]),
    element("div", "doing", link("Try this box", `/console/player?box=${box.appliance}`, "button plain"), drain),
  );
}

function filling(fill) {
  const bar = element("progress");
  Object.assign(bar, { max: Math.max(fill.bytes_total, 1), value: fill.bytes_done });
  bar.setAttribute("aria-label", "Fill");
  const failed = fill.assets_failed ? `, ${count(fill.assets_failed)} failed` : "";
  const said = `${fill.state}: ${count(fill.assets_done)} of ${count(fill.assets_total)} assets, ${bytes(fill.bytes_done)} of ${bytes(fill.bytes_total)}${failed}`;
  return [said, fill.reason ? ` (${fill.reason})` : "", bar];
}
