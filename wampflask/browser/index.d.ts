/** wampflask in the browser: WAMP, one connection for the page, live things. */

/** What a call returned, an event carried: the first argument, or the keywords when there is none. */
type Payload = any;

/** An error with a URI: what the far side answered, or why a session ended. */
export class WampError extends Error {
  constructor(uri: string, args?: unknown[], kwargs?: Record<string, unknown>);
  readonly uri: string;
  readonly args: any[];
  readonly kwargs: Record<string, any>;
}
/** There is no session now, or it ended before the answer came. Nothing is known of what the call did. */
export class ConnectionLost extends WampError {
  constructor(why?: string);
}
/** No answer within the time given. The call was cancelled, and may have run nevertheless. */
export class TimedOut extends WampError {
  constructor(why: string);
}

/** Every further key is an option of the WAMP message, such as `exclude_me: false`. */
interface Sending {
  kwargs?: Record<string, unknown>;
  /** Milliseconds to wait for the answer; 10,000. */
  timeout?: number;
  /** Ends the wait; a call is cancelled on the far side too. */
  signal?: AbortSignal;
  [option: string]: unknown;
}
interface Patient extends Sending {
  /** Milliseconds to wait for a session, and a call for somebody to register the procedure; 3,000. 0 fails at once. */
  patience?: number;
}
export interface CallOptions<P = Payload> extends Patient {
  /** Called with each progressive result; the timeout then counts from the last one. */
  onProgress?: (part: P) => void;
  /** Resolve with `{args, kwargs}`, all that the callee returned. */
  full?: boolean;
}
export interface PublishOptions extends Patient {
  /** False: do not wait for the router to take it; refusals are not heard of. */
  acknowledge?: boolean;
}
export interface Event {
  args: any[];
  kwargs: Record<string, any>;
  details: Record<string, any>;
}
export interface SubscribeOptions {
  /** Default: exact, and wildcard for a topic with an empty component such as `monitor.presence.`. */
  match?: "exact" | "prefix" | "wildcard";
  /** It cannot be had in this session; default: throws the error, for the connection's "failure". */
  refused?(error: Error): void;
  timeout?: number;
  signal?: AbortSignal;
  [option: string]: unknown;
}
export interface RegisterOptions {
  match?: "exact" | "prefix" | "wildcard";
  invoke?: "single" | "roundrobin" | "random" | "first" | "last";
  /** It cannot be had in this session; default: throws the error, for the connection's "failure". */
  refused?(error: Error): void;
  timeout?: number;
  signal?: AbortSignal;
  [option: string]: unknown;
}
export interface Invocation {
  kwargs: Record<string, any>;
  /** Sends a part of the result beforehand, if the caller wants any. */
  progress(part: unknown): void;
  /** Aborts when the call is cancelled or the session ends. */
  signal: AbortSignal;
  procedure: string;
  details: Record<string, any>;
}
/** Call it to end the subscription or registration. */
export interface Kept {
  (): Promise<void> | undefined;
  /** Resolves when the router has confirmed it for the first time, rejects when it is refused. */
  ready: Promise<void>;
}

/** Calls a procedure. Rejects with what the callee raised, `TimedOut`, `ConnectionLost`, or the signal's reason. */
export function call<R = Payload, P = Payload>(procedure: string, args?: unknown[], options?: CallOptions<P>): Promise<R>;
/** Publishes an event; resolves when the router has taken it. */
export function publish(topic: string, args?: unknown[], options?: PublishOptions): Promise<void>;
/** Calls the handler for each event, now and after each reconnect. */
export function subscribe(topic: string, handler: (payload: any, topic: string, event: Event) => void, options?: SubscribeOptions): Kept;
/** Answers calls in this page, now and after each reconnect. `{session}` in the name is the session's id. Throw a `WampError` to choose what the caller gets. */
export function register(procedure: string, handler: (args: any[], invocation: Invocation) => unknown, options?: RegisterOptions): Kept;

