/**
 * Offers to load the page again when the site has a newer release of it.
 *
 * <div data-behaviour="release" data-release="3f2a…" hidden>…
 *   <button data-act="reload">Reload</button> <button data-act="close">Later</button>
 * </div>
 *
 * Listens where a page is connected anyway: one without live parts opens no socket for this. And it
 * need not ask when it opens, as it comes from a worker of the release that it names.
 */
import { connection, live } from "wampflask";

export function connect(bar) {
  const own = bar.dataset.release;
  let following = null;
  let isOpening = true;
  const ask = async (session) => {
    if (isOpening) {
      isOpening = false;
      return { state: { release: own }, number: 0 };
    }
    const {
      args: [state, number],
    } = await session.call("site.release", [], { full: true });
    return { state, number };
  };
  const follow = () => {
    if (following || connection.state !== "open") return;
    following = live("site.release", ({ release }) => (bar.hidden = release === own), { ask });
  };
  const click = ({ target }) => {
    const act = target.closest("[data-act]")?.dataset.act;
    if (act === "reload") location.reload();
    if (act === "close") bar.hidden = true;
  };
  follow();
  connection.addEventListener("change", follow);
  bar.addEventListener("click", click);
  return () => {
    following?.stop();
    connection.removeEventListener("change", follow);
    bar.removeEventListener("click", click);
  };
}
