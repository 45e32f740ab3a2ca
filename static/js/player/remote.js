/**
 * Controls the player whose id stands after the # of the address. Longer than other modules, since
 * every control of the page is connected with its action here.
 *
 * <section data-behaviour="player/remote" data-where="connecting">
 *   <p data-part="message" role="status">  <h1 data-part="title">
 *   <p data-part="trouble" role="alert" hidden>
 *   <button data-part="toggle">, previous, next, mute
 *   <button data-part="back" data-seconds="-10">, forward
 *   <input type="range" data-part="seek">, volume   <span data-part="position">, duration
 *   <ol data-part="items">, <template data-part="item"><li><button></li></template>
 */
import { partsOf, setLine, setText } from "../dom.js";
import { clock, spoken } from "./clock.js";
import { Following } from "./following.js";
import { drawItems } from "./items.js";
import { slider } from "./slider.js";

const WORDS = {
  connecting: "Connecting…",
  here: "",
  away:
    "Player disconnected. This remote reconnects by itself. " +
    "If the player shows a new code, scan it.",
  asleep: "The player isn't responding. Its screen may be asleep.",
  renewed: "The player has a new code. Scan it to reconnect.",
  none: "This remote isn't connected to a player. Open the player on a screen and scan its code.",
};

const SILENCED = "No sound yet: click anywhere on the player's page to allow it.";

/** Seconds that a key moves the position: the slider's own step is for fingers. */
const KEYS = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5 };

export function connect(section) {
  const part = partsOf(section);
  const player = location.hash.slice(1);
  const show = (where) => {
    section.dataset.where = where;
    setText(part("message"), WORDS[where]);
    part("controls").disabled = where !== "here";
  };
  addEventListener("hashchange", () => location.reload());
  if (!/^[0-9a-f]{32}$/.test(player)) {
    show("none");
    return;
  }

  const following = new Following(player);
  const act = (action, ...args) => following.call(action, ...args).catch(() => following.look());
  const seek = slider(part("seek"), (seconds) => act("seek", seconds));
  const volume = slider(part("volume"), (percent) => act("volume", percent / 100));

  const move = () => {
    const { state, since } = following;
    if (!state) return;
    const moves = state.playing && !state.waiting && following.where === "here";
    const passed = moves ? (performance.now() - since) / 1000 : 0;
    seek(Math.min(state.position + passed, state.duration ?? Infinity));
    const shown = Number(part("seek").value);
    setText(part("position"), clock(shown));
    part("seek").setAttribute("aria-valuetext", spoken(shown));
  };
  /** Moves the slider, so that the position stays within its ends and repeated presses add up. */
  const skip = (seconds) => {
    part("seek").value = Number(part("seek").value) + seconds;
    part("seek").dispatchEvent(new Event("input"));
    move();
  };
  const draw = () => {
    show(following.where);
    const { state } = following;
    if (!state) return;
    setText(part("title"), state.title);
    section.dataset.playing = String(state.playing);
    part("toggle").setAttribute("aria-label", state.playing ? "Pause" : "Play");
    part("mute").setAttribute("aria-pressed", String(state.muted));
    part("seek").max = state.duration ?? 0;
    for (const name of ["seek", "back", "forward"]) part(name).disabled = !state.duration;
    setText(part("duration"), clock(state.duration ?? NaN));
    part("next").disabled = state.index + 1 >= state.count;
    volume(Math.round(state.volume * 100));
    setLine(part("trouble"), state.error ?? (state.silenced ? SILENCED : ""));
    drawItems(part("items"), part("item"), state);
    move();
  };
  following.addEventListener("change", draw);
  part("toggle").addEventListener("click", () => act(following.state?.playing ? "pause" : "play"));
  part("seek").addEventListener("keydown", (event) => {
    if (!(event.key in KEYS) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    skip(KEYS[event.key]);
  });
  for (const button of [part("back"), part("forward")]) {
    button.addEventListener("click", () => skip(Number(button.dataset.seconds)));
  }
  part("previous").addEventListener("click", () => act("previous"));
  part("next").addEventListener("click", () => act("next"));
  part("mute").addEventListener("click", () => act("mute", !following.state?.muted));
  part("items").addEventListener("click", (event) => {
    const place = [...part("items").children].indexOf(event.target.closest("li"));
    if (place >= 0) act("select", place);
  });
  setInterval(move, 250);
  draw();
}
