/**
 * <wamp-status></wamp-status>: says when live updates are lost and when they are back. Silent while a page loads, and for short breaks.
 *
 * Texts: the attributes lost, back, failed, blocked, or content of its own: <p slot="lost">…</p>. Looks: the part "bar", and the custom
 * properties --wamp-status-background, --wamp-status-color, --wamp-status-inset. The attribute `state` says which is shown.
 */
import { connection } from "./page.js";
import { BLOCKED } from "./uris.js";

const GRACE = { first: 4000, lost: 700, back: 4000 }; // ms
const TEXTS = {
  lost: "Connection lost. Trying to reconnect…",
  back: "Back online. Everything you see is up to date.",
  failed: "Part of this page is not live. Reload to see the newest.",
  blocked: "You are blocked.",
};
const STYLE = `:host{position:fixed;inset:var(--wamp-status-inset,auto 0 0);z-index:2147483647}
div:not(:empty){padding:.5em 1em;text-align:center;background:var(--wamp-status-background,#222);color:var(--wamp-status-color,#fff)}`;

export class WampStatus extends HTMLElement {
  #bar = document.createElement("div");
  #timer = null;
  #joined = false;
  #ending = null;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.#bar.part = "bar";
    this.#bar.role = "status";
    root.append(this.#bar);
  }

  connectedCallback() {
    const { signal } = this.#ending = new AbortController();
    connection.addEventListener("change", () => this.#change(), { signal });
    connection.addEventListener("failure", () => this.#show("failed"), { signal });
    this.#change();
  }

  disconnectedCallback() {
    this.#ending.abort();
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #change() {
    const shown = this.getAttribute("state");
    const { state, reason } = connection;
    if (state === "open") {
      this.#joined = true;
      this.#wait();
      if (!shown || shown === "failed") return;
      this.#show("back");
      this.#wait(GRACE.back, () => this.#show(""));
    } else if (state === "stopped") {
      this.#wait();
      if (reason?.uri === BLOCKED) this.#show("blocked", reason.args[0]);
    } else if (shown === "back" || (!shown && !this.#timer)) {
      this.#wait(this.#joined ? GRACE.lost : GRACE.first, () => this.#show("lost"));
    }
  }

  /** The one thing to come; nothing cancels it. */
  #wait(ms, action) {
    clearTimeout(this.#timer);
    this.#timer = action ? setTimeout(() => { this.#timer = null; action(); }, ms) : null;
  }

  #show(state, text = this.getAttribute(state) ?? TEXTS[state]) {
    this.#bar.replaceChildren();
    if (!state) return this.removeAttribute("state");
    this.setAttribute("state", state);
    const slot = document.createElement("slot");
    slot.name = state;
    slot.textContent = text;
    this.#bar.append(slot);
  }
}
