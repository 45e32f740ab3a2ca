/** Every URI that the library and the pages agree on, in one place. */

/** The server ends a session so: this person is blocked, and the page stops trying. */
export const BLOCKED = "wampflask.close.blocked";
/** The server ends a session so: join again at once, with a new ticket. */
export const REFRESH = "wampflask.close.refresh";
export const LOST = "wampflask.error.connection_lost";
export const TIMED_OUT = "wampflask.error.timed_out";
export const NOT_NOW = "wampflask.error.not_now";
/** Called to see whether the router answers at all; nobody needs to have registered it. */
export const HEARTBEAT = "wampflask.heartbeat";
/** A worker's testament: it may have died between a commit and its event, so pages ask again. */
export const WORKER_LOST = "wampflask.live.worker_lost";
/** Answers for up to 100 fragments in one call. */
export const FETCH = "wampflask.live.fetch";

export const CANCELED = "wamp.error.canceled";
export const NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure";
export const NOT_AUTHORIZED = "wamp.error.not_authorized";
export const PROTOCOL_VIOLATION = "wamp.error.protocol_violation";
export const RUNTIME_ERROR = "wamp.error.runtime_error";
export const TAKEN = "wamp.error.procedure_already_exists";

/** Where a fragment's new states are published. */
export const fragmentTopic = (name, key) => `fragments.${name}.${key}`;
/** Where it is published who is present on a topic. */
export const presenceTopic = (topic) => `wampflask.presence.${topic}`;
