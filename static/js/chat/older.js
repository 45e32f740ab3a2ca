/**
 * Fetches older messages when the top comes into view, over the same procedure as everything else.
 */
import { connection } from "wampflask";
import { partsOf } from "../dom.js";

/** @returns {() => void} stop */
export function keepScrolling(root, label, log) {
  const part = partsOf(root);
  const top = part("older");
  let busy = false;
  const fetchOlder = async () => {
    if (busy || !log.more || !connection.session) return;
    busy = true;
    top.ariaBusy = "true";
    try {
      log.prepend(await connection.call("chat.history", [label, log.first, null]));
    } catch {
      // scrolling again, or the link, tries again
    } finally {
      busy = false;
      top.ariaBusy = "false";
      top.hidden = !log.more;
    }
  };
  const press = (event) => {
    if (!connection.session) return; // then it is an ordinary link
    event.preventDefault();
    fetchOlder();
  };
  const look = (seen) => seen.some((one) => one.isIntersecting) && fetchOlder();
  const watcher = new IntersectionObserver(look, {
    root: part("scroll"),
    rootMargin: "200px 0px 0px",
  });
  top.hidden = !log.more;
  top.addEventListener("click", press);
  watcher.observe(top);
  return () => {
    watcher.disconnect();
    top.removeEventListener("click", press);
  };
}
