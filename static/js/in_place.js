/**
 * Sends a form without leaving the page: the answer's <main> takes the place of this one. When the
 * network is down, the form stays as it was filled in, with an error. A form whose session has
 * ended, or whose cookies are gone, gets a new token and is sent once more. Without this module it
 * is an ordinary form.
 *
 * <form method="post" data-behaviour="in_place"> …
 *   <p role="alert" data-part="trouble" hidden> </form>
 */
import { partsOf, setLine } from "./dom.js";
import { swapMain } from "./swap.js";

const NO_COOKIE = "Your vote needs a cookie. Allow cookies for this site, then try again.";
const LOST = "Your vote couldn't be sent. Your choice is still here: try again.";

const address = () => location.pathname + location.search;
let shown = address();

function show(page, url) {
  const main = swapMain(page);
  if (url !== location.href) history.pushState(null, "", url);
  shown = address();
  scrollTo(0, 0);
  const start = main.querySelector("[autofocus]") ?? main; // a refused form: its first error
  start.focus({ preventScroll: true });
}

const answerTo = (url, options) =>
  fetch(url, { ...options, headers: { Accept: "text/html" }, signal: AbortSignal.timeout(15_000) });

const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

/** The page as a new session gets it has the token that goes with its cookie. */
async function renewToken(form) {
  const page = await parsed(await answerTo(location.href, { cache: "no-store" }));
  form.elements.csrf_token.value = page.querySelector("main input[name=csrf_token]").value;
}

export function connect(form) {
  const trouble = partsOf(form)("trouble");
  const post = (submitter) => {
    const body = new URLSearchParams(new FormData(form, submitter));
    return answerTo(form.action, { method: "POST", body });
  };
  const send = async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    setLine(trouble, "");
    try {
      let answer = await post(event.submitter);
      if (answer.status === 400) {
        await renewToken(form);
        answer = await post(event.submitter);
      }
      if (answer.status === 400) return setLine(trouble, NO_COOKIE);
      const page = await parsed(answer);
      if (!page.querySelector("main")) throw new Error(`${answer.status} ${answer.statusText}`);
      show(page, answer.url);
    } catch {
      setLine(trouble, LOST);
    } finally {
      form.ariaBusy = "false";
    }
  };
  form.addEventListener("submit", send);
  return () => form.removeEventListener("submit", send);
}

addEventListener("popstate", () => {
  if (address() !== shown) location.reload(); // not for a jump within the page
});
