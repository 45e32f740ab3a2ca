/**
 * A sparkline: CPU and memory of the last minutes, 0 to 100 %. Made when it is seen first; data is
 * kept also while it is not.
 */
import uPlot from "../../vendor/uplot.js";
import { ink, onTheme, wash } from "./ink.js";

const SECONDS = 300;
const HEIGHT = 44;

export class Spark {
  #rows = [];
  #plot = null;
  #element;
  #stop = null;

  constructor(element) {
    this.#element = element;
  }

  load(rows) {
    this.#rows = rows.map(([time, cpu, memory]) => [time, cpu, memory]);
  }

  add(time, cpu, memory) {
    if (this.#rows.length && time <= this.#rows.at(-1)[0]) return;
    this.#rows.push([time, cpu ?? null, memory ?? null]);
    const since = time - SECONDS;
    if (this.#rows[0][0] < since) this.#rows = this.#rows.filter(([then]) => then >= since);
  }

  draw() {
    const data = [0, 1, 2].map((column) => this.#rows.map((row) => row[column]));
    if (!this.#plot) this.#make(data);
    else this.#plot.setData(data);
  }

  destroy() {
    this.#stop?.();
    this.#plot?.destroy();
    this.#plot = null;
  }

  #make(data) {
    const width = this.#element.clientWidth;
    if (!width) return;
    const line = (name, fill) => ({
      stroke: () => ink(name),
      fill: fill && (() => wash(name)),
      width: 1.5,
      points: { show: false },
    });
    this.#plot = new uPlot(
      {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        padding: [2, 0, 2, 0],
        axes: [{ show: false }, { show: false }],
        scales: {
          x: { range: (_, __, newest) => [newest - SECONDS, newest] },
          y: { range: [0, 1] },
        },
        series: [{}, line("choice-1", true), line("choice-3", false)],
      },
      data,
      this.#element,
    );
    this.#stop = onTheme(() => this.#plot?.redraw());
  }
}
