/**
 * What each chart shows: its series with their names, how numbers are written, where the scale
 * ends, and what a host's state adds live. With a prefix, there is a series for each thing found.
 */
import { degrees, most, percent, rate, sum } from "./units.js";

const plain = (value) => (value == null ? "–" : value.toFixed(2));

export const KINDS = {
  cpu: {
    series: { cpu: "CPU" },
    write: percent,
    most: 1,
    take: (state) => ({ cpu: state.value("cpu") }),
  },
  memory: {
    series: { memory: "Memory", swap: "Swap" },
    write: percent,
    most: 1,
    take: (state) => ({
      memory: state.value("memory")?.ratio,
      swap: state.value("swap")?.ratio,
    }),
  },
  disk: {
    prefix: "disk:",
    write: percent,
    most: 1,
    take: (state) => {
      const disks = Object.entries(state.value("disks") ?? {});
      return Object.fromEntries(disks.map(([name, { ratio }]) => [`disk:${name}`, ratio]));
    },
  },
  network: {
    series: { "network:received": "In", "network:sent": "Out" },
    write: rate,
    take: (state) => totals(state, "network", ["received", "sent"]),
  },
  disk_io: {
    series: { "disk_io:read": "Read", "disk_io:written": "Written" },
    write: rate,
    take: (state) => totals(state, "disk_io", ["read", "written"]),
  },
  load: {
    series: { load: "Load" },
    write: plain,
    take: (state) => ({ load: state.value("load")?.[0] }),
  },
  temperature: {
    series: { temperature: "Highest" },
    write: degrees,
    take: (state) => ({ temperature: most(state.value("temperatures")) }),
  },
};

function totals(state, group, fields) {
  const things = state.value(group);
  return Object.fromEntries(fields.map((field) => [`${group}:${field}`, sum(things, field)]));
}
