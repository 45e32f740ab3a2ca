/**
 * What can be done to the video, by hand or by remote, and what it is at. Fires "change" for whatever moved it.
 *
 * Browsers let no sound out before somebody touched the page: a remote's play then starts muted (`silenced`), and the first touch on
 * the player brings the sound.
 */
const SOON = 400; // ms to wait for a start that may hang on slow data
const EVENTS = ["play", "pause", "playing", "waiting", "seeked", "volumechange", "loadedmetadata", "durationchange", "ended", "emptied"];

export class Refused extends Error {
  uri = "player.error.invalid";
}

const number = (value, low, high, what) => {
  if (typeof value !== "number" || !(value >= low && value <= high)) throw new Refused(`${what} is a number from ${low} to ${high}.`);
  return value;
};

export class Deck extends EventTarget {
  #video;
  #items;
  #index = 0;
  #version = 0;
  #silenced = false;
  #waiting = false;
  #error = null;

  /** @param {HTMLVideoElement} video  @param {{title: string, src: string, type: string}[]} items */
  constructor(video, items) {
    super();
    this.#video = video;
    this.#items = items;
    for (const name of EVENTS) video.addEventListener(name, () => this.#moved(name));
    video.addEventListener("ended", () => this.#index < items.length - 1 && this.next());
    video.addEventListener("error", () => this.#failed());
    this.#load(0);
  }

  get item() {
    return this.#items[this.#index];
  }

  async play() {
    if (this.#error) throw new Refused(this.#error);
    const starting = this.#start();
    starting.catch(() => {});
    await Promise.race([starting, new Promise((resolve) => { setTimeout(resolve, SOON); })]);
    return this.state();
  }

  pause() {
    this.#video.pause();
    return this.state();
  }

  volume(level) {
    this.#video.volume = number(level, 0, 1, "The volume");
    if (level > 0 && !this.#silenced) this.#video.muted = false;
    return this.state();
  }

  mute(muted) {
    if (typeof muted !== "boolean") throw new Refused("mute takes true or false.");
    if (muted || navigator.userActivation?.hasBeenActive !== false) this.#silenced = false;
    this.#video.muted = muted || this.#silenced;
    return this.state();
  }

  seek(seconds) {
    number(seconds, 0, 1e9, "The position");
    const end = this.#video.duration;
    if (this.#video.readyState > 0) this.#video.currentTime = Number.isFinite(end) ? Math.min(seconds, end) : seconds;
    return this.state();
  }

  select(index) {
    if (!Number.isInteger(index) || !this.#items[index]) throw new Refused(`There are items 0 to ${this.#items.length - 1}.`);
    const goOn = !this.#video.paused || this.#video.ended;
    this.#load(index);
    if (goOn) this.#start().catch(() => {});
    return this.state();
  }

  next() {
    return this.#index + 1 < this.#items.length ? this.select(this.#index + 1) : this.state();
  }

  /** To the beginning first, as every player does; from there to the item before. */
  previous() {
    return this.#video.currentTime > 3 || !this.#index ? this.seek(0) : this.select(this.#index - 1);
  }

  /** Somebody touched the page: sound is allowed from now on. */
  touched() {
    if (!this.#silenced) return;
    this.#silenced = false;
    this.#video.muted = false;
  }

  state() {
    const { currentTime, duration, paused, ended, volume, muted } = this.#video;
    return {
      present: true,
      version: this.#version,
      playing: !paused && !ended,
      waiting: this.#waiting,
      position: Math.round(currentTime * 1000) / 1000,
      duration: Number.isFinite(duration) ? Math.round(duration * 1000) / 1000 : null,
      volume: Math.round(volume * 1000) / 1000,
      muted,
      silenced: this.#silenced,
      index: this.#index,
      count: this.#items.length,
      title: this.item.title,
      error: this.#error,
    };
  }

  status() {
    return { ...this.state(), items: this.#items.map((item) => item.title) };
  }

  async #start() {
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError" || this.#video.muted) return;
      this.#silenced = true;
      this.#video.muted = true;
      await this.#video.play();
    }
  }

  #load(index) {
    this.#index = index;
    this.#error = null;
    this.#waiting = false;
    const { src, type } = this.item;
    if (this.#video.canPlayType(type)) {
      this.#video.src = src;
    } else {
      this.#video.removeAttribute("src");
      this.#video.load();
      this.#failed();
    }
    this.#moved("load");
  }

  #failed() {
    const { title, type } = this.item;
    const lost = this.#video.error?.code === MediaError.MEDIA_ERR_NETWORK;
    this.#error = lost ? `“${title}” could not be loaded: the connection broke.` : `This browser cannot play “${title}” (${type}). WebM and MP4 play in most.`;
    this.#moved("error");
  }

  #moved(event) {
    if (event === "waiting") this.#waiting = true;
    else if (["playing", "pause", "ended", "emptied", "error"].includes(event)) this.#waiting = false;
    this.#version += 1;
    this.dispatchEvent(new Event("change"));
  }
}
