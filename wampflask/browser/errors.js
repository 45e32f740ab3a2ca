/** What calls and sessions reject with. */
/** An error with a URI: what the far side answered, or why a session ended. */
export class WampError extends Error {
  name = "WampError";

  /** @param {string} uri  @param {any[]} [args]  @param {Record<string, any>} [kwargs] */
  constructor(uri, args = [], kwargs = {}) {
    super(typeof args[0] === "string" ? args[0] : uri);
    this.uri = uri;
    this.args = args;
    this.kwargs = kwargs;
  }
}

/** There is no session now, or it ended before the answer came. Nothing is known of what the call did. */
export class ConnectionLost extends WampError {
  name = "ConnectionLost";

  /** @param {string} [why] */
  constructor(why = "not connected") {
    super("wampflask.error.connection_lost", [why]);
  }
}

/** No answer within the time given. The call was cancelled, and may have run nevertheless. */
export class TimedOut extends WampError {
  name = "TimedOut";

  /** @param {string} why */
  constructor(why) {
    super("wampflask.error.timed_out", [why]);
  }
}

/** Runs what belongs to the page: its errors are reported, and break nothing here. */
export function attempt(action) {
  try {
    action();
  } catch (error) {
    reportError(error);
  }
}
