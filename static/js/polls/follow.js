/**
 * Follows one poll: `apply(state)` with each newer state, then the event "poll:state", which
 * bubbles, for whatever else wants it.
 *
 * <… data-question="12" data-as-voter="false">   for a screen that many people look at: nothing
 *   depends on a voter's own vote
 *
 * Everyone may subscribe `polls.question.update.12`. While the counts are not public, that topic
 * carries none (`hidden`); for a voter who may see them, the answer has the topic on which they are
 * published (`live`). The key in that topic changes when a poll is reset: then the public topic is
 * ahead, and the page asks again.
 */
import { live } from "wampflask";

export function follow(element, apply) {
  const id = Number(element.dataset.question);
  const asVoter = element.dataset.asVoter !== "false";
  let seesCounts = element.dataset.hidden === "false";

  const show = (state) => {
    seesCounts = state.hidden === false;
    apply(state);
    element.dispatchEvent(new CustomEvent("poll:state", { detail: state, bubbles: true }));
  };
  const ask = async (session) => {
    try {
      const {
        args: [state, number],
      } = await session.call("polls.question.results", [id], {
        kwargs: { as_voter: asVoter },
        full: true,
      });
      return { state, number, topics: state.live };
    } catch (error) {
      if (error.uri !== "polls.error.not_found") throw error;
      return { state: { question_id: id, deleted: true }, number: Infinity };
    }
  };
  const following = live(`polls.question.update.${id}`, show, {
    ask,
    stale: (state) => state === null || (state.hidden && seesCounts),
  });
  return () => following.stop();
}