/** One joined WAMP session; it lives as long as one socket. */
export interface Session {
  readonly id: number | null;
  readonly details: Record<string, any>;
  readonly alive: boolean;
  readonly ended: Promise<Error>;
  call<R = Payload, P = Payload>(procedure: string, args?: unknown[], options?: CallOptions<P>): Promise<R>;
  publish(topic: string, args?: unknown[], options?: PublishOptions): Promise<void>;
  subscribe(topic: string, handler: (payload: any, topic: string, event: Event) => void, options?: SubscribeOptions): Promise<() => Promise<void>>;
  register(procedure: string, handler: (args: any[], invocation: Invocation) => unknown, options?: RegisterOptions): Promise<() => Promise<void>>;
}
/** The page's one connection. Fires "change" with each state, and "failure" (`detail`: the error) when something cannot be had. */
export interface Connection extends EventTarget {
  readonly state: "stopped" | "connecting" | "open" | "waiting";
  /** Date.now() of the last change of state. */
  readonly since: number;
  /** Why the last session, or the last try, ended. */
  readonly reason: Error | null;
  readonly session: Session | null;
  /** What this page shows with each request for a ticket, to claim what is its own (`wampflask.prove`). */
  readonly proofs: Map<string, string>;
  start(): void;
  stop(): void;
  /** Joins anew at once, with a new ticket: after a log-in without a new page. */
  reconnect(): void;
  /** Tries at once, and does not trust a socket that may have died: the page woke up. */
  wake(): void;
  /** Runs `user(session)` in each session, from now on. Returns a function that ends it. */
  use(user: (session: Session) => unknown): () => void;
  addEventListener(type: "failure", listener: (event: CustomEvent<Error>) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  call: typeof call;
  publish: typeof publish;
  subscribe: typeof subscribe;
  register: typeof register;
}
export const connection: Connection;

/** What `ask` resolves to. */
export interface Answer<S> {
  /** null: there is nothing for this page. undefined: what it shows is right. */
  state: S | null | undefined;
  number?: number | undefined;
  /** Further topics that the state leads to. */
  topics?: string | string[];
  /** There is more to ask for at once (a log). */
  more?: boolean;
}
interface Following<S, E = S> {
  /** How to ask for the state; default: call the first topic. `since`: of a log, the last id it has. */
  ask?(session: Session, since?: number | null): Promise<Answer<S>>;
  /** What an event says; default: the first argument is the state, the second its number. */
  unpack?(args: any[], topic: string, kwargs: Record<string, any>): { state: E; number?: number | undefined };
  /** Whether an event says no more than "ask"; default: its state is null. */
  stale?(state: E): boolean;
  /** Asking failed, and is tried again; return false to give up, as with a refusal. */
  failed?(error: Error): boolean | void;
  /** It may not be had; tried again in the next session. Default: the connection's "failure". */
  refused?(error: Error): void;
  /** Seconds after which to ask again while the page is seen. */
  every?: number;
}
export interface ValueOptions<S> extends Following<S> {
  kind?: "value";
  /** The state's own number, where one writer counts by itself. */
  version?(state: S): number;
  /** There is nothing for this page (any more); without it, `apply(null)`. */
  gone?(): void;
}
export interface RowsOptions<R> extends Following<Record<string, R>, { rows?: Record<string, R>; gone?: string[]; all?: boolean }> {
  kind: "rows";
  /** A row's own number, where each has a writer that counts by itself. */
  version?(row: R): number;
}
export interface LogOptions<I> extends Following<I[], I> {
  kind: "log";
  /** The last id that the page was rendered with; default: the newest items are asked for. */
  since?: number;
  /** The procedure that has the items after `since`; default: the topic. */
  history?: string;
  /** An item's number; default: its `id`. */
  id?(item: I): number;
  /** Ids follow one another without holes, so that a hole is asked for. */
  gapless?: boolean;
}
export interface Changes {
  changed: string[];
  gone: string[];
}
/** What keeps a live thing true. */
export interface Live {
  stop(): void;
  /** Begins again in this session, with topics that have moved. */
  restart(): void;
  /** Asks now, or within some milliseconds. */
  refresh(within?: number): void;
}
type Topics = string | string[] | ((session: Session) => string | string[] | Promise<string | string[]>);

/** Keeps a live thing true: applies its state, and every newer one, through reconnects. */
export function live<S = any>(topics: Topics, apply: (state: S) => void, options?: ValueOptions<S>): Live;
export function live<R = any>(topics: Topics, apply: (rows: Map<string, R>, changes: Changes) => void, options: RowsOptions<R>): Live;
export function live<I = any>(topics: Topics, apply: (item: I) => void, options: LogOptions<I>): Live;

/** Follows who is present on a topic, by authid; a page that follows is present. */
export function presence<P = any>(topic: string, apply: (people: Map<string, P>, changes: Changes) => void, options?: Omit<RowsOptions<P>, "kind">): Live;

export {}; // what is not marked so is not exported
