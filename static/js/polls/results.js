/**
 * Shows a poll's results as they come: wording, state, bars, the number of responses, and what this reader voted.
 *
 * <section data-behaviour="polls/results" data-question="12" data-hidden="false" data-round="1" data-voted="7 9">
 *   <h1 data-poll="text">  <span class="badge" data-poll="state">  <strong data-poll="total">  <span data-poll="noun">
 *   <p data-poll="several" hidden> about percentages of a multiple choice
 *   <ol data-poll="bars">, <template data-poll="bar"> as in bars.js     <p data-poll="sealed" hidden> instead of bars while results are sealed
 *   <a data-poll="vote" hidden>Vote</a>, where voting is possible from here
 * </section>
 */
import { drawBars, setText } from "./bars.js";
import { drawQuestion, drawState, drawTally } from "./figures.js";
import { follow } from "./follow.js";
import { own } from "./own.js";

export function connect(section) {
  const part = (name) => section.querySelector(`[data-poll="${name}"]`);
  const mine = own(section);

  return follow(section, (state) => {
    const voted = mine(state);
    drawState(part("state"), state);
    drawWay(part("vote"), state, voted);
    if (state.deleted) return;
    drawQuestion(part("text"), state.text);
    drawTally(section, state);
    part("sealed").hidden = !state.hidden;
    part("bars").hidden = state.hidden;
    part("several").hidden = state.hidden || state.kind === "single";
    if (state.hidden) part("bars").replaceChildren();
    else drawBars(part("bars"), part("bar"), state.choices, voted);
  });
}

/** The way to the ballot, while this reader may still use it. */
function drawWay(link, state, voted) {
  if (!link) return;
  link.hidden = !state.open || (voted.length > 0 && !state.may_change);
  setText(link, voted.length ? "Change my vote" : "Vote");
  link.classList.toggle("button--main", !voted.length);
}
