/** Which of a room's changes a page has seen. They are numbered without holes, so a hole is something that has not come yet. */
export class Seen {
  #early = new Set();

  /** @param {number} upTo every change up to this one was seen */
  constructor(upTo) {
    this.upTo = upTo;
  }

  /** @returns {boolean} whether nothing is missing now */
  add(version) {
    if (version > this.upTo) this.#early.add(version);
    this.#close();
    return !this.#early.size;
  }

  /** Every change up to this one was fetched. */
  reach(version) {
    this.upTo = Math.max(this.upTo, version);
    for (const early of this.#early) if (early <= this.upTo) this.#early.delete(early);
    this.#close();
  }

  #close() {
    while (this.#early.delete(this.upTo + 1)) this.upTo += 1;
  }
}
