// What the page asks of steering. Every answer is JSON; a refusal carries problem details (RFC 9457).

export class SteeringError extends Error {}

export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(8000) });
  } catch {
    throw new SteeringError("Steering does not answer");
  }
  if (response.status === 401) location.reload(); // the session has ended: steering answers with the form
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    const why = [body?.title, body?.detail].filter(Boolean).join(": ");
    throw new SteeringError(why || `Steering answered ${response.status}`);
  }
  return body;
}

const SITES_SHOWN = 50;
const BOXES_SHOWN = 24;
const TITLES_SHOWN = 60;

const page = (path, query) => ask(`${path}?${new URLSearchParams(query)}`);

/** The first titles that hold the text in their id: `{ titles, matching, after }`. */
export const titles = (search) => page("/v1/shelf", { search, limit: TITLES_SHOWN });

/** What fits a page of sites and, worst first, appliances: `{ sites, boxes, more }`, where `more` are not shown. */
export async function fleet() {
  const [sites, boxes] = await Promise.all([
    page("/v1/fleet/sites", { limit: SITES_SHOWN }),
    page("/v1/fleet/boxes", { limit: BOXES_SHOWN }),
  ]);
  return { ...sites, boxes: boxes.boxes.map((row) => row.appliance), more: boxes.matching - boxes.boxes.length };
}

/** Whether this instance of steering is well, and what is amiss, in words. */
export const health = () => ask("/health");

/** Where a viewer gets a title from: the address of a playlist made for that viewer. */
export const playback = (title, client) =>
  ask("/v1/playback", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(client ? { title, client } : { title }),
  });

/** The whole decision: pathways best first, each with why, and everyone who was passed over, with why. */
export const explain = (title, client) =>
  ask(`/v1/explain?${new URLSearchParams(client ? { title, client } : { title })}`);

/** The address of one object for this viewer; steering redirects it to the best source. */
export const objectUrl = (path, client) => `/r${path}${client ? `?client=${encodeURIComponent(client)}` : ""}`;

/** Who is logged in: `local` where no login is asked. */
export const operator = () => ask("/v1/operators/me");

export const logOut = () => fetch("/v1/logout", { method: "POST", headers: { "Content-Type": "application/json" } });
