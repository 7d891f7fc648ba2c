// Composes the page: asks steering every few seconds, and hands each part what it shows.

import * as api from "./api.js";
import { Fleet } from "./fleet.js";
import { showOperator } from "./operator.js";
import { Pathways } from "./pathways.js";
import { Player } from "./player.js";
import { Shelf } from "./shelf.js";
import { Strip } from "./strip.js";
import { tone } from "./tones.js";
import { Viewer } from "./viewer.js";

const REFRESH_MS = 2000;
const byId = (id) => document.getElementById(id);

const player = new Player(byId("video"));
const strip = new Strip(byId("strip"), byId("legend"));
const pathways = new Pathways(byId("pathways"), byId("others"), byId("rejected"));
const fleet = new Fleet(byId("fleet"), byId("summary"));
const shelf = new Shelf(byId("shelf"), watch);
const viewer = new Viewer(byId("viewer"), () => playing && watch(playing));

let newest = null;
let waitingFor = null;
let playing = "";
let serving = "";
let decision = null;
let titles = [];

window.oca = player.log;
showOperator(byId("leave"));

player.onSegment = (segment) => {
  quiet("sources");
  strip.add(segment);
  if (segment.kind === "video" && segment.pathway !== serving) {
    serving = segment.pathway;
    byId("from").textContent = `from ${serving}`;
    byId("from").className = `from ${tone(serving)}`;
    pathways.show(decision, serving);
  }
};
player.onLost = () => {
  say("No source can be reached just now; trying again …", "sources");
  if (waitingFor !== newest) tryAgain((waitingFor = newest));
};
player.onError = (message) => say(message);

async function watch(title) {
  const choice = (newest = Symbol(title));
  let answer, why;
  try {
    [answer, why] = await Promise.all([api.playback(title, viewer.client), api.explain(title, viewer.client)]);
  } catch (error) {
    if (choice === newest) say(error.message);
    return;
  }
  if (choice !== newest) return; // the viewer has chosen another film meanwhile
  decision = why;
  say("");
  playing = title;
  serving = "";
  byId("stage").hidden = false;
  byId("now").textContent = answer.name || title;
  byId("from").textContent = "";
  if (asked() !== title) history.pushState(null, "", `#${encodeURIComponent(title)}`);
  strip.clear();
  pathways.show(decision, serving);
  draw();
  if (!player.isSupported) {
    say("This browser cannot play adaptive streams (no Media Source Extensions).");
    return;
  }
  player.play(answer);
  byId("stage").scrollIntoView({ block: "start", behavior: "smooth" });
}

/** What is buffered plays on until a source answers; then a fresh answer of steering, from where the viewer is. */
async function tryAgain(choice) {
  await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
  if (choice !== newest) return; // another film by now
  try {
    const answer = await api.playback(playing, viewer.client);
    await Promise.any(answer.pathways.map((way) => fetch(way.url, { mode: "no-cors" })));
    if (choice !== newest) return;
    waitingFor = null;
    player.resume(answer);
  } catch {
    tryAgain(choice);
  }
}

/** `of` names who speaks, for the one who may take it back. */
function say(message, of = "") {
  byId("notice").textContent = message;
  byId("notice").hidden = !message;
  byId("notice").dataset.of = of;
}

function quiet(of) {
  if (byId("notice").dataset.of === of) say("");
}

/** The ages in it tick; read aloud it is only when it comes. */
function showHealth({ verdict, reasons }) {
  byId("health").hidden = verdict === "ok";
  byId("health").textContent = verdict === "ok" ? "" : `Steering is ${verdict}: ${reasons.join("; ")}`;
}

/** There is something to search once not all films are shown. */
function showSearch({ matching, after }) {
  const searching = byId("search").value !== "";
  byId("find").hidden = !after && !searching;
  byId("found").textContent = after ? `${titles.length} of ${matching} films` : searching ? `${matching} films` : "";
}

function draw() {
  byId("about").textContent = titles.find((title) => title.title === playing)?.synopsis ?? "";
  shelf.show(titles, viewer.client, playing);
}

async function refresh() {
  try {
    const [shown, known, health] = await Promise.all([api.fleet(), api.titles(byId("search").value), api.health()]);
    showHealth(health);
    titles = known.titles;
    showSearch(known);
    const names = shown.boxes.map((appliance) => appliance.appliance).sort();
    names.forEach((name) => tone(name)); // in an order that stays, whichever is worst
    fleet.show(shown, health);
    viewer.show(shown.sites);
    draw();
    if (playing) {
      decision = await api.explain(playing, viewer.client);
      player.learn(decision);
      pathways.show(decision, serving);
    }
    quiet("steering");
  } catch (error) {
    if (!(error instanceof api.SteeringError)) throw error;
    say(playing ? `${error.message}. What plays now does not need it.` : error.message, "steering");
  }
}

async function forever() {
  for (;;) {
    if (!document.hidden || !titles.length) await refresh();
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
  }
}

// The address names the film, so that it can be shared, and back and forward go from film to film.
function asked() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return ""; // not an address of ours
  }
}

function watchAsked() {
  if (asked() && asked() !== playing) watch(asked());
  else say("");
}

byId("search").addEventListener("input", refresh);
window.addEventListener("hashchange", watchAsked);
forever();
watchAsked();
