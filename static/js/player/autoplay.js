/**
 * Starts a video in browsers that let no sound out before somebody touched the page: a remote's
 * play then starts it muted (`silenced`), and the first touch on the player brings the sound.
 */
export class Autoplay {
  #video;
  silenced = false;

  constructor(video) {
    this.#video = video;
  }

  async start() {
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError" || this.#video.muted) return;
      this.silenced = true;
      this.#video.muted = true;
      await this.#video.play();
    }
  }

  mute(muted) {
    if (muted || navigator.userActivation?.hasBeenActive !== false) this.silenced = false;
    this.#video.muted = muted || this.silenced;
  }

  /** Somebody touched the page: sound is allowed from now on. */
  touched() {
    if (!this.silenced) return;
    this.silenced = false;
    this.#video.muted = false;
  }
}
