/** wampflask/table: bound tables (`wamp.bind` of the server) for pages that draw their own. */
import type { CallOptions, Live } from "wampflask";

/** A row's primary key: a number, or a UUID of 32 hex digits. */
export type Key = number | string;
export interface Row<V = Record<string, any>> {
  pk: Key;
  /** Higher with each change. */
  version: number;
  values: V;
  /** What this reader may do with it, where that is known and not the same for all rows. */
  may?: ("update" | "delete")[];
}
export interface Rows<V = Record<string, any>> {
  /** The rows that the page shows already; what is gone of them is removed. */
  known?: Key[];
  /** Which group's rows, where the table has groups. */
  group?: Key;
  /** Page by page: rows after this key, … */
  after?: Key | null;
  /** … and how many at most; default: all. */
  limit?: number;
  /** A row is new, or newer than what was put. */
  put(row: Row<V>): void;
  /** A row is gone, or not for this page any more. */
  remove(pk: Key): void;
}
export interface WriteOptions extends CallOptions {
  group?: Key;
}

/** Follows a bound table: every row once, in its newest version; again after each reconnect. */
export function followRows<V = Record<string, any>>(table: string, rows: Rows<V>): Live;

/** Makes a row. Rejects with `tables.error.invalid` (`kwargs.field`) or `tables.error.not_allowed`. */
export function write<V = Record<string, any>>(table: string, action: "create", args: [values: Partial<V>], options?: WriteOptions): Promise<Row<V>>;
/** Changes a row that is as it was seen. Rejects with `tables.error.conflict` (`kwargs.row`: what it is now), `.not_found`, … */
export function write<V = Record<string, any>>(table: string, action: "update", args: [pk: Key, values: Partial<V>, version: number], options?: WriteOptions): Promise<Row<V>>;
/** Deletes a row that is as it was seen. */
export function write(table: string, action: "delete", args: [pk: Key, version: number], options?: WriteOptions): Promise<{ pk: Key; version: number; deleted: true }>;
/** One row's present state. */
export function write<V = Record<string, any>>(table: string, action: "row", args: [pk: Key], options?: WriteOptions): Promise<Row<V>>;
