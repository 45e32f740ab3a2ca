/** Flask-Admin names the boxes of its lists by a title alone, which screen readers may leave out: the title becomes the name. */
for (const box of document.querySelectorAll("input[type=checkbox][title]")) box.setAttribute("aria-label", box.title);

/** Flask-Admin's actions on chosen rows are inline handlers, which our security policy does not run: they are done here. */
for (const item of document.querySelectorAll('[onclick*="modelActions.execute"]')) {
  const [, action] = item.getAttribute("onclick").match(/execute\('(\w+)'\)/);
  item.removeAttribute("onclick");
  item.addEventListener("click", (event) => {
    event.preventDefault();
    window.modelActions.execute(action);
  });
}
