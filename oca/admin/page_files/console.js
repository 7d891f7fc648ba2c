// The box's console: asks its API every few seconds, and shows what it says. It keeps nothing and asks nobody else.
import { chart, clock } from "./chart.js";

const STATUS_MS = 2000;
const HISTORY_MS = 60000;
const byId = (id) => document.getElementById(id);

const units = (value, step, names) => {
  let at = 0;
  while (value >= step && at < names.length - 1) { value /= step; at += 1; }
  return `${value.toFixed(at ? 1 : 0)} ${names[at]}`;
};
const rate = (bytes) => units(bytes * 8, 1000, ["b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"]);
const size = (bytes) => units(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
const share = (ratio) => `${Math.round(ratio * 100)} %`;
const perSecond = (count) => `${count.toFixed(count < 10 ? 2 : 0)} /s`;
const whole = (count) => String(count);
const millis = (ms) => `${ms} ms`;

async function ask(path, method = "GET") {
  const options = method === "POST" ? { method, headers: { "Content-Type": "application/json" }, body: "{}" } : {};
  const answer = await fetch(path, options);
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.title || `the box answers ${answer.status}`);
  return said;
}

function list(id, lines) {
  byId(id).replaceChildren(...lines.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function rows(id, lines) {
  byId(id).closest("table").hidden = !lines.length;
  byId(id).replaceChildren(...lines.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    return row;
  }));
}

function pairs(id, entries) {
  byId(id).replaceChildren(...entries.flatMap(([name, text]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: text }),
  ]));
}

function showStatus(status, hot) {
  const { health, load, store } = status;
  document.title = `${status.appliance}: ${status.serving}`;
  byId("name").textContent = `${status.appliance} at ${status.site}`;
  const until = status.drained_until_ns ? ` until ${clock(status.drained_until_ns / 1e9)}` : "";
  byId("state").textContent = `${status.serving}${until}, health ${health.verdict}` +
    (health.verdict === "degraded" && health.weight < 1 ? `, takes ${Math.round(health.weight * 100)} % of its viewers` : "");
  byId("state").className = health.verdict;
  list("reasons", health.reasons);
  list("lately", status.lately.length ? [...status.lately].reverse() : ["nothing since the daemon started"]);
  byId("drain").disabled = status.serving !== "serving";
  byId("undrain").disabled = status.serving === "serving";
  const line = load.link_bytes_per_s ? ` of ${rate(load.link_bytes_per_s)}` : "";
  pairs("now", [
    ["Sent", rate(load.sent_bytes_per_s) + line],
    ["Connections", whole(load.connections)],
    ["CPU", share(load.cpu_ratio)],
    ["Store", `${size(store.used_bytes)} of ${size(store.capacity_bytes)}, ${store.assets} assets`],
    ...status.devices.map((device) => [device.path, device.fault || `good, ${size(device.free_bytes)} free`]),
    ...status.links.map((link) => [`Link ${link.name}`, link.up ? "up" : `DOWN: ${link.why}`]),
    ["Workers", `${status.workers.filter((worker) => worker.ready).length} of ${status.workers.length} ready`],
    ["Steering", `${status.steering.state}${status.steering.why ? `: ${status.steering.why}` : ""}`],
    ["Version", status.version],
  ]);
  const shown = hot.assets.map((one) => [one.asset, rate(one.bytes_per_s), one.requests_per_s.toFixed(1)]);
  rows("hot", shown.length ? shown : [["nobody watches", "", ""]]);
}

function showHistory(history) {
  const at = history.at_s;
  byId("charts").replaceChildren(
    chart("Sent", at, history.sent_bytes_per_s, rate),
    chart("Connections", at, history.connections, whole),
    chart("Responses", at, history.responses_per_s, perSecond),
    chart("First byte, 95 of 100 below", at, history.first_byte_ms, millis),
    chart("Misses: not held", at, history.content_misses_per_s, perSecond),
    chart("Misses: device or pack fails", at, history.health_misses_per_s, perSecond),
    chart("Responses cut", at, history.cut_per_s, perSecond),
    chart("CPU", at, history.cpu_ratio, share),
    chart("Store used", at, history.used_bytes, size),
  );
  rows("changes", [...history.changes].reverse().map((change) => [
    clock(change.at_ns / 1e9), `${change.serving}, ${change.verdict}`, change.reasons.join("; ") || "all is well",
  ]));
}

function showFill(fill, { nights, why }) {
  const paused = fill?.paused ? `PAUSED${fill.paused_until_ns ? ` until ${clock(fill.paused_until_ns / 1e9)}` : ""}. ` : "";
  const going = fill && fill.state !== "none" ? `${fill.state}: ${size(fill.bytes_done)} of ${size(fill.bytes_total)}, ${fill.assets_done} of ${fill.assets_total} assets` : "none yet";
  byId("fill").textContent = `${paused}Last fill ${going}${fill?.why ? ` (${fill.why})` : ""}${why ? `. ${why}` : ""}`;
  rows("nights", [...nights].reverse().map(({ night, efficiency, is_final: isFinal }) => [
    night.night,
    `${size(night.bytes_in)}, ${night.assets_in} assets`,
    Object.entries(night.bytes_by_source).map(([kind, bytes]) => `${size(bytes)} ${kind}`).join(", ") || "nothing",
    `${size(night.bytes_out)}, ${night.assets_out} assets`,
    whole(night.refused_total),
    `${Math.round(night.filling_s / 60)} min`,
    size(night.served_bytes),
    efficiency === null ? "not known yet" : `${efficiency.toFixed(1)}${isFinal ? "" : " so far"}`,
    night.reason ? `${night.state}: ${night.reason}` : night.state,
  ]));
}

function showRoutes(page) {
  const kept = page.kept ? `, ${page.kept} kept of sessions that are down` : "";
  byId("routes").textContent = page.socket ? `${page.routes} routes${kept}${page.why ? `; ${page.why}` : ""}` : "No routes are heard: [routes] bird_socket is not set.";
  rows("sessions", page.sessions.map((one) => [one.name, one.established ? "established" : `DOWN: ${one.state}`, `AS ${one.neighbour_as}`, whole(one.routes), one.since]));
  list("findings", page.findings.map((one) => `${one.prefixes} ${one.prefixes === 1 ? "prefix" : "prefixes"}: ${one.why} (${one.examples.join(", ")})`));
}

async function repeat(work, everyMs) {
  try {
    await work();
  } catch (error) {
    byId("state").textContent = `The box does not answer: ${error.message}`;
    byId("state").className = "failed";
  }
  setTimeout(() => repeat(work, everyMs), everyMs);
}

async function change(path) {
  try {
    const said = await ask(path, "POST");
    byId("answer").textContent = said.follows || said.serving;
    await look();
  } catch (error) {
    byId("answer").textContent = `Not done: ${error.message}`;
  }
}

async function look() {
  const [status, hot] = await Promise.all([ask("/v1/status"), ask("/v1/hot?limit=10")]);
  showStatus(status, hot);
}

byId("drain").addEventListener("click", () => change(`/v1/drain?for_s=${byId("lasting").value}`));
byId("undrain").addEventListener("click", () => change("/v1/undrain"));
repeat(look, STATUS_MS);
repeat(async () => showHistory(await ask("/v1/history")), HISTORY_MS);
repeat(async () => {
  const [status, nights, routes] = await Promise.all([ask("/v1/status"), ask("/v1/nights"), ask("/v1/routes?limit=1")]);
  showFill(status.fill, nights);
  showRoutes(routes);
}, HISTORY_MS);
