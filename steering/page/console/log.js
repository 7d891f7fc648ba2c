// The audit log: who changed what.

import { ask } from "../api.js";
import { Pages, section, when } from "./dom.js";

const LAST = 200;

/** #/log */
export async function log() {
  const pages = new Pages("Changes, newest first", ["At", "Who", "From", "Action", "What"], async () => {
    const { entries } = await ask(`/v1/operators/audit?last=${LAST}`);
    return {
      rows: entries.reverse().map((entry) => [when(entry.at_ns), entry.who, entry.place, entry.action, entry.what]),
      after: "",
      said: entries.length < LAST ? "" : `The last ${LAST}; 'oca-steering audit' tells all.`,
    };
  });
  await pages.begin();
  return { title: "Log", nodes: [section("Audit log", pages.node)] };
}
