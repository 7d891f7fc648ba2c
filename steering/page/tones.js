// One colour per appliance, the same all over the page. Names are always written beside it: colour is never alone.

const TONES = 7;
const known = new Map();

export function tone(appliance) {
  if (appliance === "origin" || appliance === "origin-retry" || !appliance) return "tone-origin";
  if (!known.has(appliance)) known.set(appliance, known.size % TONES);
  return `tone-${known.get(appliance)}`;
}
