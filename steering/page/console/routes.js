// What is wrong with the routes that boxes hear by BGP.

import { ask } from "../api.js";
import { count, element, field, form, input, Pages, section, tiles } from "./dom.js";

const KINDS = { "two-isps": "two ISPs claim it", uneven: "boxes of a site differ", "set-aside": "set aside as absurd" };

/** #/routes */
export async function routes() {
  const sums = element("div");
  const search = input("");
  const pages = new Pages("Findings", ["Kind", "Site", "Box", "#Prefixes", "Examples", "Why", "What mends it"], async (after) => {
    const page = await ask(`/v1/routes/findings?${new URLSearchParams({ search: search.value, after })}`);
    sums.replaceChildren(
      tiles([
        ["Prefixes claimed", count(page.prefixes)],
        ["Boxes that hear BGP", count(page.appliances)],
        ["Routes heard", count(page.routes)],
        ["Set aside", count(page.set_aside)],
        ...Object.entries(page.kinds).map(([kind, number]) => [KINDS[kind] ?? kind, count(number)]),
      ]),
    );
    return {
      rows: page.findings.map((one) => [KINDS[one.kind] ?? one.kind, one.site, one.appliance || "all", count(one.prefixes), one.examples.join(", "), one.why, one.remedy]),
      after: page.after,
      said: Object.keys(page.kinds).length ? "" : "Nothing is wrong with what boxes hear.",
    };
  });
  await pages.begin();
  return { title: "Routes", nodes: [sums, section("What is wrong", form(pages.begin, field("Find by kind, site or box", search)), pages.node)] };
}
