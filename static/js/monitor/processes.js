/**
 * What runs on a host, asked of its agent through the router while it is shown.
 *
 * <section data-behaviour="monitor/processes" data-host="…"> <button data-processes="toggle"> <p data-processes="said">
 *   <div data-processes="box" hidden> <select data-processes="by"> <tbody data-processes="rows"> </div> </section>
 */
import { connection } from "wampflask";
import { drawRows } from "./now.js";
import { bytes, setText } from "./units.js";

const EVERY = 3000; // ms
const LIMIT = 15;
const WORDS = { "wamp.error.no_such_procedure": "The host is offline.", "monitor.error.disabled": "The host is disabled." };

export function connect(section) {
  const part = (name) => section.querySelector(`[data-processes="${name}"]`);
  let timer = null;
  let shown = false;
  let last = null;

  const draw = () => {
    if (!last) return;
    const row = (one) => [one.name, one.user, String(one.pid), `${Math.round(one.cpu * 100)}%`, bytes(one.memory)];
    drawRows(part("rows"), last[part("by").value].map(row));
  };
  const ask = async () => {
    try {
      last = await connection.call(`monitor.host.${section.dataset.host}.processes`, [LIMIT], { patience: 0 });
      setText(part("said"), `Top ${LIMIT} of ${last.count} processes, measured every ${EVERY / 1000} seconds.`);
      draw();
    } catch (error) {
      setText(part("said"), WORDS[error.uri] ?? "The host does not answer.");
    }
    if (shown) timer = setTimeout(ask, EVERY);
  };
  const toggle = () => {
    shown = !shown;
    clearTimeout(timer);
    part("toggle").ariaExpanded = String(shown);
    setText(part("toggle"), shown ? "Hide" : "Show");
    part("box").hidden = !shown;
    setText(part("said"), shown ? "Asking the host…" : "");
    if (shown) ask();
  };
  part("toggle").addEventListener("click", toggle);
  part("by").addEventListener("change", draw);
  return () => {
    shown = false;
    clearTimeout(timer);
    part("toggle").removeEventListener("click", toggle);
    part("by").removeEventListener("change", draw);
  };
}
