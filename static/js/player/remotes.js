/**
 * Makes a player reachable for remotes: pairs the page, registers its actions under its id, and
 * publishes its state. Fires "change" when `refused` or `ready` has changed. Longer than other
 * modules, since all of it ends and begins again with a new id.
 */
import { connection, publish, register } from "wampflask";
import { pair } from "./pairing.js";

const ACTIONS = [
  "play",
  "pause",
  "volume",
  "mute",
  "seek",
  "select",
  "next",
  "previous",
  "status", // last: once it is registered, so are the others
];
const TOGETHER = 60; // ms: changes so close to each other are published once
const TRIES = 3; // codes in a row that are refused before the page gives up

export class Remotes extends EventTarget {
  #deck;
  #box;
  #player = null;
  #ends = [];
  #refusals = 0;
  #published = 0;
  #timer = null;
  ready = false;

  /** @param {Deck} deck  @param {Element} box as in pairing.js */
  constructor(deck, box) {
    super();
    this.#deck = deck;
    this.#box = box;
  }

  /** Whether the page could not be paired, and gave up. */
  get refused() {
    return this.#refusals > TRIES;
  }

  /** Publishes the state, soon and once for several changes. */
  changed() {
    if (this.#timer) return;
    const passed = performance.now() - this.#published;
    if (passed > TOGETHER) this.#publish();
    else this.#timer = setTimeout(() => this.#publish(), TOGETHER);
  }

  /** Gets a new id, and notifies the remotes of the old one. */
  async renew() {
    this.stop();
    if (this.#player) await this.#send({ present: false, renewed: true });
    this.#player = null;
    this.#is(false);
    this.#player = await pair(this.#box);
    this.#serve();
  }

  stop() {
    this.#ends.forEach((end) => end());
    this.#ends = [];
  }

  #serve() {
    this.#ends = ACTIONS.map((action) =>
      register(`player.${this.#player}.${action}`, (args) => this.#deck[action](...args), {
        refused: (error) => this.#lose(error),
      }),
    );
    Promise.all(this.#ends.map(({ ready }) => ready)).then(
      () => {
        this.#refusals = 0;
        this.#is(true);
      },
      () => {},
    ); // #lose has handled it
    this.#ends.push(connection.use(() => this.changed()));
  }

  /** Pairs the page again: its claim belongs to another log-in. */
  #lose(error) {
    if (error.uri !== "wamp.error.not_authorized") throw error;
    this.stop();
    this.#refusals += 1;
    if (this.refused) this.#is(this.ready);
    else this.renew();
  }

  #publish() {
    this.#timer = null;
    this.#published = performance.now();
    if (this.#player) this.#send(this.#deck.state());
  }

  #send(state) {
    return publish(`player.${this.#player}.state`, [state], { patience: 0 }).catch(() => {});
  }

  #is(ready) {
    this.ready = ready;
    this.dispatchEvent(new Event("change"));
  }
}
