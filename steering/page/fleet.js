// The fleet: each site with its appliances, whether each may be sent viewers and why, what it holds and what it fills.

import { bytes, element, rate, refresh } from "./format.js";
import { tone } from "./tones.js";

export class Fleet {
  #node;
  #summary;

  constructor(node, summary) {
    this.#node = node;
    this.#summary = summary;
  }

  /** Of a large fleet the worst boxes alone, and how many more there are: the console has them all. */
  show({ sites, boxes, more }, { appliances, appliances_up: up }) {
    this.#summary.textContent = appliances ? `${up} of ${appliances} appliances up` : "";
    this.#summary.classList.toggle("bad", up < appliances);
    // The age of a report ticks all the time and is not shown: leaving it out keeps the page still.
    const shown = boxes.map(({ report_age_s, ...rest }) => rest);
    const named = new Map(sites.map((site) => [site.site, site]));
    const wanted = more ? new Set(boxes.map((appliance) => appliance.site)) : new Set(named.keys());
    const listed = [...wanted].map((site) => named.get(site) ?? { site, name: site, class: "" });
    const key = listed.map((site) => [site.site, site.name, site.class]);
    refresh(this.#node, [key, shown, more], () => [
      ...listed.map((site) => {
        const here = boxes
          .filter((appliance) => appliance.site === site.site)
          .sort((one, other) => (one.appliance < other.appliance ? -1 : 1));
        return element(
          "section",
          "site",
          element("h3", "", site.name || site.site, element("span", "class", site.class)),
          ...(here.length ? here.map(box) : [element("p", "why", "No appliance of this site has reported yet.")]),
        );
      }),
      more ? rest(more) : "",
    ].filter(Boolean));
  }
}

function rest(more) {
  const link = element("a", "", "the fleet console");
  link.href = "/console";
  return element("p", "facts", `The worst are shown. ${more} more: see `, link, ".");
}

function box(appliance) {
  const state = appliance.up ? (appliance.verdict === "degraded" ? "degraded" : "up") : "down";
  const reasons = [appliance.why, ...appliance.reasons].filter((why, at, all) => why && all.indexOf(why) === at);
  const card = element(
    "article",
    `box ${state}`,
    element(
      "h4",
      "",
      element("span", `chip ${tone(appliance.appliance)}`, appliance.appliance),
      element("span", `state ${state}`, state === "down" ? "no viewers" : state === "up" ? "serving" : "degraded"),
    ),
    ...reasons.map((why) => element("p", "why", why)),
    meter("holds", appliance.used_bytes, appliance.capacity_bytes, `${appliance.assets} assets`),
    appliance.up
      ? element("p", "facts", `${appliance.connections} connections · sends ${load(appliance)}`)
      : null,
    appliance.fill ? fill(appliance.fill) : null,
  );
  card.dataset.appliance = appliance.appliance;
  return card;
}

function load({ sent_bytes_per_s: sent, link_bytes_per_s: link }) {
  return link ? `${rate(sent)} of ${rate(link)}` : rate(sent);
}

function meter(label, value, max, more) {
  const bar = element("meter");
  bar.max = Math.max(max, 1);
  bar.value = value;
  bar.setAttribute("aria-label", label);
  return element("p", "gauge", `${label} ${bytes(value)} of ${bytes(max)}, ${more}`, bar);
}

function fill(progress) {
  if (progress.state === "done" && !progress.assets_total) {
    return element("p", "facts", "fill done: everything planned was already here");
  }
  const facts = `${progress.assets_done} of ${progress.assets_total} assets, ${bytes(progress.bytes_done)} of ${bytes(progress.bytes_total)}`;
  const bar = element("progress");
  bar.max = Math.max(progress.bytes_total, 1);
  bar.value = progress.state === "done" ? bar.max : progress.bytes_done;
  bar.setAttribute("aria-label", "fill");
  const words = { running: "filling", done: "fill done", incomplete: "fill incomplete" };
  const failed = progress.assets_failed ? `, ${progress.assets_failed} failed` : "";
  const now = progress.current.find((asset) => asset.state === "fetching");
  return element(
    "p",
    "gauge",
    `${words[progress.state] ?? progress.state}: ${facts}${failed}`,
    bar,
    now ? element("span", "facts", `${now.asset} from ${now.source}`) : null,
    progress.reason ? element("span", "why", progress.reason) : null,
  );
}
