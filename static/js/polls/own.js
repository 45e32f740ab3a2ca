/**
 * Keeps what this voter has picked: at first as the page has it, later as snapshots have it, and
 * nothing after a reset (another round).
 *
 * <… data-round="1" data-voted="7 9">
 * @returns {(state) => number[]} ids of the voter's choices, as of `state`
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
