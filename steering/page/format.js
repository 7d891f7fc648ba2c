// Figures for people, each with its unit, and the few DOM steps that every part of the page takes.

export function bytes(count) {
  if (count < 1000) return `${Math.round(count)} B`;
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    count /= 1000;
    if (count < 999.5) return `${count < 10 ? count.toFixed(1) : Math.round(count)} ${unit}`;
  }
  return `${(count / 1000).toFixed(1)} PB`;
}

/** Bytes per second as line rate, in bits. */
export function rate(bytesPerSecond) {
  let bits = bytesPerSecond * 8;
  for (const unit of ["b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"]) {
    if (bits < 999.5 || unit === "Tb/s") return `${bits < 10 ? bits.toFixed(1) : Math.round(bits)} ${unit}`;
    bits /= 1000;
  }
  return "";
}

export function duration(seconds) {
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${whole % 60 ? `${whole % 60} s` : ""}`.trim() : `${whole} s`;
}

/** An element with a class, text or children; text is never read as markup. */
export function element(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** Replace a node's children only when what they show has changed; focus stays on the same film, scrolling where it is. */
export function refresh(node, shown, build) {
  const key = JSON.stringify(shown);
  if (node.dataset.shown === key) return;
  node.dataset.shown = key;
  const focused = node.contains(document.activeElement) ? document.activeElement.dataset.title : undefined;
  node.replaceChildren(...build());
  if (focused) node.querySelector(`[data-title="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}
