/**
 * One host's page: numbers as they come, charts with a live right edge, alerts, and what is switched off gone at once.
 *
 * <div data-behaviour="monitor/host" data-host="…" data-snapshot="…" data-history="…" data-range="1h">
 *   [data-part] [data-figure] [data-fill] [data-group], figures [data-chart], links [data-range-of], [data-monitor="alerts"]
 */
import { AlertList } from "./alert_list.js";
import { Charts } from "./charts.js";
import { fetchJson, follow } from "./feed.js";
import { drawNow } from "./now.js";
import { HostState } from "./state.js";
import { moment, setText } from "./units.js";

const REFRESH = 60_000; // ms: what the hub has gathered meanwhile
const HANDOVER = 3000; // ms after a host is back, and later again: what it kept comes in batches
const WORDS = { online: "Online", disabled: "Disabled" };

export function connect(root) {
  const { host } = root.dataset;
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const alerts = new AlertList(root.querySelector('[data-monitor="alerts"]'));
  const charts = new Charts(root);
  const controls = new AbortController();
  const timers = new Set();
  let state = null;
  let frame = 0;
  let range = root.dataset.range;

  const draw = () => {
    frame = 0;
    if (!state) return;
    root.dataset.state = state.state;
    setText(part("title"), state.title);
    setText(part("labels"), state.labels.join(" · "));
    setText(part("applied"), state.config.text);
    setText(part("state"), WORDS[state.state] ?? `Offline, last seen ${moment(state.presence.last_seen)}`);
    for (const group of root.querySelectorAll("[data-group]")) group.hidden = state.config[group.dataset.group] === false;
    drawNow(root, state);
    charts.draw();
  };
  const schedule = () => { frame ||= requestAnimationFrame(draw); };
  const history = async () => {
    const wanted = range;
    const data = await fetchJson(`${root.dataset.history}?range=${wanted}`);
    if (wanted !== range || controls.signal.aborted) return;
    charts.load(data);
    part("nothing").hidden = data.times.length > 0;
    schedule();
  };
  const later = (ms) => {
    const timer = setTimeout(() => { timers.delete(timer); history().catch(() => {}); }, ms);
    timers.add(timer);
  };

  const feed = follow({
    [`monitor.clientstats.${host}`]: (_, sample) => {
      if (!state?.report(sample)) return;
      charts.add(sample, state);
      if (range === "1h") part("nothing").hidden = true;
      schedule();
    },
    [`monitor.clientconfig.${host}`]: (_, config) => {
      if (config.removed) return location.assign(root.dataset.board);
      state?.configure(config);
      schedule();
    },
    [`monitor.presence.${host}`]: (_, presence) => {
      const was = state?.presence.online;
      state?.appear(presence);
      if (!was && state?.presence.online) [1, 4].forEach((times) => later(HANDOVER * times));
      schedule();
    },
    [`monitor.alert.${host}`]: (_, alert) => alerts.take(alert),
  }, {
    snapshot: async () => {
      const [data] = await Promise.all([fetchJson(root.dataset.snapshot), history()]);
      return data;
    },
    apply(data) {
      state = state?.load(data.card) ?? new HostState(data.card);
      alerts.load(data.alerts);
      document.documentElement.dataset.live = "true";
      schedule();
    },
  });

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
    feed.stop();
    controls.abort();
    clearInterval(ticker);
    timers.forEach(clearTimeout);
    cancelAnimationFrame(frame);
    charts.stop();
  };
}
