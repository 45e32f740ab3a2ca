/** The newest numbers on a host's page. Names of disks, sensors and interfaces are somebody else's: text, never HTML. */
import { bytes, degrees, duration, level, percent, rate, setText, sum } from "./units.js";

const SVG = "http://www.w3.org/2000/svg";

export function drawNow(root, state) {
  const figure = (name, text) => setText(root.querySelector(`[data-figure="${name}"]`), text);
  const gauge = (name, ratio) => {
    figure(name, percent(ratio));
    fill(root.querySelector(`[data-fill="${name}"]`), ratio);
  };
  const [memory, network, io] = ["memory", "network", "disk_io"].map((name) => state.value(name));
  gauge("cpu", state.value("cpu"));
  gauge("memory", memory?.ratio);
  gauge("swap", state.value("swap")?.ratio);
  figure("used", memory ? `${bytes(memory.used)} of ${bytes(memory.total)}` : "–");
  figure("load", state.value("load")?.map((load) => load.toFixed(2)).join(" ") ?? "–");
  figure("received", network ? rate(sum(network, "received")) : "–");
  figure("sent", network ? rate(sum(network, "sent")) : "–");
  figure("read", io ? rate(sum(io, "read")) : "–");
  figure("written", io ? rate(sum(io, "written")) : "–");
  figure("uptime", duration(state.value("uptime")));
  figure("processes", state.value("processes") == null ? "–" : String(state.value("processes")));
  drawCores(root.querySelector('[data-part="cores"]'), state.value("cpus") ?? []);
  drawRows(root.querySelector('[data-part="disks"]'), Object.entries(state.value("disks") ?? {})
    .map(([name, disk]) => [name, bytes(disk.used), bytes(disk.total), percent(disk.ratio)]));
  const heat = Object.entries(state.value("temperatures") ?? {});
  drawRows(root.querySelector('[data-part="temperatures"]'), heat.map(([name, value]) => [name, degrees(value)]));
  if (!heat.length) root.querySelector('[data-part="heat"]').hidden = true;
}

function fill(rect, ratio) {
  rect?.setAttribute("width", `${Math.round((ratio ?? 0) * 1000) / 10}%`);
  if (rect) rect.dataset.level = level(ratio ?? 0);
}

function drawCores(list, cores) {
  while (list.children.length > cores.length) list.lastElementChild.remove();
  while (list.children.length < cores.length) list.append(newCore());
  cores.forEach((ratio, number) => {
    const core = list.children[number];
    fill(core.querySelector("rect"), ratio);
    setText(core.querySelector("span"), percent(ratio));
  });
}

function newCore() {
  const core = document.createElement("li");
  const track = document.createElementNS(SVG, "svg");
  const rect = document.createElementNS(SVG, "rect");
  track.setAttribute("class", "host__track");
  track.setAttribute("aria-hidden", "true");
  rect.setAttribute("class", "host__fill");
  rect.setAttribute("height", "100%");
  track.append(rect);
  core.append(track, document.createElement("span"));
  return core;
}

/** Rows of text; cells are kept, so that a selection survives. */
export function drawRows(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((texts, place) => {
    const row = body.rows[place] ?? body.insertRow();
    texts.forEach((text, column) => setText(row.cells[column] ?? row.insertCell(), text));
  });
}
