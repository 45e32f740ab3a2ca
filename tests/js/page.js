/** A page without a browser: a connection whose sockets, tickets and time the test has in hand. */
import { Connection } from "../../wampflask/browser/connection.js";
import { Session } from "../../wampflask/browser/session.js";
import { settle } from "./clock.js";
import { FakeSocket, WHERE } from "./router.js";

globalThis.document ??= Object.assign(new EventTarget(), { visibilityState: "visible" });

export function newPage(options = {}) {
  const page = {
    /** Every socket that was opened, the newest last. @type {FakeSocket[]} */
    sockets: [],
    tickets: 0,
    /** What the site says instead of a ticket. */
    refusal: null,
    states: [],
    failures: [],
    get socket() {
      return page.sockets.at(-1);
    },
    /** Opens the newest socket and lets the page in. */
    async join(id, details) {
      await settle();
      await page.socket.welcome(id, details);
      await settle();
      return page.socket;
    },
  };
  const open = (url) => {
    const socket = new FakeSocket(url);
    page.sockets.push(socket);
    return socket;
  };
  page.connection = new Connection({
    async ticket(signal, proofs) {
      page.tickets += 1;
      page.proofs = proofs;
      if (page.refusal) throw page.refusal;
      return { ...WHERE, ticket: `t${page.tickets}` };
    },
    open: (where, ticket) => new Session(where, ticket, open),
    ...options,
  });
  page.connection.addEventListener("change", () => page.states.push(page.connection.state));
  page.connection.addEventListener("failure", (event) => page.failures.push(event.detail));
  return page;
}
