/**
 * The cells of a row: fields such as <input name="value" data-kind="integer">, and text such as <td data-field="value">.
 *
 * Kinds: text, lines, integer, number, decimal, boolean (a checkbox), choice (a <select> whose options' values are JSON), date, moment.
 * A text with data-nullable is null when it is empty; everything else that is empty is null.
 */
const SECONDS = "2026-01-31T12:00:00".length;

/** @returns {any[]} */
export const fieldsOf = (root) => [...root.querySelectorAll("[name][data-kind]")];

/** A field's value as text, to see whether it was changed. */
export function said(field) {
  if (field.type === "checkbox") return String(field.checked);
  return field.validity.badInput ? "not a value" : field.value;
}

/** What a field would say of a value; it may say less than the value is, such as no fractions of a second. */
export function wouldSay(field, value) {
  const copy = field.cloneNode(true);
  show(copy, value);
  return said(copy);
}

export function show(field, value) {
  const { kind } = field.dataset;
  if (field.type === "checkbox") field.checked = value;
  else if (value === null || value === undefined) field.value = "";
  else if (kind === "choice") field.value = JSON.stringify(value);
  else field.value = kind === "moment" ? value.slice(0, SECONDS) : value;
}

/** The value that somebody has put in, as JSON. */
export function read({ type, checked, value, dataset: { kind, nullable } }) {
  if (type === "checkbox") return checked;
  if (value === "" && (nullable !== undefined || !["text", "lines"].includes(kind))) return null;
  if (kind === "choice") return JSON.parse(value);
  return kind === "integer" || kind === "number" ? Number(value) : value;
}

/** Shows values as text. @param {{yes: string, no: string}} words */
export function fill(places, values, { yes, no }) {
  for (const place of places) {
    const value = values[place.dataset.field] ?? "";
    place.textContent = typeof value === "boolean" ? (value ? yes : no) : value;
  }
}
