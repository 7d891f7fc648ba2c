// "Watch as a viewer of …": an address inside a site's prefix, told to steering as client=.

import { element } from "./format.js";

// RFC 5737 sets this address aside for examples: no site claims it, so it stands for a viewer of none.
const ELSEWHERE = "198.51.100.7";

/** An address of a prefix, a little inside it: 203.0.113.0/24 → 203.0.113.10, 2001:db8::/32 → 2001:db8::10. */
export function addressIn(prefix) {
  const [network, length] = prefix.split("/");
  if (network.includes(":")) return network.endsWith("::") ? `${network}10` : network;
  if (Number(length) > 27) return network;
  const parts = network.split(".").map(Number);
  parts[3] += 10;
  return parts.join(".");
}

export class Viewer {
  #select;

  constructor(select, onChange) {
    this.#select = select;
    select.addEventListener("change", () => onChange(this.client));
  }

  /** The address to be treated as; empty for one's own. */
  get client() {
    return this.#select.value;
  }

  show(sites) {
    const wanted = [["", "myself"]];
    for (const site of sites) {
      if (site.prefix) wanted.push([addressIn(site.prefix), `a viewer of ${site.name || site.site}`]);
    }
    wanted.push([ELSEWHERE, "a viewer elsewhere"]);
    const key = JSON.stringify(wanted);
    if (this.#select.dataset.shown === key) return;
    this.#select.dataset.shown = key;
    const chosen = this.#select.value;
    this.#select.replaceChildren(
      ...wanted.map(([address, label]) => {
        const option = element("option", "", address ? `${label} (${address})` : label);
        option.value = address;
        return option;
      }),
    );
    if (wanted.some(([address]) => address === chosen)) this.#select.value = chosen;
  }
}
