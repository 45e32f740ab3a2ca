/**
 * Follows what hosts measure: their agents publish it, and number it by its time. What the hub has
 * stored of it is asked for at the page's load and after each reconnect.
 *
 * samples("monitor.clientstats.", { recall: async () => {}, report: (host, sample) => {} })
 *
 * The host comes from the topic, to which the router lets only that host's agent publish; what is
 * in a sample is untrusted.
 */
import { live } from "wampflask";

export function samples(topic, { recall, report }) {
  const apply = (all, { changed }) => changed.forEach((host) => report(host, all.get(host)));
  const hostOf = (name) => name.slice(name.lastIndexOf(".") + 1);
  return live(topic, apply, {
    kind: "rows",
    version: (sample) => sample.time,
    unpack: ([sample], name) => ({ state: { rows: { [hostOf(name)]: sample } } }),
    ask: async () => {
      await recall();
      return { state: {} };
    },
  });
}

/**
 * @returns {(part: string) => void} to call with each part that is shown; the last marks the page
 */
export function liveWith(...parts) {
  const missing = new Set(parts);
  return (part) => {
    if (missing.delete(part) && !missing.size) document.documentElement.dataset.live = "true";
  };
}
