/** Counts of a poll in words. */
const count = (number, one, several) =>
  number === 1 ? `1 ${one}` : `${number.toLocaleString("en")} ${several}`;

export const votes = (number) => count(number, "vote", "votes");
export const voters = (number) => count(number, "voter", "voters");

const list = new Intl.ListFormat("en");

/** How a poll stands, in one or two sentences. */
export function standing({ open, voters: number, hidden, deleted, choices }) {
  if (deleted) return "This poll was deleted.";
  const start = `${voters(number)}${open ? "" : ", closed"}.`;
  if (hidden || !number) return start;
  const most = Math.max(...choices.map((choice) => choice.votes));
  const leaders = choices.filter((choice) => choice.votes === most);
  const names = list.format(leaders.map(({ label }) => label));
  if (leaders.length > 1) return `${start} ${names} lead with ${votes(most)} each.`;
  return `${start} ${names} leads with ${leaders[0].percent}%.`;
}
