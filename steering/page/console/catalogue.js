// Titles and on how many boxes each lies; one title with its assets.

import { ask } from "../api.js";
import { bytes, count, duration, element, field, form, input, link, Pages, pairs, section, when } from "./dom.js";

/** #/catalogue */
export async function catalogue() {
  const search = input("");
  const pages = new Pages(
    "Titles, and on how many boxes each lies whole, in part, and in an older revision alone",
    ["Title", "Id", "#Length", "#Size", "#Assets", "#Whole", "#In part", "#Outdated", "Released", "Rights"],
    async (after) => {
      const page = await ask(`/v1/catalogue?${new URLSearchParams({ search: search.value, after })}`);
      return {
        rows: page.rows.map((row) => [
          link(row.name || row.title, `#/title/${row.title}`),
          row.title,
          duration(row.duration_s),
          bytes(row.bytes),
          count(row.assets),
          count(row.whole),
          count(row.partly),
          count(row.outdated),
          when(row.released_at_ns) || "always",
          row.regions.join(", ") || "everywhere",
        ]),
        after: page.after,
        said: page.titles ? `${count(page.matching)} of ${count(page.titles)} titles` : "Nothing is published yet. Try: oca-steering publish DIR --title ID",
      };
    },
  );
  await pages.begin();
  return { title: "Catalogue", nodes: [section("Titles", form(pages.begin, field("Find by part of an id", search)), pages.node)] };
}

/** #/title/ID */
export async function title([name]) {
  const found = await ask(`/v1/catalogue/${encodeURIComponent(name)}`);
  const { row } = found;
  const more = found.sites > found.sites_named.length ? [` and ${count(found.sites - found.sites_named.length)} more`] : [];
  const sites = found.sites_named.flatMap((site, at) => [at ? ", " : "", link(site, `#/site/${site}`)]);
  const assets = new Pages("Assets, and on how many boxes each lies", ["Asset", "Kind", "#Size", "#Bit rate", "#Boxes"], async () => ({
    rows: found.assets.map((asset) => [
      asset.asset,
      asset.kind,
      bytes(asset.bytes),
      asset.bitrate_bits_per_s ? `${(asset.bitrate_bits_per_s / 1e6).toFixed(2)} Mb/s` : "",
      count(asset.holders_count),
    ]),
    after: "",
    said: "",
  }));
  await assets.begin();
  return {
    title: row.name || row.title,
    nodes: [
      section(
        "About",
        pairs([
          ["Id", row.title],
          ["Length", duration(row.duration_s)],
          ["Size", bytes(row.bytes)],
          ["Released", when(row.released_at_ns) || "always"],
          ["Published", when(row.published_at_ns)],
          ["Rights", row.regions.join(", ") || "everywhere"],
          ["Copies", `${count(row.whole)} whole, ${count(row.partly)} in part, ${count(row.outdated)} outdated`],
          ["Sites", ...(found.sites ? [...sites, ...more] : ["none: at the origin only"])],
        ]),
        element("p", "doing", link("Where would a viewer be sent?", `#/explain?title=${row.title}`, "button plain")),
      ),
      section("Assets", assets.node),
    ],
  };
}
