// Where a viewer would be sent for a title, and why everybody else was passed over.

import { ask } from "../api.js";
import { button, count, element, field, form, input, pairs, section } from "./dom.js";

const REJECTED = 100;

/** #/explain?title=…&client=… */
export async function explain(_path, asked) {
  const title = input(asked.get("title") ?? "", { type: "text", max: 63 });
  const client = input(asked.get("client") ?? "", { type: "text", max: 64 });
  title.required = true;
  const answer = element("div");
  answer.setAttribute("role", "status");
  const work = async () => {
    if (!title.value.trim()) return;
    const query = new URLSearchParams({ title: title.value.trim(), rejected: REJECTED });
    if (client.value.trim()) query.set("client", client.value.trim());
    history.replaceState(null, "", `#/explain?${query}`);
    try {
      answer.replaceChildren(...decision(await ask(`/v1/explain?${query}`)));
    } catch (error) {
      answer.replaceChildren(element("p", "out", error.message));
    }
  };
  const node = form(work, field("Title (id)", title), field("Viewer's address or subnet; empty: your own", client), button("Explain", work));
  await work();
  return { title: "Explain", nodes: [section("Where is a viewer sent", node, answer)] };
}

/** Those who lost, by why. */
function alike(rejected) {
  const found = new Map();
  for (const { pathway, why } of rejected) found.set(why, [...(found.get(why) ?? []), pathway]);
  return [...found];
}

function decision(found) {
  const viewer = found.prefix ? `${found.client}, in ${found.prefix}${found.site ? ` of site ${found.site}` : ""}` : `${found.client}, in no site's prefixes`;
  const left = found.rejected_count - found.rejected.length;
  return [
    pairs([["Viewer", viewer], ...(found.region ? [["Country", found.region]] : []), ...(found.barred ? [["Barred", found.barred]] : [])]),
    element("h3", "", "Offered, best first"),
    element(
      "ol",
      "ranked",
      ...found.pathways.map((way) =>
        element("li", "", element("b", "", way.pathway), ` ${way.class}${way.site ? ` at ${way.site}` : ""}${way.distance_km ? `, ${Math.round(way.distance_km)} km` : ""}`, element("p", "", way.why)),
      ),
    ),
    element("h3", "", `Passed over: ${count(found.rejected_count)}`),
    element("ul", "ranked", ...alike(found.rejected).map(([why, names]) => element("li", "", names.join(", "), element("p", "", why)))),
    left > 0 ? element("p", "soft", `and ${count(left)} more: oca-steering explain tells all`) : "",
  ].filter(Boolean);
}
