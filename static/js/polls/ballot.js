/**
 * Keeps an open ballot up to date: wording and choices follow edits, it shuts when the poll closes,
 * and opens again.
 *
 * <form data-behaviour="polls/ballot" data-question="12" data-round="1" data-voted="7">
 *   <h1 data-part="text">  <fieldset data-part="box"> <p data-part="hint">
 *     <div data-part="choices">
 *       <label data-choice="7"><input name="choice" value="7"><span data-part="label">
 *     </div>
 *   </fieldset>
 *   <p data-part="shut" hidden>why one can't vote</p>  <button data-part="send">
 * </form>
 */
import { arrange, partsOf, setText } from "../dom.js";
import { drawQuestion } from "./figures.js";
import { follow } from "./follow.js";
import { own } from "./own.js";

const SHUT = {
  deleted: "This poll was deleted.",
  closed: "Voting has closed.",
  voted: "You have voted. Votes in this poll can't be changed.",
};

function hint({ kind, may_change }, voted) {
  const how = kind === "multiple" ? "Choose as many as you like." : "Choose one.";
  return may_change && !voted.length ? `${how} You can change your vote later.` : how;
}

function shutBecause(state, voted) {
  if (state.deleted) return "deleted";
  if (!state.open) return "closed";
  return voted.length && !state.may_change ? "voted" : null;
}

export function connect(form) {
  const part = partsOf(form);
  const mine = own(form);

  return follow(form, (state) => {
    const voted = mine(state);
    const why = shutBecause(state, voted);
    part("box").disabled = part("send").hidden = Boolean(why);
    part("shut").hidden = !why;
    if (why) setText(part("shut"), SHUT[why]);
    setText(part("send"), voted.length ? "Change my vote" : "Vote");
    if (state.deleted) return;
    drawQuestion(part("text"), state.text);
    part("hint").hidden = Boolean(why);
    setText(part("hint"), hint(state, voted));
    drawChoices(part("choices"), state);
  });
}

function drawChoices(list, { choices, kind }) {
  const known = new Map([...list.children].map((row) => [row.dataset.choice, row]));
  const pattern = list.firstElementChild;
  const rows = choices.map(({ id }) => known.get(String(id)) ?? blank(pattern, id));
  arrange(list, rows);
  choices.forEach(({ label }, place) => {
    setText(partsOf(rows[place])("label"), label);
    const input = rows[place].querySelector("input");
    input.type = kind === "multiple" ? "checkbox" : "radio";
    input.required = kind === "single";
  });
}

function blank(pattern, id) {
  const row = pattern.cloneNode(true);
  const input = row.querySelector("input");
  row.dataset.choice = input.value = id;
  input.checked = false;
  return row;
}
