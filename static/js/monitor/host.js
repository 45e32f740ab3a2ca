/**
 * Shows one host: numbers as they arrive, and charts whose right edge is live. What is switched off
 * disappears at once. Longer than other modules, since the live things, timers and charts of the
 * page begin and end together here.
 *
 * <div data-behaviour="monitor/host" data-host="…" data-history="/hosts/…/history.json"
 *     data-range="1h" data-board="/dashboard/">
 *   data-part: title, state, labels, applied, nothing, and those of now.js
 *   <div data-group="show_cpus">  <figure data-chart="cpu">  <a data-range="24h">
 */
import { live } from "wampflask";
import { partsOf, setText } from "../dom.js";
import { getJson } from "../get.js";
import { Charts } from "./charts.js";
import { drawState } from "./gauge.js";
import { drawNow } from "./now.js";
import { onRange } from "./ranges.js";
import { liveWith, samples } from "./samples.js";
import { HostState } from "./state.js";

const REFRESH = 60_000; // ms between two requests for what the hub has gathered
const UPLOADS = [3000, 12_000]; // ms after a host is back: it uploads what it kept in batches

export function connect(root) {
  const { host } = root.dataset;
  const part = partsOf(root);
  const charts = new Charts(root);
  const stopped = new AbortController();
  const timers = new Set();
  const state = new HostState(host);
  const shown = liveWith("settings", "presence", "samples");
  let frame = 0;
  let { range } = root.dataset;

  const draw = () => {
    frame = 0;
    if (!("title" in state.facts && "online" in state.facts)) return;
    root.dataset.state = state.state;
    setText(part("title"), state.title);
    setText(part("labels"), state.labels.join(" · "));
    setText(part("applied"), state.facts.text);
    drawState(part("state"), state);
    for (const group of root.querySelectorAll("[data-group]")) {
      group.hidden = !state.shows(group.dataset.group);
    }
    drawNow(root, state);
    charts.draw();
  };
  const schedule = () => {
    frame ||= requestAnimationFrame(draw);
  };
  const history = async () => {
    const wanted = range;
    const data = await getJson(`${root.dataset.history}?range=${wanted}`);
    if (wanted !== range || stopped.signal.aborted) return;
    charts.load(data);
    state.recall(data.latest);
    part("nothing").hidden = data.times.length > 0;
    schedule();
  };
  const refresh = () => history().catch(() => {}); // the next one tries again
  const later = (ms) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      refresh();
    }, ms);
    timers.add(timer);
  };

  const followed = [
    live(`monitor.clientconfig.${host}`, (config) => {
      if (config.removed) return location.assign(root.dataset.board);
      state.learn(config);
      shown("settings");
      schedule();
    }),
    live(
      `monitor.presence.${host}`,
      ({ online, last_seen }) => {
        if (online && state.facts.online === false) UPLOADS.forEach(later);
        state.learn({ online, last_seen });
        shown("presence");
        schedule();
      },
      { gone() {} },
    ),
    samples(`monitor.clientstats.${host}`, {
      report(_, sample) {
        if (!state.report(sample)) return;
        charts.add(sample, state);
        if (range === "1h") part("nothing").hidden = true;
        schedule();
      },
      recall: async () => {
        await history();
        shown("samples");
      },
    }),
  ];

  onRange(
    root,
    (wanted) => {
      range = wanted;
      refresh();
    },
    stopped.signal,
  );
  const ticker = setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH);
  return () => {
    followed.forEach((one) => one.stop());
    stopped.abort();
    clearInterval(ticker);
    timers.forEach(clearTimeout);
    cancelAnimationFrame(frame);
    charts.stop();
  };
}
