/**
 * The charts of a host's page: means, with the least and greatest as a band where the hub has averaged; a live tail in the last hour.
 *
 * <figure data-chart="cpu"> <div data-chart-plot></div> </figure>
 */
import uPlot from "../../vendor/uplot.js";
import { ink, onTheme, wash } from "./ink.js";
import { bytes, degrees, percent, rate, sum } from "./units.js";

const HEIGHT = 190;
const INKS = ["choice-1", "choice-2", "choice-3", "choice-5", "choice-6", "choice-7", "choice-4", "choice-8"];
const LIVE = 3600; // seconds that the live range shows
const plain = (value) => (value == null ? "–" : value.toFixed(2));

/** By chart: series and their names, how numbers are written, the scale, and the sample's part for the live tail. */
const KINDS = {
  cpu: { series: { cpu: "CPU" }, write: percent, most: 1, take: (state) => ({ cpu: state.value("cpu") }) },
  memory: {
    series: { memory: "Memory", swap: "Swap" }, write: percent, most: 1,
    take: (state) => ({ memory: state.value("memory")?.ratio, swap: state.value("swap")?.ratio }),
  },
  disk: {
    prefix: "disk:", write: percent, most: 1,
    take: (state) => Object.fromEntries(Object.entries(state.value("disks") ?? {}).map(([name, disk]) => [`disk:${name}`, disk.ratio])),
  },
  network: {
    series: { "network:received": "In", "network:sent": "Out" }, write: rate,
    take: (state) => state.value("network") && { "network:received": sum(state.value("network"), "received"), "network:sent": sum(state.value("network"), "sent") },
  },
  disk_io: {
    series: { "disk_io:read": "Read", "disk_io:written": "Written" }, write: rate,
    take: (state) => state.value("disk_io") && { "disk_io:read": sum(state.value("disk_io"), "read"), "disk_io:written": sum(state.value("disk_io"), "written") },
  },
  load: { series: { load: "Load" }, write: plain, take: (state) => ({ load: state.value("load")?.[0] }) },
  temperature: {
    series: { temperature: "Highest" }, write: degrees,
    take: (state) => state.value("temperatures") && { temperature: Math.max(...Object.values(state.value("temperatures"))) },
  },
};

export class Charts {
  #charts;

  constructor(root) {
    this.#charts = [...root.querySelectorAll("[data-chart]")].map((figure) => new Chart(figure, KINDS[figure.dataset.chart]));
  }

