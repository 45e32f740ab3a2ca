/**
 * The player: a video that anyone with its code can control.
 *
 * <section data-behaviour="player/stage" data-state="pairing|ready">
 *   <video>  <p data-part="trouble" role="alert" hidden>  <button data-part="sound" hidden>
 *   <ol data-part="items"> <li><button data-src="…" data-type="video/webm">title</button> … </ol>
 *   <div data-part="pairing"> as in pairing.js  <button data-part="renew">
 */
import { partsOf, setLine } from "../dom.js";
import { Deck } from "./deck.js";
import { markCurrent } from "./items.js";
import { showOnLockScreen } from "./media_session.js";
import { Remotes } from "./remotes.js";

const STILL_THERE = 5000; // ms between two states while it plays, against drift
const UNPAIRED =
  "No remote can connect to this page. Allow cookies for this site, then get a new code.";

export function connect(section) {
  const part = partsOf(section);
  const buttons = [...part("items").querySelectorAll("button")];
  const items = buttons.map(({ textContent: title, dataset: { src, type } }) => ({
    title,
    src,
    type,
  }));
  const deck = new Deck(section.querySelector("video"), items);
  const remotes = new Remotes(deck, part("pairing"));
  const lockScreen = showOnLockScreen(deck);

  const draw = () => {
    const state = deck.state();
    section.dataset.state = remotes.ready ? "ready" : "pairing";
    setLine(part("trouble"), state.error ?? (remotes.refused ? UNPAIRED : ""));
    part("sound").hidden = !state.silenced;
    markCurrent(buttons, state.index);
    lockScreen(state);
  };
  const changed = () => {
    draw();
    remotes.changed();
  };
  const renew = async () => {
    part("renew").disabled = true;
    await remotes.renew();
    part("renew").disabled = false;
  };
  const pick = (event) => {
    const place = buttons.indexOf(event.target.closest("button"));
    if (place < 0) return;
    deck.select(place);
    deck.play().catch(() => {});
  };
  const touched = () => deck.touched();
  const beat = setInterval(() => deck.state().playing && changed(), STILL_THERE);
  deck.addEventListener("change", changed);
  remotes.addEventListener("change", draw);
  part("items").addEventListener("click", pick);
  part("renew").addEventListener("click", renew);
  addEventListener("pointerdown", touched);
  addEventListener("keydown", touched);
  draw();
  renew();
  return () => {
    remotes.stop();
    clearInterval(beat);
    removeEventListener("pointerdown", touched);
    removeEventListener("keydown", touched);
  };
}
