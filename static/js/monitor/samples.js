/**
 * Follows what hosts measure: their agents publish it, and number it by its time. What the hub has stored of it is asked for at the
 * page's load and after each reconnect.
 *
 * samples("monitor.clientstats.", { recall: async () => {}, report: (host, sample) => {} })
 *
 * The host comes from the topic, which the router lets only that host's agent publish to; what stands in a sample is only somebody's word.
 */
import { live } from "wampflask";

export function samples(topic, { recall, report }) {
  return live(topic, (all, { changed }) => changed.forEach((host) => report(host, all.get(host))), {
    kind: "rows",
    version: (sample) => sample.time,
    unpack: ([sample], where) => ({ state: { rows: { [where.slice(where.lastIndexOf(".") + 1)]: sample } } }),
    ask: async () => {
      await recall();
      return { state: {} };
    },
  });
}

export async function fetchJson(url) {
  const answer = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" } });
  if (answer.redirected || !answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.json();
}

/** @returns {(part: string) => void} to be told of each part that is shown; with the last one the page is marked as live */
export function liveWith(...parts) {
  const missing = new Set(parts);
  return (part) => {
    if (missing.delete(part) && !missing.size) document.documentElement.dataset.live = "true";
  };
}
