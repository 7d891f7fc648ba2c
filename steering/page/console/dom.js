// The pieces that every view of the console is made of: tables that go on by pages, tiles, states in words with a shape.

import { element } from "../format.js";

export { bytes, duration, element, rate } from "../format.js";

const SHAPES = { serving: "●", degraded: "◐", partly: "◐", waiting: "◇", drained: "■", out: "▲", empty: "○" };
const WORDS = { partly: "partly serving", waiting: "not yet serving", drained: "taken out", empty: "no boxes" };

/** A state in words, with a shape and a colour that only repeat it. */
export function state(name, more = "") {
  const shape = element("span", "", SHAPES[name] ?? "?");
  shape.setAttribute("aria-hidden", "true");
  return element("span", `state ${name}`, shape, ` ${word(name)}${more}`);
}

export const word = (name) => WORDS[name] ?? name;
export const shape = (name) => SHAPES[name] ?? "?";

export const count = (number) => number.toLocaleString("en");

export function when(ns) {
  return ns ? new Date(ns / 1e6).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "";
}

export function link(text, href, className = "") {
  const node = element("a", className, text);
  node.href = href;
  return node;
}

export function button(text, work, className = "") {
  const node = element("button", className, text);
  node.type = "button";
  node.addEventListener("click", work);
  return node;
}

export function tiles(entries) {
  return element("dl", "tiles", ...entries.map(([name, ...value]) => element("div", "", element("dt", "", name), element("dd", "", ...value))));
}

export function pairs(entries) {
  return element("dl", "pairs", ...entries.flatMap(([name, ...value]) => [element("dt", "", name), element("dd", "", ...value)]));
}

export function section(title, ...children) {
  const heading = element("h3", "", title);
  heading.id = `h-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  const node = element("section", "", heading, ...children);
  node.setAttribute("aria-labelledby", heading.id);
  return node;
}

/** A labelled control for a form. */
export function field(label, control) {
  return element("label", "", label, control);
}

export function choice(options, chosen) {
  const node = element("select");
  node.append(...options.map(([value, text]) => new Option(text, value, false, value === chosen)));
  return node;
}

export function input(value, { type = "search", max = 100, list = "" } = {}) {
  const node = element("input");
  Object.assign(node, { type, value, maxLength: max, autocomplete: "off", spellcheck: false });
  if (list) node.setAttribute("list", list);
  return node;
}

/** Asks again as its fields change; `work` gets no page of its own. */
export function form(work, ...fields) {
  const node = element("form", "", ...fields);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    work();
  });
  node.addEventListener("change", work);
  return node;
}

/**
 * A table that begins with a page and goes on by a button.
 * `ask(after)` gives {rows, after, said}; `heads` are texts, those that begin with "#" are of numbers.
 */
export class Pages {
  #body = element("tbody");
  #said = element("p", "soft");
  #more;
  #after = "";
  #ask;
  #heads;
  #asked = 0;

  constructor(caption, heads, ask) {
    this.#heads = heads;
    this.#ask = ask;
    this.#more = button("Show more", () => this.#go(this.#after), "plain");
    this.#more.hidden = true;
    this.#said.setAttribute("role", "status");
    const row = element("tr", "", ...heads.map((head) => headCell(head)));
    const table = element("table", "stack", element("caption", "", caption), element("thead", "", row), this.#body);
    const scroll = element("div", "scroll", table);
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", caption);
    this.node = element("div", "", this.#said, scroll, this.#more);
  }

  /** The first page, asked for now. */
  begin = () => this.#go("");

  /** The same, unless somebody is reading further or has the focus in it. */
  refresh = () => (this.node.contains(document.activeElement) || this.#body.rows.length > 50 ? undefined : this.begin());

  async #go(after) {
    const asked = ++this.#asked;
    const page = await this.#ask(after);
    if (asked !== this.#asked) return; // what was asked for later is on its way
    const rows = page.rows.map((cells) => element("tr", "", ...cells.map((cell, at) => bodyCell(this.#heads[at], cell, at))));
    if (after) this.#body.append(...rows);
    else this.#body.replaceChildren(...rows);
    this.#after = page.after;
    this.#more.hidden = !page.after;
    this.#said.textContent = page.said;
    this.#body.closest("table").hidden = !this.#body.rows.length;
  }
}

function headCell(head) {
  const cell = element("th", head.startsWith("#") ? "number" : "", head.replace("#", ""));
  cell.scope = "col";
  return cell;
}

function bodyCell(head, content, at) {
  const kind = head.startsWith("#") ? "number" : head === "Why" ? "why" : "";
  const cell = element(at ? "td" : "th", kind, ...(Array.isArray(content) ? content : [content]));
  if (!at) cell.scope = "row";
  cell.dataset.head = head.replace("#", "");
  return cell;
}
