/**
 * <live-fragment name="stock" args='{"item": 3}' key="76b6…" have="72ca…" mode="all">…</live-fragment>
 *
 * Shows the newest HTML of a fragment of the server's, which `{{ fragment(…) }}` writes. `mode`: all, role, or person, whose events say
 * only that each page is to ask. `have` is a digest of what is shown. Fires "live-change" when the content has changed; when there is
 * nothing for this page to see any more, it fires "live-gone" and is hidden.
 *
 * A list's content is {order: [[key, digest], …], rows: {key: html}}: rows that are not sent are the ones shown. They are the children of
 * the element inside that has data-rows, or of this element itself.
 */
import { fetchFragment } from "./batch.js";
import { live } from "./live.js";
import { morphChildren, parse } from "./morph.js";
import { connection } from "./page.js";
import { fragmentTopic } from "./uris.js";

export class LiveFragment extends HTMLElement {
  #live = null;
  #digests = null;

  connectedCallback() {
    this.#live ??= live(connection, fragmentTopic(this.getAttribute("name"), this.getAttribute("key")), {
      ask: (session) => fetchFragment(session, [
        this.getAttribute("name"), JSON.parse(this.getAttribute("args") ?? "{}"), this.getAttribute("key"), this.getAttribute("have") ?? "",
      ]),
      apply: (state) => this.#show(state),
      gone: () => this.#leave(),
    });
  }

  /** moveBefore() of the document: nothing has to begin anew. */
  connectedMoveCallback() {}

  /** Without it, a move is a removal and an insertion. */
  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#live?.stop();
      this.#live = null;
    });
  }

  #show(state) {
    const [digest, content] = Array.isArray(state) ? state : ["", state];
    if (typeof content === "string") morphChildren(this, [...this.#parse(content).childNodes]);
    else if (!this.#showRows(content)) return;
    this.setAttribute("have", digest);
    this.hidden = false;
    this.dispatchEvent(new Event("live-change", { bubbles: true }));
  }

  /** @returns {boolean} false when a row that is to be shown is not there, and the whole list was asked for */
  #showRows({ order, rows }) {
    const box = this.querySelector("[data-rows]") ?? this;
    const shown = new Map([...box.children].map((row) => [row.dataset.key, row]));
    const digests = this.#digests ?? new Map([...box.children].map((row) => [row.dataset.key, row.dataset.digest]));
    const find = ([key, digest]) => {
      if (Object.hasOwn(rows, key)) return this.#parse(rows[key]).firstElementChild;
      return digests.get(key) === digest && shown.get(key);
    };
    const nodes = order.map(find);
    if (!nodes.every(Boolean)) {
      this.setAttribute("have", "");
      this.#live.refresh(1000);
      return false;
    }
    nodes.forEach((row, at) => { row.dataset.key = order[at][0]; });
    morphChildren(box, nodes);
    this.#digests = new Map(order);
    return true;
  }

  #leave() {
    this.hidden = true;
    this.setAttribute("have", "");
    this.dispatchEvent(new Event("live-gone", { bubbles: true }));
  }

  /** Pushed HTML is for many pages, so its forms come without a token; this page's own goes in, by value and never by text. */
  #parse(html) {
    const content = parse(html);
    const token = document.querySelector('meta[name="csrf-token"]')?.content;
    if (token) for (const input of content.querySelectorAll("input[name=csrf_token]")) input.setAttribute("value", token);
    return content;
  }
}
