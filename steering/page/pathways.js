// The order in which steering offers sources to this viewer, each with why; and who was passed over.

import { element, refresh } from "./format.js";
import { tone } from "./tones.js";

const CLASSES = { embedded: "in your network", peering: "peering", regional: "regional", origin: "last resort", fallback: "last resort" };

export class Pathways {
  constructor(list, others, rejected) {
    this.list = list;
    this.others = others;
    this.rejected = rejected;
  }

  show(answer, serving) {
    refresh(this.list, [answer.pathways, serving], () => answer.pathways.map((way) => this.#way(way, serving)));
    this.others.hidden = !answer.rejected.length;
    refresh(this.rejected, answer.rejected, () =>
      answer.rejected.map((way) => element("li", "", element("b", "", way.pathway), ` ${way.why}`)),
    );
  }

  #way(way, serving) {
    const distance = way.distance_km > 0 ? ` · ${Math.round(way.distance_km)} km` : "";
    const item = element(
      "li",
      way.pathway === serving ? "serving" : "",
      element("span", `chip ${tone(way.pathway)}`, way.pathway),
      element("span", "class", `${CLASSES[way.class] ?? way.class}${distance}`),
      way.pathway === serving ? element("span", "badge", "serving now") : null,
      element("p", "why", way.why),
    );
    return item;
  }
}
