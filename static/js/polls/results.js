/**
 * Shows a poll's results live: wording, state, bars, number of voters, and the voter's own vote.
 *
 * <section data-behaviour="polls/results" data-question="12" data-hidden="false" data-round="1"
 *     data-voted="7 9">
 *   <h1 data-part="text">  <span class="badge" data-part="state">
 *   <strong data-part="total">  <span data-part="noun">
 *   <p data-part="several" hidden> about percentages of a multiple choice
 *   <ol data-part="bars">, <template data-part="bar"> as in bars.js
 *   <p data-part="sealed" hidden> instead of bars while results are hidden
 *   <a data-part="vote" hidden>Vote</a>, where voting is possible from here
 * </section>
 */
import { partsOf, setText } from "../dom.js";
import { drawBars } from "./bars.js";
import { drawQuestion, drawState, drawTally } from "./figures.js";
import { follow } from "./follow.js";
import { own } from "./own.js";

export function connect(section) {
  const part = partsOf(section);
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

/** Shows the link to the ballot while this voter may still use it. */
function drawWay(link, state, voted) {
  if (!link) return;
  link.hidden = !state.open || (voted.length > 0 && !state.may_change);
  setText(link, voted.length ? "Change my vote" : "Vote");
  link.classList.toggle("button--main", !voted.length);
}
