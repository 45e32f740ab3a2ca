/**
 * Addresses in a text, found the same way as in wampflask/apps/chat/links.py: a test compares both.
 * Everything becomes text nodes and <a>: nothing that people write is ever parsed as HTML.
 */
const ADDRESS = /https?:\/\/[^\s<>"“”]+/g;
const TRAILING = ".,:;!?'*_~…»”’";
const count = (text, letter) => text.split(letter).length - 1;

function trimmed(address) {
  while (address) {
    const last = address.at(-1);
    const opening = { ")": "(", "]": "[" }[last];
    const closes = opening && count(address, last) > count(address, opening);
    if (!TRAILING.includes(last) && !closes) break;
    address = address.slice(0, -1);
  }
  return address;
}

/** @returns {[string, boolean][]} the text cut up, and whether each piece is an address */
export function pieces(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    if (address.length <= "https://".length) continue;
    if (match.index > end) found.push([text.slice(end, match.index), false]);
    found.push([address, true]);
    end = match.index + address.length;
  }
  if (end < text.length) found.push([text.slice(end), false]);
  return found;
}

/** Puts `text` into `element`, its addresses as links. */
export function write(element, text) {
  element.replaceChildren(
    ...pieces(text).map(([piece, isAddress]) => {
      if (!isAddress) return document.createTextNode(piece);
      const link = document.createElement("a");
      link.href = piece;
      link.rel = "nofollow noopener noreferrer";
      link.target = "_blank";
      link.textContent = piece;
      return link;
    }),
  );
}
