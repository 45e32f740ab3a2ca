/**
 * One host's page: numbers as they come, charts with a live right edge, and what is switched off gone at once.
 *
 * <div data-behaviour="monitor/host" data-host="…" data-history="…" data-range="1h">
 *   [data-part] [data-figure] [data-fill] [data-group], figures [data-chart], links [data-range-of]
 */
import { live } from "wampflask";
import { Charts } from "./charts.js";
import { drawNow } from "./now.js";
import { fetchJson, liveWith, samples } from "./samples.js";
import { HostState } from "./state.js";
import { moment, setText } from "./units.js";

const REFRESH = 60_000; // ms: what the hub has gathered meanwhile
const HANDOVER = 3000; // ms after a host is back, and later again: what it kept comes in batches
const WORDS = { online: "Online", disabled: "Disabled" };

export function connect(root) {
  const { host } = root.dataset;
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const charts = new Charts(root);
  const controls = new AbortController();
  const timers = new Set();
  const state = new HostState(host);
  const shown = liveWith("settings", "presence", "samples");
  let frame = 0;
  let range = root.dataset.range;

  const draw = () => {
    frame = 0;
    if (!("title" in state.facts && "online" in state.facts)) return;
    root.dataset.state = state.state;
    setText(part("title"), state.title);
    setText(part("labels"), state.labels.join(" · "));
    setText(part("applied"), state.facts.text);
    setText(part("state"), WORDS[state.state] ?? `Offline, last seen ${moment(state.facts.last_seen)}`);
    for (const group of root.querySelectorAll("[data-group]")) group.hidden = !state.shows(group.dataset.group);
    drawNow(root, state);
    charts.draw();
  };
  const schedule = () => { frame ||= requestAnimationFrame(draw); };
  const history = async () => {
    const wanted = range;
    const data = await fetchJson(`${root.dataset.history}?range=${wanted}`);
    if (wanted !== range || controls.signal.aborted) return;
    charts.load(data);
    state.recall(data.latest);
    part("nothing").hidden = data.times.length > 0;
    schedule();
  };
  const later = (ms) => {
    const timer = setTimeout(() => { timers.delete(timer); history().catch(() => {}); }, ms);
    timers.add(timer);
  };

  const followed = [
    live(`monitor.clientconfig.${host}`, (config) => {
      if (config.removed) return location.assign(root.dataset.board);
      state.learn(config);
      shown("settings");
      schedule();
    }),
    live(`monitor.presence.${host}`, ({ online, last_seen }) => {
      if (online && state.facts.online === false) [1, 4].forEach((times) => later(HANDOVER * times));
      state.learn({ online, last_seen });
      shown("presence");
      schedule();
    }, { gone() {} }),
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

  const links = [...root.querySelectorAll("[data-range-of]")];
  for (const link of links) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      range = link.dataset.rangeOf;
      links.forEach((one) => (one === link ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current")));
      window.history.replaceState(null, "", link.href);
      history().catch(() => {});
    }, { signal: controls.signal });
  }
  const ticker = setInterval(() => { if (document.visibilityState === "visible") history().catch(() => {}); }, REFRESH);
  return () => {
    followed.forEach((one) => one.stop());
    controls.abort();
    clearInterval(ticker);
    timers.forEach(clearTimeout);
    cancelAnimationFrame(frame);
    charts.stop();
  };
}
