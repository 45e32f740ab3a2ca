/**
 * Makes a poll on the projector as large as its place allows, whatever the length of the question
 * and the number of choices; again when the wording or the window changes, and not with every vote,
 * so that nothing jumps.
 *
 * <div data-behaviour="polls/results"> <div data-behaviour="polls/fit"> … </div> </div>
 * The style sheet sizes everything in it by --fit.
 */
const [LEAST, MOST, STEP] = [0.2, 1.3, 0.01];

/** @returns {number} the largest size that holds, to a STEP; LEAST when none does */
export function largest(holds) {
  if (holds(MOST)) return MOST;
  let [low, high] = [LEAST, MOST];
  while (high - low > STEP) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

export function connect(place) {
  const poll = place.closest('[data-behaviour="polls/results"]');
  let wording = "";
  const holds = () =>
    place.scrollHeight <= place.clientHeight && place.scrollWidth <= place.clientWidth;
  const holdsAt = (size) => {
    poll.style.setProperty("--fit", size);
    return holds();
  };
  const fit = () => holdsAt(largest(holdsAt));
  const hear = ({ detail: { text, choices, hidden } }) => {
    const now = JSON.stringify([text, hidden, choices?.map(({ label }) => label)]);
    if (now !== wording || !holds()) fit();
    wording = now;
  };
  const watch = new ResizeObserver(fit);
  watch.observe(place);
  document.fonts.ready.then(fit);
  poll.addEventListener("poll:state", hear);
  return () => {
    watch.disconnect();
    poll.removeEventListener("poll:state", hear);
  };
}
