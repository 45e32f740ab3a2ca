/**
 * What went wrong, in words for people: those of the far side, or `otherwise` when it did not
 * answer.
 */
import { ConnectionLost, TimedOut } from "wampflask";

const UNSENT = "Couldn't reach the server. Try again.";

export function words(error, otherwise = UNSENT) {
  const isAnswer = !(error instanceof ConnectionLost || error instanceof TimedOut);
  return (isAnswer && error.args?.[0]) || otherwise;
}
