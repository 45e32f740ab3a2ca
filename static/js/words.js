/**
 * What went wrong, in words for the page's reader: those of the far side, or `otherwise` when it did not answer.
 */
import { ConnectionLost, TimedOut } from "wampflask";

export const STILL_HERE = "That did not get through. What you wrote is still here: try again.";

export function words(error, otherwise = "That did not get through. Try again.") {
  const isAnswer = !(error instanceof ConnectionLost || error instanceof TimedOut);
  return (isAnswer && error.args?.[0]) || otherwise;
}
