// Taking boxes and sites out from steering, and back; who may not operate sees what is in force, without the buttons.

import { ask } from "../api.js";
import { button, choice, element, field, input, Pages, when } from "./dom.js";

const LASTING = [["1800", "for 30 minutes"], ["7200", "for 2 hours"], ["28800", "for 8 hours"], ["0", "until taken back"]];

const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** How long and why, with what goes by them: `of(scope, name)` makes the button for one box or site. */
export class Drains {
  #lasting = choice(LASTING, "7200");
  #reason = input("", { type: "text", max: 200 });
  #may;
  #changed;
  #said = element("p", "soft");
  #inForce = [];

  /** `changed()` is called after each change. */
  constructor(may, changed) {
    this.#may = may("operate");
    this.#changed = changed;
    this.#said.setAttribute("role", "status");
    this.#said.tabIndex = -1;
    this.node = element("div", "", this.#said);
    if (!this.#may) return;
    const fields = element("form", "", field("Take out", this.#lasting), field("Why (for the log and for others)", this.#reason));
    fields.addEventListener("submit", (event) => event.preventDefault());
    this.node.prepend(fields);
  }

  /** Learn what is in force. */
  async look() {
    this.#inForce = (await ask("/v1/drains")).drains;
  }

  of(scope, name) {
    if (!this.#may) return "";
    const isOut = this.#inForce.some((drain) => drain.scope === scope && drain.name === name);
    const what = scope === "site" ? "the whole site" : name;
    if (isOut) return button(`Send viewers to ${what} again`, () => this.#go("/v1/drains/end", { scope, name }, `${name} serves again.`), "plain");
    return button(`Drain ${what}`, () => {
      if (scope === "site" && !confirm(`Send no new viewers to any box of ${name}?`)) return;
      const body = { scope, name, for_s: Number(this.#lasting.value), reason: this.#reason.value.trim() };
      this.#go("/v1/drains", body, `${name} gets no new viewers; who plays is moved or finishes.`);
    }, "plain");
  }

  async #go(path, body, done) {
    try {
      await post(path, body);
      await this.#changed();
      this.#said.textContent = done;
      this.#said.focus(); // the button that had it is another now
    } catch (error) {
      this.#said.textContent = `Not done: ${error.message}`;
    }
  }
}

/** What is taken out from steering, by whom, until when and why. */
export function inForce() {
  return new Pages("Taken out from steering, and by whom", ["What", "Since", "Until", "By", "Why"], async () => {
    const { drains } = await ask("/v1/drains");
    return {
      rows: drains.map((one) => [`${one.scope} ${one.name}`, when(one.at_ns), when(one.until_ns) || "taken back", one.who, one.reason]),
      after: "",
      said: drains.length ? "" : "Nothing is taken out from here; a box that its own operator drained is told of above.",
    };
  });
}
