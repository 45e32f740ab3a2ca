/**
 * The remote of the player whose id stands after the # of the address.
 *
 * <section data-behaviour="player/remote" data-where="connecting">
 *   <p data-remote="message" role="status">  <h1 data-remote="title">  <p data-remote="trouble" role="alert" hidden>
 *   <button data-remote="toggle">, previous, next, mute   <button data-remote="back" data-seconds="-10">, forward   <input type="range" data-remote="seek">, volume   <span data-remote="position">, duration
 *   <ol data-remote="items">, <template data-remote="item"><li><button></li></template>
 */
import { setText } from "../polls/bars.js";
import { clock, spoken } from "./clock.js";
import { Following } from "./following.js";
import { markCurrent } from "./items.js";
import { slider } from "./slider.js";

const WORDS = {
  connecting: "Connecting…",
  here: "",
  away: "The player is gone. The remote goes on by itself when it is back; if it shows a new code, scan that.",
  asleep: "The player does not answer. Its screen may be asleep.",
  renewed: "The player has a new code: scan it again.",
  none: "This remote belongs to no player. Open the player on a screen and scan its code.",
};

/** Seconds that a key moves the position: the slider's own step is for fingers, and keys would take it, too. */
const KEYS = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5 };

export function connect(section) {
  const part = (name) => section.querySelector(`[data-remote="${name}"]`);
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
    const passed = state.playing && !state.waiting && following.where === "here" ? (performance.now() - since) / 1000 : 0;
    const position = Math.min(state.position + passed, state.duration ?? Infinity);
    seek(position);
    setText(part("position"), clock(Number(part("seek").value)));
    part("seek").setAttribute("aria-valuetext", spoken(Number(part("seek").value)));
  };
  /** As if the slider had been moved: it keeps to its ends, and presses in a row add up. */
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
    drawTrouble(part("trouble"), state);
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
  for (const name of ["back", "forward"]) part(name).addEventListener("click", () => skip(Number(part(name).dataset.seconds)));
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

function drawTrouble(line, state) {
  const words = state.error ?? (state.silenced ? "No sound yet: the player's browser wants one click on its page first." : "");
  line.hidden = !words;
  setText(line, words);
}

/** Rows are made anew only when the list is another, so that a reader's place stays. */
function drawItems(list, template, state) {
  const titles = state.items ?? [];
  if (titles.length !== list.children.length || titles.some((title, place) => list.children[place].textContent.trim() !== title.trim())) {
    list.replaceChildren(...titles.map((title) => {
      const row = template.content.firstElementChild.cloneNode(true);
      row.querySelector("button").textContent = title;
      return row;
    }));
  }
  markCurrent([...list.querySelectorAll("button")], state.index);
}
