/** How a chart looks: the options of uPlot, which writes labels as text. */
import uPlot from "../../vendor/uplot.js";
import { exactly } from "../times.js";
import { ink, wash } from "./ink.js";

export const HEIGHT = 190;
const INKS = [1, 2, 3, 5, 6, 7, 4, 8].map((number) => `choice-${number}`);
const inkOf = (place) => INKS[place % INKS.length];

/** What uPlot draws of a Series: times, then for each name the mean, and with bands its edges. */
export function columns(series) {
  const kinds = series.bands ? ["mean", "max", "min"] : ["mean"];
  const found = series.names.flatMap((name) => kinds.map((kind) => series.column(name, kind)));
  return [series.times, ...found];
}

/** @param kind one of kinds.js  @param {Series} series */
export function plot(element, kind, series) {
  const { names, bands } = series;
  const line = { stroke: () => ink("line"), width: 1 };
  const axis = { stroke: () => ink("ink-soft"), grid: line, ticks: line, font: "12px system-ui" };
  const moment = { value: (_, time) => (time == null ? "–" : exactly(new Date(time * 1000))) };
  const options = {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    legend: { live: true },
    bands: bands ? names.map((_, place) => band(place)) : [],
    series: [moment, ...names.flatMap((name, place) => lines(name, place, kind, bands))],
    scales: {
      x: { range: () => period(series) },
      y: { range: (_, __, high) => [0, kind.most ?? Math.max(high * 1.1, 0.1)] },
    },
    axes: [axis, { ...axis, size: 74, values: (_, marks) => marks.map(kind.write) }],
  };
  return new uPlot(options, columns(series), element);
}

function period({ times, seconds }) {
  const now = Math.max(Date.now() / 1000, times.at(-1) ?? 0);
  return [now - seconds, now];
}

const band = (place) => ({
  series: [3 * place + 2, 3 * place + 3],
  fill: () => wash(inkOf(place)),
});

function lines(name, place, { series, prefix, write }, bands) {
  const label = series?.[name] ?? name.slice(prefix.length);
  const colour = inkOf(place);
  const common = { value: (_, number) => write(number), points: { show: false } };
  const line = { ...common, label, stroke: () => ink(colour), width: 1.75, spanGaps: false };
  if (!bands) return [line];
  const edge = (what) => ({
    ...common,
    label: `${label} ${what}`,
    stroke: () => wash(colour),
    width: 1,
  });
  return [line, edge("max"), edge("min")];
}
