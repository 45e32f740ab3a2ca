/** What the wrapper itself rejects with. An error that the far side sent stays Wampy's: `error.errorUri`, `error.argsList`. */

/** There is no session now, or it ended before the answer came. Nothing is known of what the call did. */
export class ConnectionLost extends Error {
  name = "ConnectionLost";
}

/** No answer within the time given (milliseconds). The call may still be running on the far side. */
export class TimedOut extends Error {
  name = "TimedOut";
}
