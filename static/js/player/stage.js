/**
 * The player: a video that whoever knows its code may steer.
 *
 * <section data-behaviour="player/stage">
 *   <video>  <p data-player="trouble" role="alert" hidden>  <button data-player="sound" hidden>  <button data-player="renew">
 *   <ol data-player="items"> <li><button data-src="…" data-type="video/webm">title</button></li> … </ol>
 *   what pairing.js needs
 */
import { connection } from "wampflask";
import { pause } from "../backoff.js";
import { Deck } from "./deck.js";
import { markCurrent } from "./items.js";
import { pair } from "./pairing.js";
import { showOnLockScreen } from "./media_session.js";

const ACTIONS = ["play", "pause", "volume", "mute", "seek", "select", "next", "previous"];
const TOGETHER = 60; // ms: changes so close to each other are told once
const TRIES = 3; // codes in a row that are refused before the page gives up
const STILL_THERE = 5000; // ms between two states while it plays, against drift

export function connect(section) {
  const part = (name) => section.querySelector(`[data-player="${name}"]`);
  const buttons = [...part("items").querySelectorAll("button")];
  const video = section.querySelector("video");
  const deck = new Deck(video, buttons.map((button) => ({ title: button.textContent, src: button.dataset.src, type: button.dataset.type })));
  const lockScreen = showOnLockScreen(deck);
  let player = null;
  let refused = 0;
  let told = 0;
  let timer = null;

  const say = (state) => connection.session?.publish(`player.${player}.state`, [state]).catch(() => {});
  const tell = () => {
    timer = null;
    told = performance.now();
    if (player) say(deck.state());
  };
  const draw = () => {
    const state = deck.state();
    const trouble = state.error ?? (refused > TRIES ? "No remote can be paired with this page. Allow it cookies, then ask for a new code." : "");
    part("trouble").hidden = !trouble;
    part("trouble").textContent = trouble;
    part("sound").hidden = !state.silenced;
    markCurrent(buttons, state.index);
    lockScreen(state);
  };
  const changed = () => {
    draw();
    if (timer) return;
    if (performance.now() - told > TOGETHER) tell();
    else timer = setTimeout(tell, TOGETHER);
  };

  /** An old session of ours may hold the names until the router misses it; a claim that is refused is for another log-in. */
  const register = async (session, action) => {
    for (;;) {
      try {
        return await session.register(`player.${player}.${action}`, (args) => deck[action](...args));
      } catch (error) {
        if (error.uri !== "wamp.error.procedure_already_exists" || !session.alive) throw error;
        await pause(1000);
      }
    }
  };
  const serve = async (session) => {
    if (!player) return;
    try {
      await Promise.all(ACTIONS.map((action) => register(session, action)));
      await register(session, "status");
      section.dataset.player = "ready";
      refused = 0;
      changed();
    } catch (error) {
      if (error.uri !== "wamp.error.not_authorized") throw error;
      refused += 1;
      if (refused <= TRIES) renew();
      else draw();
    }
  };
  const renew = async () => {
    if (player) await say({ present: false, renewed: true });
    player = null;
    section.dataset.player = "pairing";
    part("renew").disabled = true;
    player = await pair(section.querySelector("[data-url]"));
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
  part("items").addEventListener("click", pick);
  part("renew").addEventListener("click", renew);
  addEventListener("pointerdown", touched);
  addEventListener("keydown", touched);
  draw();
  renew();
  const remove = connection.use(serve);
  return () => {
    remove();
    clearInterval(beat);
    removeEventListener("pointerdown", touched);
    removeEventListener("keydown", touched);
  };
}
