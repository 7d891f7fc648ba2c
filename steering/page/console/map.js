// The map: our own outline of land, a mark for each site or group of sites. No tiles, nothing asked of anybody.

import { LAND } from "./land.js";
import { element, shape, word } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const SPAN_MIN = 240; // tenths of a degree
const KEYS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const STATES = ["serving", "partly", "out", "empty"];

/** `chosen(mark)` is called when one is clicked, or has the focus and Enter is pressed. */
export class FleetMap {
  #svg;
  #chosen;
  #shown = "";

  constructor(chosen) {
    this.#chosen = chosen;
    this.#svg = draw("svg", { class: "map", role: "group", "aria-label": "Sites on a map; arrow keys go from mark to mark" });
    const legend = element("ul", "legend", ...STATES.map((name) => element("li", `state ${name}`, shape(name), ` ${word(name)}`)));
    this.node = element("figure", "", this.#svg, legend);
    this.#svg.addEventListener("keydown", (event) => this.#step(event));
  }

  show(marks) {
    const key = JSON.stringify(marks);
    if (key === this.#shown || this.#svg.contains(document.activeElement)) return;
    this.#shown = key;
    const view = frame(marks);
    this.#svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    const unit = view.width / 100;
    this.#svg.replaceChildren(
      draw("path", { class: "land", d: LAND }),
      draw("path", { class: "grid", d: graticule(view) }),
      ...marks.map((mark, at) => this.#mark(mark, at, unit)),
    );
  }

  #mark(mark, at, unit) {
    const x = mark.longitude * 10;
    const y = -mark.latitude * 10;
    const size = unit * Math.min(2.4, 0.7 + 0.35 * Math.log2(1 + mark.boxes));
    const node = draw("path", { class: `mark ${mark.state}`, d: outline(mark.state, x, y, size), tabindex: at ? -1 : 0, role: "button" });
    const where = mark.name || `${mark.sites} sites near ${Math.round(mark.latitude)}, ${Math.round(mark.longitude)}`;
    const label = `${where}: ${word(mark.state)}, ${mark.boxes_serving} of ${mark.boxes} boxes serve`;
    node.setAttribute("aria-label", label);
    node.append(Object.assign(draw("title"), { textContent: label }));
    node.addEventListener("click", () => this.#chosen(mark));
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.#chosen(mark);
    });
    return node;
  }

  #step(event) {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    const marks = [...this.#svg.querySelectorAll(".mark")];
    const next = marks[marks.indexOf(document.activeElement) + step];
    if (!next) return;
    marks.forEach((mark) => mark.setAttribute("tabindex", mark === next ? 0 : -1));
    next.focus();
  }
}

function draw(name, attributes = {}) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** The part of the world to show: all marks and some room, in tenths of a degree, twice as wide as high. */
function frame(marks) {
  if (!marks.length) return { x: -1800, y: -900, width: 3600, height: 1800 };
  const xs = marks.map((mark) => mark.longitude * 10);
  const ys = marks.map((mark) => -mark.latitude * 10);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const width = Math.min(3600, Math.max(SPAN_MIN, (right - left) * 1.25, (bottom - top) * 2.6));
  const height = width / 2;
  const x = Math.min(1800 - width, Math.max(-1800, (left + right - width) / 2));
  const y = Math.min(900 - height, Math.max(-900, (top + bottom - height) / 2));
  return { x, y, width, height };
}

function graticule({ x, y, width, height }) {
  const step = [50, 100, 150, 300].find((each) => width / each <= 12) ?? 300;
  const lines = [];
  for (let at = Math.ceil((x - width) / step) * step; at <= x + 2 * width; at += step) lines.push(`M${at} ${y - height}v${3 * height}`);
  for (let at = Math.ceil((y - height) / step) * step; at <= y + 2 * height; at += step) lines.push(`M${x - width} ${at}h${3 * width}`);
  return lines.join("");
}

/** A shape for each state, so that nothing is told by colour alone. */
function outline(state, x, y, r) {
  if (state === "out") return `M${x} ${y - r * 1.2}l${r * 1.15} ${r * 2}h${-r * 2.3}z`;
  const whole = `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
  return state === "partly" ? `${whole}M${x} ${y - r * 0.65}a${r * 0.65} ${r * 0.65} 0 0 0 0 ${r * 1.3}z` : whole;
}
