/**
 * Time that stands still until a test lets it pass: setTimeout, setInterval, performance.now,
 * Date.now and Math.random are replaced.
 */
export class Clock {
  #timers = new Map();
  #next = 1;
  #real = new Map();
  now = 1_000_000;
  /** What Math.random() returns. */
  random = 0.5;

  constructor() {
    const add = (action, ms = 0, every = null) => {
      this.#timers.set(this.#next, { at: this.now + Math.max(0, Number(ms) || 0), action, every });
      return this.#next++;
    };
    this.#replace(globalThis, "setTimeout", (action, ms) => add(action, ms));
    this.#replace(globalThis, "setInterval", (action, ms) => add(action, ms, ms));
    for (const name of ["clearTimeout", "clearInterval"])
      this.#replace(globalThis, name, (id) => this.#timers.delete(id));
    this.#replace(performance, "now", () => this.now);
    this.#replace(Date, "now", () => this.now);
    this.#replace(Math, "random", () => this.random);
  }

  /** Lets milliseconds pass, timer by timer, and whatever promises follow from each. */
  async pass(ms) {
    const until = this.now + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers]
        .filter(([, timer]) => timer.at <= until)
        .sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];
      if (!due) break;
      const [id, timer] = due;
      this.now = Math.max(this.now, timer.at);
      if (timer.every === null) this.#timers.delete(id);
      else timer.at += timer.every;
      timer.action();
      await settle();
    }
    this.now = until;
  }

  /** How many timers wait. */
  get waiting() {
    return this.#timers.size;
  }

  restore() {
    for (const [owner, values] of this.#real) Object.assign(owner, values);
  }

  #replace(owner, name, value) {
    this.#real.set(owner, { ...this.#real.get(owner), [name]: owner[name] });
    owner[name] = value;
  }
}

const immediate = setImmediate;

/** Lets every promise that can go on do so. */
export async function settle() {
  for (let turn = 0; turn < 3; turn += 1)
    await new Promise((resolve) => {
      immediate(resolve);
    });
}
