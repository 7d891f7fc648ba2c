// Plays a film with hls.js and tells which appliance every segment came from.

import Hls from "/vendor/hls.min.mjs";

// A dead appliance must cost less than what is buffered, so no patience is spent on it: hls.js moves to the next
// pathway on the first error, and steering has put the best other one there. A source that sends nothing for 4 s
// is as good as dead.
const SEGMENT_POLICY = {
  default: {
    maxTimeToFirstByteMs: 4000,
    maxLoadTimeMs: 20000,
    timeoutRetry: { maxNumRetry: 1, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: { maxNumRetry: 2, retryDelayMs: 100, maxRetryDelayMs: 500 },
  },
};

const SETTINGS = {
  enableWorker: false,
  capLevelToPlayerSize: false,
  // Without the second limit hls.js fetches as far ahead as 60 MB go; a viewer who leaves has then paid for nothing.
  maxBufferLength: 12,
  maxMaxBufferLength: 12,
  backBufferLength: 30,
  startLevel: -1,
  abrEwmaDefaultEstimate: 4_000_000,
  fragLoadPolicy: SEGMENT_POLICY,
  playlistLoadPolicy: SEGMENT_POLICY,
};

export class Player {
  #video;
  #hls = null;
  #waitingSince = null;
  #pathwayOf = () => "unknown";

  /** Everything seen while playing, for people with a console and for tests. */
  log = { title: "", segments: [], errors: [], stalls: [], recovered: false };
  onSegment = () => {};
  /** Every source has failed; what is buffered plays on. `resume` goes on with a fresh answer. */
  onLost = () => {};
  onError = () => {};

  constructor(video) {
    this.#video = video;
    video.addEventListener("waiting", () => this.#startStall());
    for (const event of ["playing", "timeupdate", "seeking", "pause", "ended"]) {
      video.addEventListener(event, () => this.#endStall(event));
    }
  }

  get isSupported() {
    return Hls.isSupported();
  }

  play(answer) {
    Object.assign(this.log, { title: answer.title, segments: [], errors: [], stalls: [], recovered: false });
    this.#open(answer, -1, true);
  }

  /** Go on where the viewer is, with the sources that `answer` names. */
  resume(answer) {
    this.#open(answer, this.#video.currentTime, !this.#video.paused);
  }

  #open(answer, startPosition, isPlaying) {
    this.stop();
    this.learn(answer);
    const hls = new Hls({ ...SETTINGS, startPosition });
    this.#hls = hls;
    hls.on(Hls.Events.FRAG_LOADED, (_, { frag }) => this.#fetched(hls, frag));
    hls.on(Hls.Events.ERROR, (_, data) => this.#failed(hls, data));
    hls.loadSource(answer.hls_url);
    hls.attachMedia(this.#video);
    if (!isPlaying) return;
    this.#video.play().catch(() => {
      // A page opened by address may not start with sound before its viewer touched it; the controls remain.
    });
  }

  /** Take note of where each pathway lives, from steering's newest answer. */
  learn(answer) {
    const places = answer.pathways.map((way) => [way.url.replace(/\/$/, ""), way.pathway]);
    const before = this.#pathwayOf;
    this.#pathwayOf = (url) => places.find(([place]) => url.startsWith(`${place}/`))?.[1] ?? before(url);
  }

  stop() {
    this.#hls?.destroy();
    this.#hls = null;
    this.#waitingSince = null;
  }

  #fetched(hls, frag) {
    const { loading, total } = frag.stats;
    const segment = {
      kind: frag.type === "audio" ? "audio" : "video",
      number: frag.sn === "initSegment" ? "init" : frag.sn,
      rendition: frag.type === "audio" ? "audio" : `${hls.levels[frag.level]?.height ?? "?"}p`,
      url: frag.url,
      pathway: this.#pathwayOf(frag.url),
      bytes: total,
      ms: Math.round(loading.end - loading.start),
      at: performance.now(),
    };
    this.log.segments.push(segment);
    this.onSegment(segment);
  }

  #failed(hls, data) {
    this.log.errors.push({ details: data.details, fatal: data.fatal, url: data.frag?.url ?? data.url ?? "" });
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR) {
      this.onLost();
      return;
    }
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !this.log.recovered) {
      this.log.recovered = true;
      hls.recoverMediaError();
      return;
    }
    this.onError(`This browser gave up on the film (${data.details}). Choose it again to start over.`);
  }

  #startStall() {
    // Before the first picture, while seeking and at the very end, waiting is no stall.
    if (this.#video.currentTime > 0 && !this.#video.seeking && !this.#video.ended) {
      this.#waitingSince ??= { at: performance.now(), position: this.#video.currentTime };
    }
  }

  #endStall(event) {
    if (!this.#waitingSince) return;
    if (event === "timeupdate" && this.#video.currentTime === this.#waitingSince.position) return;
    this.log.stalls.push({ ms: Math.round(performance.now() - this.#waitingSince.at), at: this.#waitingSince.position });
    this.#waitingSince = null;
  }
}
