/**
 * The page's one connection. It starts when a part of the page first needs it, so a page without live parts opens no socket.
 * <html data-connection="open"> says how it stands, for style sheets and tests.
 */
import { Connection } from "./connection.js";
import { Session } from "./session.js";
import { fetchTicket } from "./ticket.js";

export const connection = new Connection({
  ticket: fetchTicket,
  open: (where, ticket) => new Session(where, ticket),
});

const show = () => {
  document.documentElement.dataset.connection = connection.state;
};
connection.addEventListener("change", show);
show();

/* A hidden page may sleep, a page in the back/forward cache must not hold a socket, and a network comes and goes. */
let parked;
for (const type of ["online", "offline", "visibilitychange"]) {
  addEventListener(type, () => document.visibilityState === "visible" && connection.wake());
}
addEventListener("pagehide", () => {
  parked = connection.state !== "stopped";
  if (parked) connection.stop();
});
addEventListener("pageshow", (event) => {
  if (event.persisted && parked) connection.start();
});
