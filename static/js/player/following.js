/**
 * What a remote knows of its player: `status` when it joins, when the phone wakes, and after every doubt; `state` events in between.
 * Fires "change". A state that is older than the one shown is ignored.
 *
 * `where`: "connecting", "here", "away" (nobody answers to this code), "asleep" (somebody is there and does not answer), "renewed".
 */
import { TimedOut, connection } from "wampflask";

const PATIENCE = 4000; // ms for the player to answer
const AGAIN = 12_000; // ms between two looks while the page is seen

export class Following extends EventTarget {
  #player;
  #heard = 0;
  #looking = false;

  where = "connecting";
  state = null;
  /** performance.now() of the state's position. */
  since = 0;

  constructor(player) {
    super();
    this.#player = player;
    connection.use((session) => this.#join(session));
    connection.addEventListener("change", () => connection.session || this.#is("connecting"));
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.look());
    setInterval(() => document.visibilityState === "visible" && this.look(), AGAIN);
    connection.start();
  }

  /** Does something to the player; what it answers is shown at once. */
  async call(action, ...args) {
    const state = await connection.call(`player.${this.#player}.${action}`, args, { timeout: PATIENCE, patience: 0 });
    this.#take(state);
  }

  /** Asks how things are. A state that is heard meanwhile is newer than "nobody there". */
  async look() {
    if (this.#looking || !connection.session) return;
    this.#looking = true;
    for (let heard = null; heard !== this.#heard && connection.session; ) {
      heard = this.#heard;
      try {
        this.#take(await connection.call(`player.${this.#player}.status`, [], { timeout: PATIENCE, patience: 0 }), true);
        break;
      } catch (error) {
        if (!connection.session) break;
        if (heard === this.#heard) this.#is(error instanceof TimedOut ? "asleep" : "away");
      }
    }
    this.#looking = false;
  }

  async #join(session) {
    await session.subscribe(`player.${this.#player}.state`, (state) => this.#hear(state));
    await this.look();
  }

  #hear(state) {
    if (!state.present) {
      if (state.renewed) this.#is("renewed");
      else this.look();
      return;
    }
    this.#heard += 1;
    this.#take(state);
    if (!this.state?.items) this.look();
  }

  #take(state, sure = false) {
    if (!state?.present || typeof state.version !== "number") return;
    if (!sure && this.where === "here" && this.state && state.version < this.state.version) return;
    this.state = { ...this.state, ...state };
    this.since = performance.now();
    this.where = "here";
    this.dispatchEvent(new Event("change"));
  }

  /** A player that was renewed stays so: its old code leads nowhere any more. */
  #is(where) {
    if (this.where === where || (this.where === "renewed" && where !== "connecting")) return;
    this.where = where;
    this.dispatchEvent(new Event("change"));
  }
}
