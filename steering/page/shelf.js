// The catalogue as a shelf: a poster, a name, and which appliances hold the film.

import { objectUrl } from "./api.js";
import { bytes, duration, element, refresh } from "./format.js";
import { tone } from "./tones.js";

export class Shelf {
  #list;
  #onChoose;

  constructor(list, onChoose) {
    this.#list = list;
    this.#onChoose = onChoose;
  }

  show(titles, client, playing) {
    refresh(this.#list, [titles, client, playing], () => {
      if (!titles.length) {
        return [element("li", "empty", "Nothing is published yet. Try: oca-steering publish DIR --title ID")];
      }
      return titles.map((title) => this.#card(title, client, title.title === playing));
    });
  }

  #card(title, client, isPlaying) {
    const button = element("button", "card");
    button.type = "button";
    button.dataset.title = title.title;
    if (isPlaying) button.setAttribute("aria-current", "true");
    button.append(
      this.#poster(title, client),
      element("span", "name", title.name || title.title),
      element("span", "synopsis", title.synopsis),
      element("span", "facts", `${duration(title.duration_s)} · ${bytes(title.bytes)}`),
      this.#holders(title),
    );
    button.addEventListener("click", () => this.#onChoose(title.title));
    return element("li", "", button);
  }

  #poster(title, client) {
    const frame = element("span", "poster");
    if (!title.poster) return frame;
    const image = element("img");
    image.alt = "";
    image.loading = "lazy";
    image.src = objectUrl(title.poster, client);
    image.addEventListener("error", () => image.remove(), { once: true });
    frame.append(image);
    return frame;
  }

  #holders(title) {
    const line = element("span", "holders");
    const held = new Map();
    for (const asset of title.assets) {
      for (const appliance of asset.holders) held.set(appliance, (held.get(appliance) ?? 0) + 1);
    }
    for (const [appliance, count] of held) {
      const whole = count === title.assets.length;
      const dot = element("span", `chip ${tone(appliance)} ${whole ? "" : "part"}`, appliance);
      dot.title = whole ? `${appliance} holds all of it` : `${appliance} holds ${count} of ${title.assets.length} assets`;
      line.append(dot);
    }
    if (title.holders_count > held.size) {
      const more = element("span", "chip more", `+${title.holders_count - held.size}`);
      more.title = `${title.holders_count} appliances hold all or some of it`;
      line.append(more);
    }
    if (title.live) {
      const live = element("span", "chip live", "live");
      live.title = `each of its assets is held by ${title.copies} or more`;
      line.prepend(live);
    }
    if (!line.childElementCount) line.append(element("span", "facts", "at the origin only"));
    return line;
  }
}
