/** Every URI that the library's server and its pages agree on, in one place. */

/** The server ends a session so: this person is blocked, and the page stops trying. */
export const BLOCKED = "wampflask.close.blocked";
/** The server ends a session so: join again at once, with a new ticket. */
export const REFRESH = "wampflask.close.refresh";
/** Called to see whether the router answers at all; nobody needs to have registered it. */
export const HEARTBEAT = "wampflask.heartbeat";
/** A worker's testament: it may have died between a commit and its event, so pages ask again. */
export const WORKER_LOST = "wampflask.live.worker_lost";
/** Answers for up to 100 fragments in one call. */
export const FETCH = "wampflask.live.fetch";
/** Where a fragment's new states are published. */
export const fragmentTopic = (name, key) => `wampflask.fragments.${name}.${key}`;
/** Where it is published who is present on a topic. */
export const presenceTopic = (topic) => `${topic}.here`;
