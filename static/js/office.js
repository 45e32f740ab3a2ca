/** Flask-Admin names the boxes of its lists by a title alone, which screen readers may leave out: the title becomes the name. */
for (const box of document.querySelectorAll("input[type=checkbox][title]")) box.setAttribute("aria-label", box.title);
