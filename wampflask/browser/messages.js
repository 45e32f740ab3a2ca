/** WAMP's messages: their numbers, and what each that a router may send has to look like. */
import { WampError } from "./errors.js";
import { PROTOCOL_VIOLATION } from "./uris.js";

export const HELLO = 1;
export const WELCOME = 2;
export const ABORT = 3;
export const CHALLENGE = 4;
export const AUTHENTICATE = 5;
export const GOODBYE = 6;
export const ERROR = 8;
export const PUBLISH = 16;
export const PUBLISHED = 17;
export const SUBSCRIBE = 32;
export const SUBSCRIBED = 33;
export const UNSUBSCRIBE = 34;
export const UNSUBSCRIBED = 35;
export const EVENT = 36;
export const CALL = 48;
export const CANCEL = 49;
export const RESULT = 50;
export const REGISTER = 64;
export const REGISTERED = 65;
export const UNREGISTER = 66;
export const UNREGISTERED = 67;
export const INVOCATION = 68;
export const INTERRUPT = 69;
export const YIELD = 70;

/** By message: number, string, dict or list, in order; a capital may be missing at the end. */
const SHAPES = new Map([
  [WELCOME, "nd"], [ABORT, "ds"], [CHALLENGE, "sd"], [GOODBYE, "ds"], [ERROR, "nndsLD"], [PUBLISHED, "nn"], [SUBSCRIBED, "nn"],
  [UNSUBSCRIBED, "nD"], [EVENT, "nndLD"], [RESULT, "ndLD"], [REGISTERED, "nn"], [UNREGISTERED, "nD"], [INVOCATION, "nndLD"], [INTERRUPT, "nd"],
]);
const IS = {
  n: (value) => Number.isSafeInteger(value) && value >= 0,
  s: (value) => typeof value === "string",
  d: (value) => value !== null && typeof value === "object" && !Array.isArray(value),
  l: Array.isArray,
};

/** @param {string} why  @returns {WampError} for a far side that breaks the rules */
export const violation = (why) => new WampError(PROTOCOL_VIOLATION, [why]);

/**
 * @param {unknown} data  a frame
 * @returns {any[]} the message, of the right shape for its number
 * @throws {WampError} for anything else
 */
export function parse(data) {
  let message = null;
  try {
    message = JSON.parse(/** @type {string} */ (data));
  } catch { /* it is refused below */ }
  const shape = Array.isArray(message) && SHAPES.get(message[0]);
  const fits = (kind, value) => IS[kind.toLowerCase()](value) || (value === undefined && kind < "a");
  if (!shape || ![...shape].every((kind, at) => fits(kind, message[at + 1]))) {
    throw violation(`not a WAMP message: ${String(data).slice(0, 100)}`);
  }
  return message;
}

/** What a message carries: its first argument, or its keywords when there is none; with `full`, everything. */
export function payload(args = [], kwargs = undefined, full = false) {
  if (full) return { args, kwargs: kwargs ?? {} };
  return args.length ? args[0] : kwargs;
}

/** The last parts of a message that carries a payload; keywords only when there are some. */
export const carrying = (args = [], kwargs = undefined) => (kwargs ? [args, kwargs] : [args]);
