/**
 * What a remote knows of its player, whose page counts its states itself. Fires "change".
 *
 * `where`: "connecting", "here", "away" (nobody answers to this code), "asleep" (somebody is there
 * and does not answer), "renewed".
 */
import { TimedOut, connection, live } from "wampflask";

const PATIENCE = 4000; // ms for the player to answer
const AGAIN = 12; // seconds between two looks while the page is seen

export class Following extends EventTarget {
  #player;
  #live;

  where = "connecting";
  state = null;
  /** performance.now() of the state's position. */
  since = 0;

  constructor(player) {
    super();
    this.#player = player;
    this.#live = live(`player.${player}.state`, (state) => this.#take(state), {
      ask: (session) => this.#ask(session),
      version: (state) => state.version,
      stale: (state) => !state?.present && !state?.renewed,
      failed: (error) => {
        this.#is(error instanceof TimedOut ? "asleep" : "away");
        return this.where !== "renewed";
      },
      refused: () => this.#is("away"),
      every: AGAIN,
    });
    connection.addEventListener("change", () => connection.session || this.#is("connecting"));
  }

  /** Does something to the player; what it answers is shown at once. */
  async call(action, ...args) {
    const options = { timeout: PATIENCE, patience: 0 };
    this.#take(await connection.call(`player.${this.#player}.${action}`, args, options));
  }

  /** Asks how things are. */
  look() {
    this.#live.refresh();
  }

  /**
   * Only an answer has the titles of the playlist: they count even if a newer state has overtaken
   * it.
   */
  async #ask(session) {
    const state = await session.call(`player.${this.#player}.status`, [], { timeout: PATIENCE });
    if (this.state) this.#show({ items: state?.items });
    return { state };
  }

  #take(state) {
    if (state?.renewed) return void this.#is("renewed");
    if (!state?.present || typeof state.version !== "number") return;
    if (state.version < this.state?.version) return;
    this.since = performance.now();
    this.where = "here";
    this.#show(state);
  }

  #show(part) {
    this.state = { ...this.state, ...part };
    this.dispatchEvent(new Event("change"));
  }

  /** A player that was renewed stays so: its old code leads nowhere any more. */
  #is(where) {
    if (this.where === where || (this.where === "renewed" && where !== "connecting")) return;
    this.where = where;
    this.dispatchEvent(new Event("change"));
  }
}
