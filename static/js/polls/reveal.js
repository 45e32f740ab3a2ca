/**
 * Keeps counts that are not public yet off the projector until the presenter asks for them.
 *
 * <div data-behaviour="polls/results"> …
 *   <button type="button" data-behaviour="polls/reveal" aria-pressed="false" hidden> </div>
 * The poll's element carries data-veiled while counts are held back; the style sheet covers the
 * bars.
 */
export function connect(button) {
  const poll = button.closest('[data-behaviour="polls/results"]');
  let asked = false;
  let early = false;
  const draw = () => {
    button.hidden = !early;
    button.setAttribute("aria-pressed", String(asked));
    poll.toggleAttribute("data-veiled", early && !asked);
  };
  const hear = ({ detail }) => {
    if (detail.deleted) return;
    early = detail.hidden === false && detail.open && detail.visibility !== "always";
    draw();
  };
  const click = () => {
    asked = !asked;
    draw();
  };
  poll.addEventListener("poll:state", hear);
  button.addEventListener("click", click);
  draw();
  return () => {
    poll.removeEventListener("poll:state", hear);
    button.removeEventListener("click", click);
  };
}
