/** WAMP's messages: their numbers, and what each that a router may send has to look like. */

export const HELLO = 1;
export const WELCOME = 2;
export const ABORT = 3;
export const CHALLENGE = 4;
export const AUTHENTICATE = 5;
export const GOODBYE = 6;
export const ERROR = 8;
export const PUBLISH = 16;
export const SUBSCRIBE = 32;
export const UNSUBSCRIBE = 34;
export const EVENT = 36;
export const CALL = 48;
export const CANCEL = 49;
export const RESULT = 50;
export const REGISTER = 64;
export const UNREGISTER = 66;
export const INVOCATION = 68;
export const INTERRUPT = 69;
export const YIELD = 70;

/** By message: number, string, dict or list, in order; a capital may be missing at the end. 17, 33, 35, 65, 67 answer what is one less. */
const SHAPES = {
  __proto__: null,
  2: "nd",
  3: "ds",
  4: "sd",
  6: "ds",
  8: "nndsLD",
  17: "nn",
  33: "nn",
  35: "nD",
  36: "nndLD",
  50: "ndLD",
  65: "nn",
  67: "nD",
  68: "nndLD",
  69: "nd",
};
const IS = {
  n: (value) => Number.isSafeInteger(value) && value >= 0,
  s: (value) => typeof value === "string",
  d: (value) => value?.constructor === Object,
  l: Array.isArray,
};

/**
 * @param {string} data  a frame
 * @returns {any[]} the message, of the right shape for its number
 * @throws for anything else
 */
export function parse(data) {
  const message = JSON.parse(data);
  const shape = Number.isInteger(message[0]) && SHAPES[message[0]];
  const fits = (kind, at) =>
    IS[kind.toLowerCase()](message[at + 1]) || (message[at + 1] === undefined && kind < "a");
  check([...shape].every(fits)); // throws for no shape, too
  return message;
}

/** Refuses what a router may not send; the session ends for it. */
export function check(isRight) {
  if (!isRight) throw new Error("unexpected");
}

/** What a message carries: its first argument, or its keywords when there is none; with `full`, everything. */
export const payload = (args = [], kwargs = undefined, full = false) =>
  full ? { args, kwargs: kwargs ?? {} } : args.length ? args[0] : kwargs;

/** The last parts of a message that carries a payload; keywords only when there are some. */
export const carrying = (args = [], kwargs = undefined) => (kwargs ? [args, kwargs] : [args]);
