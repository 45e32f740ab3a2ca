/**
 * The newest numbers on a host's page. Names of disks, sensors and interfaces are not ours: text,
 * never HTML.
 */
import { partsOf, setText } from "../dom.js";
import { fill } from "./gauge.js";
import { bytes, degrees, duration, percent, rate, sum } from "./units.js";

const SVG = "http://www.w3.org/2000/svg";

export function drawNow(root, state) {
  const part = partsOf(root);
  const gauge = (name, ratio) => {
    setText(part(name), percent(ratio));
    fill(part(`${name}-fill`), ratio ?? 0);
  };
  const [memory, network, io] = ["memory", "network", "disk_io"].map((name) => state.value(name));
  gauge("cpu", state.value("cpu"));
  gauge("memory", memory?.ratio);
  gauge("swap", state.value("swap")?.ratio);
  setText(part("used"), memory ? `${bytes(memory.used)} of ${bytes(memory.total)}` : "–");
  setText(
    part("load"),
    state
      .value("load")
      ?.map((load) => load.toFixed(2))
      .join(" ") ?? "–",
  );
  setText(part("received"), rate(sum(network, "received")));
  setText(part("sent"), rate(sum(network, "sent")));
  setText(part("read"), rate(sum(io, "read")));
  setText(part("written"), rate(sum(io, "written")));
  setText(part("uptime"), duration(state.value("uptime")));
  setText(part("count"), String(state.value("processes") ?? "–"));
  drawCores(part("cores"), state.value("cpus") ?? []);
  drawRows(part("disks"), Object.entries(state.value("disks") ?? {}).map(diskRow));
  const heat = Object.entries(state.value("temperatures") ?? {});
  drawRows(
    part("temperatures"),
    heat.map(([name, value]) => [name, degrees(value)]),
  );
  if (!heat.length) part("heat").hidden = true;
}

const diskRow = ([name, disk]) => [name, bytes(disk.used), bytes(disk.total), percent(disk.ratio)];

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
