/**
 * What can be done to the video, by hand or by remote, and its state. Fires "change" when the state
 * is another. Longer than other modules, since each action of a remote is a method here.
 */
import { Autoplay } from "./autoplay.js";

const SOON = 400; // ms to wait for a start that may hang on slow data
const MOVES = ["play", "playing", "pause", "waiting", "seeked", "ended", "emptied"];
const FACTS = ["volumechange", "loadedmetadata", "durationchange"];
const ENDS_WAIT = ["playing", "pause", "ended", "emptied", "error"];

export class Refused extends Error {
  uri = "player.error.invalid";
}

const number = (value, low, high, what) => {
  if (typeof value === "number" && value >= low && value <= high) return value;
  throw new Refused(`${what} must be a number from ${low} to ${high}.`);
};

export class Deck extends EventTarget {
  #video;
  #items;
  #index = 0;
  #version = 0;
  #sound;
  #waiting = false;
  #error = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {{title: string, src: string, type: string}[]} items
   */
  constructor(video, items) {
    super();
    this.#video = video;
    this.#items = items;
    this.#sound = new Autoplay(video);
    for (const name of [...MOVES, ...FACTS]) video.addEventListener(name, () => this.#moved(name));
    video.addEventListener("ended", () => this.#index < items.length - 1 && this.next());
    video.addEventListener("error", () => this.#failed());
    this.#load(0);
  }

  get item() {
    return this.#items[this.#index];
  }

  async play() {
    if (this.#error) throw new Refused(this.#error);
    const starting = this.#sound.start();
    starting.catch(() => {});
    await Promise.race([starting, new Promise((resolve) => setTimeout(resolve, SOON))]);
    return this.state();
  }

  pause() {
    this.#video.pause();
    return this.state();
  }

  volume(level) {
    this.#video.volume = number(level, 0, 1, "The volume");
    if (level > 0 && !this.#sound.silenced) this.#video.muted = false;
    return this.state();
  }

  mute(muted) {
    if (typeof muted !== "boolean") throw new Refused("mute takes true or false.");
    this.#sound.mute(muted);
    return this.state();
  }

  seek(seconds) {
    number(seconds, 0, 1e9, "The position");
    const { duration } = this.#video;
    const end = Number.isFinite(duration) ? duration : Infinity;
    if (this.#video.readyState > 0) this.#video.currentTime = Math.min(seconds, end);
    return this.state();
  }

  select(index) {
    if (!Number.isInteger(index) || !this.#items[index]) {
      throw new Refused(`The playlist has items 0 to ${this.#items.length - 1}.`);
    }
    const goOn = !this.#video.paused || this.#video.ended;
    this.#load(index);
    if (goOn) this.#sound.start().catch(() => {});
    return this.state();
  }

  next() {
    return this.#index + 1 < this.#items.length ? this.select(this.#index + 1) : this.state();
  }

  /** To the beginning first, as every player does; from there to the item before. */
  previous() {
    return this.#video.currentTime > 3 || !this.#index
      ? this.seek(0)
      : this.select(this.#index - 1);
  }

  touched() {
    this.#sound.touched();
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
      silenced: this.#sound.silenced,
      index: this.#index,
      count: this.#items.length,
      title: this.item.title,
      error: this.#error,
    };
  }

  status() {
    return { ...this.state(), items: this.#items.map((item) => item.title) };
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
    this.#error = lost
      ? `“${title}” couldn't be loaded: the connection was lost. Choose it again.`
      : `This browser can't play “${title}” (${type}). Most browsers play WebM and MP4.`;
    this.#moved("error");
  }

  #moved(event) {
    if (event === "waiting") this.#waiting = true;
    else if (ENDS_WAIT.includes(event)) this.#waiting = false;
    this.#version += 1;
    this.dispatchEvent(new Event("change"));
  }
}
