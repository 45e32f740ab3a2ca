/**
 * Follows a topic: adds its events as they come, keeps the last 500, and asks now and then, since
 * nobody's tail ends after a while.
 *
 * <div data-behaviour="ops/tail" data-uri="ops.tail.<key>">
 *   <span data-part="seen"> <span data-part="skipped"> <span data-part="ended" hidden>
 *   <ol data-part="lines"> <li data-id="1">…</ol> <p data-part="none"> </div>
 */
import { connection, subscribe } from "wampflask";
import { partsOf, setText } from "../dom.js";
import { exactly } from "../times.js";

const KEPT = 500;
const ASK_EVERY = 60_000; // milliseconds; it ends after three minutes without
const NOBODY = "wamp.error.no_such_procedure";
const KEY = /(?<![0-9a-zA-Z])([0-9a-f]{4})[0-9a-f]{16,}(?![0-9a-zA-Z])/g; // have to be known

const shown = (text) => text.replace(KEY, "$1…");
const span = (className, text, tag = "span") =>
  Object.assign(document.createElement(tag), { className, textContent: text });

function row({ id, at, topic, by, text }) {
  const item = document.createElement("li");
  item.dataset.id = id;
  item.append(
    span("soft small number", exactly(new Date(at * 1000))),
    span("ops__uri", shown(topic).replaceAll(".", ".\u200b"), "code"),
    ...(by ? [span("ops__tag", by)] : []),
    span("ops__payload", shown(text), "code"),
  );
  return item;
}

export function connect(root) {
  const part = partsOf(root);
  const list = part("lines");
  const { uri } = root.dataset;

  const show = (state) => {
    const last = Number(list.lastElementChild?.dataset.id ?? 0);
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...state.lines.filter(({ id }) => id > last).map(row));
    while (list.children.length > KEPT) list.firstElementChild.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    setText(part("seen"), state.seen.toLocaleString("en"));
    setText(part("skipped"), state.skipped.toLocaleString("en"));
    part("ended").hidden = state.running;
    part("none").hidden = list.children.length > 0;
  };
  const failed = (error) => {
    if (error.uri === NOBODY) part("ended").hidden = false;
  };
  const ask = () => connection.call(uri, [], { patience: 0 }).then(show, failed);
  list.scrollTop = list.scrollHeight;
  const unsubscribe = subscribe(uri, show);
  const stop = connection.use(() => ask());
  const timer = setInterval(ask, ASK_EVERY);
  return () => {
    clearInterval(timer);
    stop();
    unsubscribe();
  };
}
