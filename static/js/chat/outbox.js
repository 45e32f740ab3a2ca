/**
 * What was written and is not stored yet: sent one after another, kept while the connection is
 * away. Each text has a token of its own, so that one whose answer got lost is stored once, however
 * often it is sent.
 */
import { delay, pause } from "../backoff.js";
import { connection } from "wampflask";

const hex = (byte) => byte.toString(16).padStart(2, "0");
const token = () => [...crypto.getRandomValues(new Uint8Array(12))].map(hex).join("");
const isFinal = ({ uri }) => uri?.startsWith("chat.error.") || uri === "wamp.error.invalid_payload";

export class Outbox {
  #label;
  #to;
  #queue = [];
  #running = false;
  #stopped = false;

  /**
   * @param {{
   *   changed: (texts) => void,        the texts on their way
   *   said: (message) => void,         one was stored
   *   refused: (error, text) => void,  one never will be
   *   slow: (error) => void,           the next one has to wait
   * }} handlers
   */
  constructor(label, handlers) {
    this.#label = label;
    this.#to = handlers;
  }

  send(text) {
    this.#queue.push({ text, token: token() });
    this.#tell();
    this.#run();
  }

  stop() {
    this.#stopped = true;
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (this.#queue.length && !this.#stopped) {
      await this.#say(this.#queue[0]);
      this.#queue.shift();
      this.#tell();
    }
    this.#running = false;
  }

  async #say({ text, token: word }) {
    for (let failures = 0; !this.#stopped; failures += 1) {
      try {
        return this.#to.said(await connection.call("chat.say", [this.#label, text, word]));
      } catch (error) {
        if (error.uri === "chat.error.too_fast") {
          this.#to.slow(error);
          failures = -1;
          await pause(1000 * (error.kwargs?.seconds ?? 2));
        } else if (isFinal(error)) {
          return this.#to.refused(error, text);
        } else {
          await pause(delay(failures, { base: 300, cap: 3000 }));
        }
      }
    }
  }

  #tell() {
    this.#to.changed(this.#queue.map(({ text }) => text));
  }
}
