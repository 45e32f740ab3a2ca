/** The far side of a socket, played by the test: what was sent is in `sent`, and `say` answers. */
import { Session } from "../../wampflask/browser/session.js";
import { settle } from "./clock.js";

export const WHERE = { url: "ws://router/ws", realm: "wampflask" };

export class FakeSocket {
  readyState = 0;
  sent = [];
  onopen = null;
  onmessage = null;
  onclose = null;

  /** @param {string} url */
  constructor(url = "") {
    this.url = url;
  }

  send(text) {
    if (this.readyState === 0) throw new Error("InvalidStateError");
    if (this.readyState === 1) this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
    this.onclose?.({});
  }

  /** The handshake is done. */
  open() {
    this.readyState = 1;
    this.onopen?.({});
  }

  /** The router sends a frame: a message, or text as it is. */
  async say(message) {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
    await settle();
  }

  /** The last message sent. */
  get last() {
    return this.sent.at(-1);
  }

  /** What was sent of one kind. */
  all(type) {
    return this.sent.filter(([kind]) => kind === type);
  }

  /** Opens, challenges and welcomes. */
  async welcome(id = 7, details = { authrole: "visitor" }) {
    this.open();
    await this.say([4, "ticket", {}]);
    await this.say([2, id, details]);
  }
}

/** A joined session, and its socket. */
export async function joined() {
  const socket = new FakeSocket();
  const session = new Session(
    WHERE,
    async () => "t1",
    () => socket,
  );
  const joining = session.join();
  await socket.welcome();
  await joining;
  return { session, socket };
}

/** What a promise was rejected with. */
export const rejection = (promise) =>
  promise.then(
    (value) => {
      throw new Error(`resolved with ${JSON.stringify(value)}`);
    },
    (error) => error,
  );

/** Errors that the page would have seen in its console. */
export const reported = [];
globalThis.reportError = (error) => reported.push(error);
