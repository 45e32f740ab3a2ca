/** What Flask-Admin's pages lack. */
import "./theme.js";
import { localise } from "./times.js";

localise(document);

/**
 * Flask-Admin names the boxes of its lists by a title alone, which screen readers may leave out.
 */
for (const box of document.querySelectorAll("input[type=checkbox][title]")) {
  box.setAttribute("aria-label", box.title);
}

/**
 * Flask-Admin has inline handlers, which our security policy does not run: what they call is called
 * here. False stops the click.
 */
const HANDLERS = [
  [
    /modelActions\.execute\('(\w+)'\)/,
    (_, action) => {
      window.modelActions.execute(action);
      return false;
    },
  ],
  [
    /faForm\.addInlineField\(this, '([\w-]+)'\)/,
    (link, field) => {
      window.faForm.addInlineField(link, field);
      return false;
    },
  ],
  [/faHelpers\.safeConfirm\('(.*)'\)/, (_, question) => window.confirm(question)],
];

for (const item of document.querySelectorAll("[onclick]")) {
  const code = item.getAttribute("onclick");
  const [pattern, act] = HANDLERS.find(([one]) => one.test(code)) ?? [];
  if (!act) continue;
  item.removeAttribute("onclick");
  item.addEventListener("click", (event) => {
    if (act(item, code.match(pattern)[1]) === false) event.preventDefault();
  });
}
