// Plays a title from one box and no other, and shows each segment: how large, how long it took, where it came from.

import { ask, SteeringError } from "../api.js";
import { bytes, count, Pages } from "./dom.js";

const SHOWN = 50;
const byId = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
let player = null;
let log = { segments: [], errors: [] };
const table = new Pages("Segments", ["Number", "Kind", "Rendition", "#Bytes", "#Took", "#Rate", "From"], async () => ({
  rows: log.segments
    .slice(-SHOWN)
    .reverse()
    .map((one) => [
      `${one.number}`,
      one.kind,
      one.rendition,
      bytes(one.bytes),
      `${one.ms} ms`,
      one.ms ? `${((one.bytes * 8) / one.ms / 1000).toFixed(1)} Mb/s` : "",
      new URL(one.url).host,
    ]),
  after: "",
  said: log.segments.length ? `${count(log.segments.length)} fetched, ${count(log.errors.length)} errors` : "None yet.",
}));

/** The player is large, so it comes with the first film. */
async function ready() {
  if (player) return player;
  const { Player } = await import("../player.js");
  player = new Player(byId("video"));
  log = window.oca = player.log;
  player.onSegment = table.begin;
  player.onLost = () => say("The box does not answer, or does not hold what is asked for; nothing else is tried here.");
  player.onError = say;
  return player;
}

async function titles() {
  byId("title").replaceChildren();
  const box = byId("box").value.trim();
  if (!box) return;
  try {
    const held = (await ask(`/v1/fleet/boxes/${encodeURIComponent(box)}/titles`)).titles;
    byId("title").append(...held.map((one) => new Option(`${one.name || one.title} (${one.assets_held} of ${one.assets} assets)`, one.title)));
    say(held.length ? "" : `${box} holds nothing that is published.`);
  } catch (error) {
    failed(error);
  }
}

async function play(event) {
  event.preventDefault();
  const box = byId("box").value.trim();
  const title = byId("title").value;
  if (!title) return;
  try {
    const answer = await ask(`/v1/fleet/boxes/${encodeURIComponent(box)}/playback/${encodeURIComponent(title)}`);
    say("");
    const lacks = answer.missing.length ? ` It lacks ${answer.missing.join(", ")}.` : "";
    byId("said").textContent = `${answer.name || title} from ${box} at ${answer.url}. Steering says: ${answer.standing}, ${answer.why}.${lacks}`;
    document.title = `${box}: ${answer.name || title}`;
    (await ready()).play({ ...answer, pathways: [{ pathway: box, url: answer.url }] });
    await table.begin();
  } catch (error) {
    failed(error);
  }
}

function failed(error) {
  if (!(error instanceof SteeringError)) throw error;
  say(error.message);
}

function say(message) {
  byId("notice").textContent = message;
  byId("notice").hidden = !message;
}

byId("segments").append(table.node);
byId("box").value = asked.get("box") ?? "";
byId("box").addEventListener("change", titles);
byId("form").addEventListener("submit", play);
await titles();
await table.begin();
