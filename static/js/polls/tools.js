/**
 * Offers what fits a poll's state: closing while it is open, opening while it is closed.
 *
 * <section data-behaviour="polls/tools" data-poll-id="12"> <form data-when="open">…</form> <form data-when="closed" hidden>…</form> </section>
 */
export function connect(section) {
  const hear = ({ detail }) => {
    if (String(detail.question_id) !== section.dataset.pollId) return;
    for (const part of section.querySelectorAll("[data-when]")) part.hidden = (part.dataset.when === "open") !== Boolean(detail.open);
  };
  document.addEventListener("poll:state", hear);
  return () => document.removeEventListener("poll:state", hear);
}
