/**
 * What this reader has voted: the page says it at first, snapshots say it anew, and a reset
 * (another round) makes it nothing.
 *
 * <… data-round="1" data-voted="7 9">
 * @returns {(state) => number[]} ids of the reader's choices, as of `state`
 */
export function own(element) {
  let round = Number(element.dataset.round);
  let voted = (element.dataset.voted ?? "").split(" ").filter(Boolean).map(Number);

  return (state) => {
    if (state.voted) voted = state.voted;
    else if (!state.deleted && state.round !== round) voted = [];
    round = state.round ?? round;
    return voted;
  };
}
