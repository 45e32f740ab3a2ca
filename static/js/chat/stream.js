/**
 * A room's messages, none missing and none twice: enters the room, listens, then fetches what changed since what it has seen; again
 * after each reconnect, when a hole in the numbers stays open, and when the room's topics moved because somebody was banned.
 *
 * const room = follow(label, {
 *   since: 17,               // the change that the page was rendered with
 *   message: (message) => {}, people: (people) => {}, typing: (person) => {},
 *   muted: (seconds) => {},  // we may not write for so long; 0: we may again
 *   entered: (room) => {},   // who we are, and whether we moderate
 *   refused: (error) => {},  // we may not be here
 * });
 * room.take(message)         // one that came another way
 * room.stop()
 */
import { delay, pause } from "../backoff.js";
import { connection } from "wampflask";
import { Seen } from "./seen.js";

const PATIENCE = 400; // ms for a hole to close by itself: events of several workers overtake each other

export function follow(label, handlers) {
  const room = new Following(label, handlers);
  const remove = connection.use((session) => room.run(session));
  connection.start();
  return { take: (message) => room.take(message), stop: () => { remove(); room.stop(); } };
}

class Following {
  #label;
  #to;
  #seen;
  #session = null;
  #heard = [];
  #key = null;
  #settling = null;
  #filling = false;
  #people = -1;
  #told = 0;

  constructor(label, handlers) {
    this.#label = label;
    this.#to = handlers;
    this.#seen = new Seen(handlers.since);
  }

  run(session) {
    this.#session = session;
    this.#key = null;
    this.#heard = [];
    return this.#settle(session);
  }

  stop() {
    this.#session = null;
    this.#leave();
  }

  take(message) {
    this.#to.message(message);
    if (!this.#seen.add(message.version)) this.#fill();
  }

  /** Tries until we are in and have seen everything, or are refused, or the session is over. */
  async #settle(session) {
    const turn = this.#settling = {};
    for (let failures = 0; this.#session === session && session.alive && this.#settling === turn; failures += 1) {
      try {
        if (await this.#enter(session)) return;
        failures = -1;
      } catch (error) {
        if (error.uri === "chat.error.banned" || error.uri === "chat.error.not_found") return this.#refuse(session, error);
        await pause(delay(failures, { base: 500, cap: 5000 }));
      }
    }
  }

  /** @returns {Promise<boolean>} false when the topics moved while we were at it */
  async #enter(session) {
    const room = await session.call("chat.enter", [this.#label]);
    if (room.key !== this.#key) {
      await this.#leave();
      await this.#listen(session, room.key);
    }
    this.#to.entered(room);
    return (await this.#catchUp(session)) === room.key;
  }

  async #catchUp(session) {
    for (;;) {
      const told = this.#told;
      const found = await session.call("chat.history", [this.#label, null, this.#seen.upTo]);
      found.messages.forEach((message) => this.#to.message(message));
      this.#seen.reach(found.version);
      if (found.more) continue;
      this.#meet(found.people);
      if (this.#told === told) this.#to.muted(found.muted); // else an event told it meanwhile
      return found.key;
    }
  }

  async #listen(session, key) {
    const topic = (kind) => `chat.room.${this.#label.replaceAll("-", "_")}.${kind}.${key}`;
    const hear = (event) => {
      if (event.moved) this.#move(session);
      else if ("muted" in event) this.#mute(event);
      else this.take(event);
    };
    this.#key = key;
    const handlers = { message: hear, presence: (people) => this.#meet(people), typing: this.#to.typing };
    this.#heard = Object.entries(handlers).map(([kind, handler]) => session.subscribe(topic(kind), handler));
    await Promise.all(this.#heard);
  }

  async #leave() {
    const heard = this.#heard;
    this.#heard = [];
    this.#key = null;
    await Promise.allSettled(heard.map(async (subscription) => (await subscription)()));
  }

  /** A full room does not ask as one. */
  async #move(session) {
    await pause(Math.random() * 500);
    if (this.#session === session) await this.#settle(session);
  }

  async #fill() {
    const session = this.#session;
    if (this.#filling || !session) return;
    this.#filling = true;
    await pause(PATIENCE);
    this.#filling = false;
    if (this.#session !== session || !session.alive || this.#seen.add(0)) return;
    const key = await this.#catchUp(session).catch(() => null);
    if (key !== this.#key && this.#session === session) await this.#settle(session);
  }

  #mute({ muted }) {
    this.#told += 1;
    this.#to.muted(muted);
  }

  #meet(people) {
    if (people.version < this.#people) return;
    this.#people = people.version;
    this.#to.people(people);
  }

  async #refuse(session, error) {
    this.#session = null;
    this.#to.refused(error);
    await this.#leave();
  }
}
