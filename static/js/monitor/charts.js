/**
 * The charts of a host's page: means, with the least and greatest as a band where the hub has
 * averaged; a live tail in the last hour.
 *
 * <figure data-chart="cpu"> <div data-part="plot"></div> </figure>
 */
import { partsOf } from "../dom.js";
import { onTheme } from "./ink.js";
import { KINDS } from "./kinds.js";
import { HEIGHT, columns, plot } from "./plot.js";
import { Series } from "./series.js";

export class Charts {
  #charts;

  constructor(root) {
    const figures = [...root.querySelectorAll("[data-chart]")];
    this.#charts = figures.map((figure) => new Chart(figure, KINDS[figure.dataset.chart]));
  }

  load(data) {
    this.#charts.forEach((chart) => chart.load(data));
  }

  add(sample, state) {
    this.#charts.forEach((chart) => chart.add(sample.time, state));
  }

  draw() {
    this.#charts.forEach((chart) => chart.draw());
  }

  stop() {
    this.#charts.forEach((chart) => chart.destroy());
  }
}

class Chart {
  #figure;
  #element;
  #kind;
  #series = new Series();
  #plot = null;
  #stale = true;
  #sizes;
  #stopTheme;

  constructor(figure, kind) {
    this.#figure = figure;
    this.#element = partsOf(figure)("plot");
    this.#kind = kind;
    this.#sizes = new ResizeObserver(() => {
      const width = this.#element.clientWidth;
      if (width && width !== this.#plot?.width) this.#plot?.setSize({ width, height: HEIGHT });
    });
    this.#sizes.observe(this.#element);
    this.#stopTheme = onTheme(() => this.#plot?.redraw());
  }

  load(history) {
    const { prefix, series } = this.#kind;
    const found = Object.keys(history.series).filter((name) => name.startsWith(prefix));
    this.#series.load(history, series ? Object.keys(series) : found);
    this.#stale = true;
    this.#figure.classList.toggle("chart--nothing", this.#series.isEmpty);
  }

  add(time, state) {
    if (!this.#series.isNews(time)) return;
    const values = this.#kind.take(state);
    if (this.#kind.prefix && this.#series.meet(Object.keys(values))) this.#stale = true;
    this.#series.add(time, values);
    const known = this.#series.names.some((name) => values[name] != null);
    if (known) this.#figure.classList.remove("chart--nothing");
  }

  draw() {
    if (this.#figure.hidden || !this.#element.clientWidth) return;
    if (this.#stale) this.#make();
    else this.#plot?.setData(columns(this.#series));
  }

  destroy() {
    this.#sizes.disconnect();
    this.#stopTheme();
    this.#plot?.destroy();
  }

  #make() {
    this.#stale = false;
    this.#plot?.destroy();
    this.#plot = plot(this.#element, this.#kind, this.#series);
  }
}
