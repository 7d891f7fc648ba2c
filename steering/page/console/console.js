// Goes from view to view by the address, asks again every few seconds while the page is seen, says who is logged in.

import * as api from "../api.js";
import { element } from "./dom.js";
import { fleet, site } from "./fleet.js";

const AGAIN_MS = 5000;
const later = (file, name) => async (...asked) => (await import(file))[name](...asked);
const VIEWS = {
  fleet,
  site,
  catalogue: later("./catalogue.js", "catalogue"),
  title: later("./catalogue.js", "title"),
  plan: later("./plan.js", "plan"),
  explain: later("./explain.js", "explain"),
  routes: later("./routes.js", "routes"),
  log: later("./log.js", "log"),
};
const PARENTS = { site: "fleet", title: "catalogue" };
const byId = (id) => document.getElementById(id);

const operator = { may: () => true };
let shown = Symbol();
let again = null;

async function go() {
  if (!location.hash.startsWith("#/") && location.hash) return; // a place on this view
  const mine = (shown = Symbol());
  const [path, query = ""] = location.hash.slice(2).split("?");
  const [name, ...rest] = path.split("/").map(decodeURIComponent);
  const view = VIEWS[name] ? name : "fleet";
  again = null;
  for (const each of document.querySelectorAll("nav a")) {
    if (each.hash === `#/${PARENTS[view] ?? view}`) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
  try {
    const made = await VIEWS[view](rest, new URLSearchParams(query), operator);
    if (mine !== shown) return; // gone on meanwhile
    document.title = `${made.title} · Fleet console`;
    byId("view").replaceChildren(element("h2", "", made.title), ...made.nodes);
    again = made.again ?? null;
    say("");
  } catch (error) {
    if (mine === shown) say(error.message);
  }
}

async function tick() {
  try {
    if (again && !document.hidden) {
      const asking = again;
      await asking();
      if (asking === again) say("");
    }
  } catch (error) {
    say(error.message);
  }
  setTimeout(tick, AGAIN_MS);
}

function say(message) {
  byId("notice").textContent = message;
  byId("notice").hidden = !message;
}

async function meet() {
  const who = await api.operator().catch(() => null);
  if (!who) return;
  const roles = ["read", "operate", "admin"];
  operator.may = (wanted) => roles.indexOf(who.role) >= roles.indexOf(wanted);
  if (who.name === "local") {
    // Whoever is on steering's own machine may look; a page may change nothing for somebody without a name.
    operator.may = (wanted) => wanted === "read";
    const login = element("a", "", "Log in to change anything");
    login.href = "/page/login.html";
    byId("who").replaceChildren(login);
    return;
  }
  byId("who").textContent = `${who.name} (${who.role})`;
  byId("leave").hidden = false;
  byId("leave").addEventListener("click", async () => {
    await api.logOut();
    location.reload();
  });
}

addEventListener("hashchange", () => go().then(() => byId("main").focus({ preventScroll: true })).then(() => scrollTo(0, 0)));
addEventListener("unhandledrejection", (event) => say(event.reason?.message ?? "Something went wrong"));
await meet();
await go();
setTimeout(tick, AGAIN_MS);
