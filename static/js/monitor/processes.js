/**
 * What runs on a host, asked of its agent through the router while it is shown.
 *
 * <section data-behaviour="monitor/processes" data-host="…"> <button data-part="toggle">
 *   <p data-part="notice"> <div data-part="box" hidden> <select data-part="by">
 *   <tbody data-part="rows"> </div> </section>
 */
import { connection } from "wampflask";
import { partsOf, setText } from "../dom.js";
import { drawRows } from "./now.js";
import { bytes, percent } from "./units.js";

const EVERY = 3000; // ms
const LIMIT = 15;
const WORDS = {
  "wamp.error.no_such_procedure": "This host is offline.",
  "monitor.error.disabled": "This host is disabled.",
};

const row = ({ name, user, pid, cpu, memory }) => [
  name,
  user,
  String(pid),
  percent(cpu),
  bytes(memory),
];

export function connect(section) {
  const part = partsOf(section);
  let timer = null;
  let shown = false;
  let last = null;

  const draw = () => {
    if (!last) return;
    drawRows(part("rows"), last[part("by").value].map(row));
  };
  const ask = async () => {
    try {
      const procedure = `monitor.host.${section.dataset.host}.processes`;
      last = await connection.call(procedure, [LIMIT], { patience: 0 });
      const top = `Top ${LIMIT} of ${last.count} processes`;
      setText(part("notice"), `${top}, updated every ${EVERY / 1000} seconds.`);
      draw();
    } catch (error) {
      setText(part("notice"), WORDS[error.uri] ?? "This host isn't responding.");
    }
    if (shown) timer = setTimeout(ask, EVERY);
  };
  const toggle = () => {
    shown = !shown;
    clearTimeout(timer);
    part("toggle").ariaExpanded = String(shown);
    setText(part("toggle"), shown ? "Hide processes" : "Show processes");
    part("box").hidden = !shown;
    setText(part("notice"), shown ? "Loading…" : "");
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
