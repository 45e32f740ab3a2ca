/**
 * Offers what fits a poll's state: closing while it is open, opening while it is closed.
 *
 * <section data-behaviour="polls/tools" data-question="12">
 *   <form data-when="open">…</form> <form data-when="closed" hidden>…</form> </section>
 */
export function connect(section) {
  const hear = ({ detail }) => {
    if (String(detail.question_id) !== section.dataset.question) return;
    for (const form of section.querySelectorAll("[data-when]")) {
      form.hidden = (form.dataset.when === "open") !== Boolean(detail.open);
    }
  };
  document.addEventListener("poll:state", hear);
  return () => document.removeEventListener("poll:state", hear);
}
