/**
 * Draws cards a few times a second, and no longer than a part of a frame at a time: hundreds of
 * hosts leave the page free to scroll.
 */
const PACE = 250; // ms between two drawings: each costs a layout of the whole page
const BUDGET = 12; // ms of a frame spent on cards; the others follow in the next

export class Painter {
  #draw;
  #timer = null;
  #frame = 0;
  #drawn = 0;

  /**
   * @param {() => Iterable<() => void>} draw makes the strokes of one drawing, one after another
   */
  constructor(draw) {
    this.#draw = draw;
  }

  schedule() {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = null;
        this.#frame ||= requestAnimationFrame(() => this.#paint());
      },
      Math.max(0, this.#drawn + PACE - performance.now()),
    );
  }

  stop() {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
  }

  #paint() {
    this.#frame = 0;
    this.#drawn = performance.now();
    for (const stroke of this.#draw()) {
      if (performance.now() > this.#drawn + BUDGET) {
        this.#frame = requestAnimationFrame(() => this.#paint());
        return;
      }
      stroke();
    }
  }
}
