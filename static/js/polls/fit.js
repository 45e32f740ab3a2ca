/**
 * Makes a poll on the projector as large as its place allows, whatever the length of the question and the number of choices; again when
 * the wording or the window changes, and not with every vote, so that nothing jumps.
 *
 * <div data-question="12"> <div data-behaviour="polls/fit"> … </div> </div>   the style sheet sizes everything in it by --fit
 */
const [LEAST, MOST, STEP] = [0.2, 1.3, 0.01];

export function connect(place) {
  const poll = place.closest("[data-question]");
  let wording = "";
  const holds = () => place.scrollHeight <= place.clientHeight && place.scrollWidth <= place.clientWidth;
  const holdsAt = (size) => {
    poll.style.setProperty("--fit", size);
    return holds();
  };
  const fit = () => {
    if (holdsAt(MOST)) return;
    let [low, high] = [LEAST, MOST];
    while (high - low > STEP) {
      const middle = (low + high) / 2;
      if (holdsAt(middle)) low = middle;
      else high = middle;
    }
    holdsAt(low);
  };
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
