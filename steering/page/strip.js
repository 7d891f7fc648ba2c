// The strip: one column per segment, video above and audio below, each in the colour of the appliance it came from.

import { bytes, element } from "./format.js";
import { tone } from "./tones.js";

export class Strip {
  #node;
  #legend;
  #columns = new Map();

  constructor(node, legend) {
    this.#node = node;
    this.#legend = legend;
  }

  clear() {
    this.#columns.clear();
    this.#node.replaceChildren();
    this.#legend.replaceChildren();
  }

  /** Show one fetched segment; the same segment fetched again (in another rendition) takes the old one's place. */
  add(segment) {
    if (segment.number === "init") return;
    const follows = this.#node.scrollLeft + this.#node.clientWidth >= this.#node.scrollWidth - 40;
    const cell = element(
      "span",
      `cell ${segment.kind} ${tone(segment.pathway)}`,
      element("b", "", segment.pathway),
      element("span", "", segment.kind === "audio" ? "sound" : segment.rendition),
      element("span", "", `${segment.ms} ms`),
      element("span", "", bytes(segment.bytes)),
    );
    cell.title = segment.url;
    const column = this.#column(segment.number);
    column.querySelector(`.${segment.kind}`)?.remove();
    if (segment.kind === "video") column.querySelector(".number").after(cell);
    else column.append(cell);
    this.#count(segment.pathway);
    if (follows) this.#node.scrollLeft = this.#node.scrollWidth;
  }

  #column(number) {
    if (!this.#columns.has(number)) {
      const column = element("div", "column", element("span", "number", `${number}`));
      this.#columns.set(number, column);
      const after = [...this.#columns.keys()].filter((other) => other > number);
      this.#node.insertBefore(column, after.length ? this.#columns.get(Math.min(...after)) : null);
    }
    return this.#columns.get(number);
  }

  #count(pathway) {
    let entry = [...this.#legend.children].find((child) => child.dataset.pathway === pathway);
    if (!entry) {
      entry = element("span", `chip ${tone(pathway)}`);
      entry.dataset.pathway = pathway;
      entry.dataset.count = "0";
      this.#legend.append(entry);
    }
    entry.dataset.count = String(Number(entry.dataset.count) + 1);
    entry.textContent = `${pathway} ${entry.dataset.count}`;
  }
}
