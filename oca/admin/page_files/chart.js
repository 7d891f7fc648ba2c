// Draws one row of figures over time as an area, with its peak and its last value in words.
const NS = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 100;
const GAP_S = 400;

export function chart(title, times, values, format) {
  const figure = document.createElement("figure");
  const known = values.filter((value) => value >= 0);
  const peak = Math.max(0, ...known);
  const last = known.length ? format(known[known.length - 1]) : "nothing yet";
  const caption = document.createElement("figcaption");
  const now = document.createElement("b");
  now.textContent = last;
  caption.append(title, now);
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${title}: ${last} now, ${format(peak)} at most`);
  const path = line(times, values, peak);
  if (path) {
    svg.append(shape("area", path.area), shape("edge", path.edge));
  }
  const foot = document.createElement("p");
  const ends = [times.length ? clock(times[0]) : "", `peak ${format(peak)}`, times.length ? clock(times[times.length - 1]) : ""];
  for (const text of ends) foot.append(Object.assign(document.createElement("span"), { textContent: text }));
  figure.append(caption, svg, foot);
  return figure;
}

function line(times, values, peak) {
  if (times.length < 2) return null;
  const span = times[times.length - 1] - times[0] || 1;
  const runs = [];
  times.forEach((time, at) => {
    const x = ((WIDTH * (time - times[0])) / span).toFixed(1);
    const y = (HEIGHT - (HEIGHT - 4) * (peak ? Math.max(0, values[at]) / peak : 0)).toFixed(1);
    if (!at || time - times[at - 1] > GAP_S) runs.push([]); // the daemon did not run, and nothing is known
    runs[runs.length - 1].push([x, y]);
  });
  const edges = runs.map((run) => `M${run.map((point) => point.join(",")).join(" L")}`);
  const areas = runs.map((run, at) => `${edges[at]} L${run[run.length - 1][0]},${HEIGHT} L${run[0][0]},${HEIGHT} Z`);
  return { edge: edges.join(" "), area: areas.join(" ") };
}

function shape(kind, drawn) {
  const path = document.createElementNS(NS, "path");
  path.setAttribute("class", kind);
  path.setAttribute("d", drawn);
  return path;
}

export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" });
}
