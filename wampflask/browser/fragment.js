/**
 * <live-fragment name="stock" args='{"item": 3}' key="76b6…" have="72ca…">…</live-fragment>
 *
 * Shows the newest HTML of a fragment of the server's, which `{{ fragment(…) }}` writes. `have` is a digest of what is shown. Fires "live-change" when the content has changed; when there is
 * nothing for this page to see any more, it fires "live-gone" and is hidden.
 *
 * A list's content is {order: [[key, digest], …], rows: {key: html}}: rows that are not sent are the ones shown, which say by data-key and
 * data-digest what they are. They are the children of the element inside that has data-rows, or of this element itself.
 */
import { fetchFragment } from "./batch.js";
import { live } from "./live.js";
import { morphChildren, parse } from "./morph.js";
import { connection } from "./page.js";
import { fragmentTopic } from "./uris.js";

export class LiveFragment extends HTMLElement {
  #live = null;

  connectedCallback() {
    const [name, args, key] = ["name", "args", "key"].map((attribute) =>
      this.getAttribute(attribute),
    );
    this.#live ??= live(connection, fragmentTopic(name, key), (state) => this.#show(state), {
      ask: (session) =>
        fetchFragment(session, [
          name,
          JSON.parse(args ?? "{}"),
          key,
          this.getAttribute("have") ?? "",
        ]),
      gone: () => this.#become("", "live-gone"),
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
    const [digest, content] = state;
    if (typeof content === "string") morphChildren(this, [...this.#parse(content).childNodes]);
    else if (!this.#showRows(content)) return;
    this.#become(digest, "live-change");
  }

  #become(have, event) {
    this.hidden = event === "live-gone";
    this.setAttribute("have", have);
    this.dispatchEvent(new Event(event, { bubbles: true }));
  }

  /** @returns {boolean} false when a row that is to be shown is not there, and the whole list was asked for */
  #showRows({ order, rows }) {
    const box = this.querySelector("[data-rows]") ?? this;
    const shown = new Map(
      [...box.children].map((row) => [`${row.dataset.key} ${row.dataset.digest}`, row]),
    );
    const nodes = order.map(([key, digest]) => {
      const row = Object.hasOwn(rows, key)
        ? this.#parse(rows[key]).firstElementChild
        : shown.get(`${key} ${digest}`);
      if (row) Object.assign(row.dataset, { key, digest });
      return row;
    });
    const isWhole = nodes.every(Boolean);
    if (isWhole) {
      morphChildren(box, nodes);
    } else {
      this.setAttribute("have", "");
      this.#live.refresh(1000);
    }
    return isWhole;
  }

  /** Pushed HTML is for many pages, so its forms come without a token; this page's own goes in, by value and never by text. */
  #parse(html) {
    const content = parse(html);
    const token = document.querySelector('meta[name="csrf-token"]')?.content;
    if (token)
      for (const input of content.querySelectorAll("input[name=csrf_token]"))
        input.setAttribute("value", token);
    return content;
  }
}
