/**
 * <wamp-status></wamp-status>: says when live updates are lost and when they are back. Silent while a page loads, and for short breaks.
 *
 * Texts: the attributes lost, back, failed, blocked. Looks: the page's own style sheet (`wamp-status { … }`), which goes before the little
 * that is here. The attribute `state` says which text is shown.
 */
import { connection } from "./page.js";
import { BLOCKED } from "./uris.js";

const GRACE = { first: 4000, lost: 700, back: 4000 }; // ms
const TEXTS = {
  lost: "Connection lost. Trying to reconnect…",
  back: "Back online.",
  failed: "Live updates stopped. Reload the page.",
  blocked: "You are blocked.",
};
const sheet = new CSSStyleSheet(); // a policy against inline styles allows it
sheet.replaceSync(
  ":where(wamp-status[state]){position:fixed;inset:auto 0 0;padding:.5em;background:#222;color:#fff}",
);
document.adoptedStyleSheets.push(sheet);

export class WampStatus extends HTMLElement {
  #timer;
  #joined = false;
  /** What is shown, or will be soon. */
  #next = "";

  connectedCallback() {
    this.role ??= "status";
    connection.addEventListener("change", this);
    connection.addEventListener("failure", this);
    this.handleEvent({});
  }

  handleEvent({ type }) {
    const { state, reason } = connection;
    const shown = this.getAttribute("state") ?? "";
    if (type === "failure") this.#plan("failed");
    else if (state === "stopped")
      this.#plan(reason?.uri === BLOCKED ? "blocked" : "", 0, reason?.args?.[0]);
    else if (state !== "open") this.#plan("lost", this.#joined ? GRACE.lost : GRACE.first);
    else this.#plan(shown === "lost" || shown === "blocked" ? "back" : shown);
    this.#joined ||= state === "open";
  }

  #plan(state, ms = 0, text = undefined) {
    if (this.#next === state) return;
    this.#next = state;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.textContent = state && (text ?? this.getAttribute(state) ?? TEXTS[state]);
      if (state) this.setAttribute("state", state);
      else this.removeAttribute("state");
      if (state === "back") this.#plan("", GRACE.back);
    }, ms);
  }
}
