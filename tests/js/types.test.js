/**
 * index.d.ts, held against what it describes: the bundle's exports, and the members of the objects
 * that pages get.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import { Connection } from "../../wampflask/browser/connection.js";
import * as errors from "../../wampflask/browser/errors.js";
import { live } from "../../wampflask/browser/live.js";
import { Clock } from "./clock.js";
import { newPage } from "./page.js";

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf-8");
const types = read("wampflask/browser/index.d.ts");
const declared = (kinds) =>
  [...types.matchAll(new RegExp(`^export (?:${kinds}) (\\w+)`, "gm"))].map(([, name]) => name);

/** The members of an interface or class, but not the constructor. */
function members(name) {
  const body = types.match(
    new RegExp(`^(?:export )?(?:interface|class) ${name}\\b.*\\{\\n([^]*?)^\\}`, "m"),
  )[1];
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[(:<]/gm)]
    .map(([, member]) => member)
    .filter((member) => member !== "constructor");
}

let clock;
beforeEach(() => {
  clock = new Clock();
});
afterEach(() => clock.restore());

test("what the bundle exports is declared, and nothing else", () => {
  const names = read("wampflask/browser/dist/wampflask.js")
    .match(/export\s*\{([^}]*)\}/)[1]
    .split(",")
    .map((name) => name.split(" as ").at(-1).trim());
  assert.ok(names.includes("live"));
  assert.deepEqual(names.sort(), [...new Set(declared("class|const|function"))].sort());
});

test("connections, sessions, live things and errors have the members that are declared", async () => {
  const page = newPage();
  const thing = live(page.connection, "shop.stock.tea", () => {});
  await page.join();
  const found = {
    Connection: page.connection,
    Session: page.connection.session,
    Live: thing,
    WampError: new errors.WampError("a.b"),
  };
  for (const [name, object] of Object.entries(found)) {
    assert.ok(members(name).length > 2, name);
    assert.deepEqual(
      members(name).filter((member) => !(member in object)),
      [],
      name,
    );
  }
  const own = [
    ...Object.getOwnPropertyNames(Connection.prototype),
    ...Object.keys(page.connection),
  ];
  assert.deepEqual(
    own.filter((name) => !["constructor", "fail", ...members("Connection")].includes(name)),
    [],
  );
  thing.stop();
  page.connection.stop();
});

test("the bundle keeps the names that are declared", () => {
  const [, mangled] = JSON.parse(read("package.json")).scripts.build.match(
    /--mangle-props='([^']*)'/,
  );
  const passedOn = ["invoke"]; // an option of WAMP's, which the client does not read
  const names = declared("class|interface")
    .flatMap(members)
    .filter((name) => !passedOn.includes(name));
  assert.ok(names.includes("refresh") && names.includes("number"));
  assert.deepEqual(
    names.filter((name) => new RegExp(mangled).test(name)),
    [],
  );
});