  load(data) { this.#charts.forEach((chart) => chart.load(data)); }

  add(sample, state) { this.#charts.forEach((chart) => chart.add(sample.time, state)); }

  draw() { this.#charts.forEach((chart) => chart.draw()); }

  stop() { this.#charts.forEach((chart) => chart.destroy()); }
}

class Chart {
  #figure;
  #element;
  #kind;
  #plot = null;
  #names = [];
  #times = [];
  #columns = {};
  #bands = false;
  #seconds = LIVE;
  #stale = true;
  #sizes;
  #stopTheme;

  constructor(figure, kind) {
    this.#figure = figure;
    this.#element = figure.querySelector("[data-chart-plot]");
    this.#kind = kind;
    this.#sizes = new ResizeObserver(() => {
      const width = this.#element.clientWidth;
      if (this.#plot && width && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
    });
    this.#sizes.observe(this.#element);
    this.#stopTheme = onTheme(() => this.#plot?.redraw());
  }

  load({ times, series, span, range }) {
    const { prefix, series: fixed } = this.#kind;
    const names = fixed ? Object.keys(fixed) : Object.keys(series).filter((name) => name.startsWith(prefix));
    this.#bands = span >= 60;
    this.#seconds = { "1h": 3600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 }[range];
    const newest = times.at(-1) ?? 0;
    const tail = range === "1h" ? this.#tail(newest) : { times: [], columns: {} };
    this.#names = names;
    this.#times = [...times, ...tail.times];
    this.#columns = {};
    const empty = times.map(() => null);
    for (const name of names) {
      const known = series[name] ?? { mean: empty, min: empty, max: empty };
      for (const kind of ["mean", "min", "max"]) {
        this.#columns[`${name} ${kind}`] = [...known[kind], ...(tail.columns[name] ?? tail.times.map(() => null))];
      }
    }
    this.#stale = true;
    this.#figure.classList.toggle("chart--nothing", !names.some((name) => this.#columns[`${name} mean`].some((value) => value != null)));
  }

  /** Live points that the hub has not stored yet. */
  #tail(newest) {
    const first = this.#times.findIndex((time) => time > newest + 0.001);
    if (first < 0 || this.#seconds !== LIVE) return { times: [], columns: {} };
    const columns = Object.fromEntries(this.#names.map((name) => [name, this.#columns[`${name} mean`].slice(first)]));
    return { times: this.#times.slice(first), columns };
  }

  add(time, state) {
    if (this.#seconds !== LIVE || time <= (this.#times.at(-1) ?? 0)) return;
    const values = this.#kind.take(state) ?? {};
    if (this.#kind.prefix) this.#meet(Object.keys(values));
    if (this.#names.some((name) => values[name] != null)) this.#figure.classList.remove("chart--nothing");
    this.#times.push(time);
    for (const name of this.#names) {
      for (const kind of ["mean", "min", "max"]) this.#columns[`${name} ${kind}`]?.push(values[name] ?? null);
    }
    while (this.#times[0] < time - LIVE) {
      this.#times.shift();
      Object.values(this.#columns).forEach((column) => column.shift());
    }
  }

  /** Disks that the history has not told of yet. */
  #meet(names) {
    for (const name of names.filter((one) => !this.#names.includes(one))) {
      this.#names.push(name);
      for (const kind of ["mean", "min", "max"]) this.#columns[`${name} ${kind}`] = this.#times.map(() => null);
      this.#stale = true;
    }
  }

  draw() {
    if (this.#figure.hidden || !this.#element.clientWidth) return;
    if (this.#stale) this.#make();
    else this.#plot?.setData(this.#data());
  }

  destroy() {
    this.#sizes.disconnect();
    this.#stopTheme();
    this.#plot?.destroy();
  }

  #data() {
    const kinds = this.#bands ? ["mean", "max", "min"] : ["mean"];
    return [this.#times, ...this.#names.flatMap((name) => kinds.map((kind) => this.#columns[`${name} ${kind}`]))];
  }

  #make() {
    this.#stale = false;
    this.#plot?.destroy();
    const { write, most, series, prefix } = this.#kind;
    const lines = this.#names.flatMap((name, place) => this.#lines(series?.[name] ?? name.slice(prefix.length), INKS[place % INKS.length]));
    const bands = this.#bands ? this.#names.map((_, place) => ({ series: [3 * place + 2, 3 * place + 3], fill: () => wash(INKS[place % INKS.length]) })) : [];
    const seconds = this.#seconds;
    const axis = { stroke: () => ink("ink-soft"), grid: { stroke: () => ink("line"), width: 1 }, ticks: { stroke: () => ink("line"), width: 1 }, font: "12px system-ui" };
    this.#plot = new uPlot({
      width: this.#element.clientWidth, height: HEIGHT, cursor: { drag: { x: false, y: false } },
      legend: { live: true }, bands, series: [{ value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" }, ...lines],
      scales: { x: { range: () => { const now = Math.max(Date.now() / 1000, this.#times.at(-1) ?? 0); return [now - seconds, now]; } }, y: { range: (_, __, high) => [0, most ?? Math.max(high * 1.1, 0.1)] } },
      axes: [axis, { ...axis, size: 74, values: (_, marks) => marks.map(write) }],
    }, this.#data(), this.#element);
  }

  /** uPlot writes labels as text. */
  #lines(label, colour) {
    const value = (_, number) => this.#kind.write(number);
    const line = { label, value, stroke: () => ink(colour), width: 1.75, points: { show: false }, spanGaps: false };
    if (!this.#bands) return [line];
    const edge = (what) => ({ label: `${label} ${what}`, value, stroke: () => wash(colour), width: 1, points: { show: false } });
    return [line, edge("max"), edge("min")];
  }
}
