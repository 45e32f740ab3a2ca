/**
 * Bundles what the site's pages load into static/built/: one script and one style sheet an area
 * (static/areas.json), fonts, and what Flask-Admin's pages load. Files are named by what is in
 * them, and lie there compressed as well. manifest.json says which file stands for which.
 *
 *   node .ci/assets.js [folder of the flask_admin package]     `npm run assets`
 *
 * Files of the build before stay: pages that are still open load them.
 */
import { build, transform } from "esbuild";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const STATIC = path.join(ROOT, "static");
const BUILT = path.join(STATIC, "built");
const MANIFEST = path.join(BUILT, "manifest.json");
const SOURCES = ["css", "img", "js", "vendor", "areas.json"];
const COMPRESSED = new Set([".css", ".js", ".svg"]);
const AREAS = JSON.parse(fs.readFileSync(path.join(STATIC, "areas.json"), "utf8"));

const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  legalComments: "inline",
  outdir: BUILT,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file", ".png": "dataurl", ".gif": "dataurl" },
  metafile: true,
  logLevel: "warning",
};

const files = {}; // what templates name -> the file's name in static/built

function folderOfFlaskAdmin() {
  const lib = path.join(ROOT, ".venv", "lib");
  const pythons = fs.existsSync(lib) ? fs.readdirSync(lib) : [];
  const usual = pythons.map((name) => path.join(lib, name, "site-packages", "flask_admin"));
  const [folder] = [...process.argv.slice(2, 3), ...usual].filter((place) => fs.existsSync(place));
  if (folder) return folder;
  throw new Error("Flask-Admin is not in .venv: run 'make setup', or name its folder.");
}

/** The digest of all sources, as wampflask/apps/assets.py makes it. */
function digestOfSources() {
  const digest = createHash("sha256");
  const all = SOURCES.flatMap((name) => filesBelow(path.join(STATIC, name)));
  for (const file of all.map((one) => path.relative(STATIC, one)).sort()) {
    digest.update(`${file}\0`).update(fs.readFileSync(path.join(STATIC, file)));
  }
  return digest.digest("hex");
}

function filesBelow(place) {
  if (!fs.statSync(place).isDirectory()) return [place];
  return fs.readdirSync(place).flatMap((name) => filesBelow(path.join(place, name)));
}

/** Notes the outputs of a build whose entry points are `names`, and the fonts that they load. */
function note({ metafile }, name) {
  for (const [output, { entryPoint, inputs }] of Object.entries(metafile.outputs)) {
    const sources = Object.keys(inputs);
    const key = entryPoint ? name(entryPoint) : path.relative("static", sources[0]);
    files[key] = path.basename(output);
  }
}

const isBehaviour = (file) =>
  /^export (async )?function connect\b/m.test(fs.readFileSync(file, "utf8"));

/** The module that stands for behaviours.js in an area's bundle. */
function table(area) {
  const folder = path.join(STATIC, "js");
  const own = area ? filesBelow(path.join(folder, area)) : [];
  const common = fs.readdirSync(folder).filter((name) => name.endsWith(".js"));
  const modules = [...own, ...common.map((name) => path.join(folder, name))].filter(isBehaviour);
  const lines = modules.map((file) => {
    const name = path.relative(folder, file).replace(/\.js$/, "");
    return `${JSON.stringify(name)}: () => import(${JSON.stringify(`./${name}.js`)}),`;
  });
  return `const modules = {${lines.join("\n")}};\nexport const load = (name) => modules[name]();`;
}

async function bundleScripts(area) {
  const behaviours = {
    name: "behaviours",
    setup({ onLoad }) {
      onLoad({ filter: /\/static\/js\/behaviours\.js$/ }, () => ({
        contents: table(area),
        resolveDir: path.join(STATIC, "js"),
      }));
    },
  };
  const name = area ?? "site";
  const entryPoints = [{ in: "static/js/app.js", out: name }];
  const external = ["wampflask"];
  const how = { ...OPTIONS, format: "esm", target: "es2022", external, plugins: [behaviours] };
  note(await build({ ...how, entryPoints }), () => `${name}.js`);
}

/** Bundles style sheets, in the order in which they are named. */
async function bundleStyles(name, sheets, options = {}) {
  const contents = sheets.map((sheet) => `@import ${JSON.stringify(sheet)};`).join("\n");
  const together = {
    name: "together",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^together$/ }, () => ({ path: name, namespace: "together" }));
      onLoad({ filter: /./, namespace: "together" }, () => {
        return { contents, loader: "css", resolveDir: STATIC };
      });
    },
  };
  const entryPoints = [{ in: "together", out: name }];
  note(
    await build({ ...OPTIONS, ...options, entryPoints, plugins: [together] }),
    () => `${name}.css`,
  );
}

/** Writes a classic script. */
function write(name, code) {
  const { name: stem, ext } = path.parse(name);
  const digest = createHash("sha256").update(code).digest("hex").slice(0, 8).toUpperCase();
  files[name] = `${stem}-${digest}${ext}`;
  fs.writeFileSync(path.join(BUILT, files[name]), code);
}

async function bundleAdmin(folder) {
  const { frame, scripts, single } = AREAS.admin;
  const place = (file) => path.join(folder, "static", file);
  const read = (file) => fs.readFileSync(place(file), "utf8");
  await bundleStyles("admin_frame", [...frame.map(place), "./css/tokens.css"]);
  write("admin_libraries.js", scripts.map(read).join(";\n"));
  for (const file of single) {
    if (file.endsWith(".js")) {
      const { code } = await transform(read(file), { minify: true });
      write(path.basename(file), code);
    } else {
      const logOverride = { "css-syntax-error": "silent" }; // hacks for browsers of long ago
      await bundleStyles(path.parse(file).name, [place(file)], { logOverride });
    }
  }
}

/** The library's client as wampflask/assets.py names it, to be sent without asking Flask. */
function copyClient() {
  const folder = path.join(ROOT, "wampflask", "browser");
  fs.rmSync(path.join(BUILT, "wamp"), { recursive: true, force: true });
  fs.mkdirSync(path.join(BUILT, "wamp"));
  const add = (stem, ext, code) => {
    const digest = createHash("sha256").update(code).digest("hex").slice(0, 16);
    const name = `${stem}-${digest}${ext}`;
    fs.writeFileSync(path.join(BUILT, "wamp", name), code);
    compress(`wamp/${name}`);
    return name;
  };
  const read = (file) => fs.readFileSync(path.join(folder, file), "utf8");
  const client = add("client", ".js", read("dist/wampflask.js"));
  add("table", ".js", read("dist/table.js").replaceAll('from"wampflask"', `from"./${client}"`));
  add("table", ".css", read("table/table.css"));
}

function compress(name) {
  const file = path.join(BUILT, name);
  if (!COMPRESSED.has(path.extname(name)) || fs.existsSync(`${file}.br`)) return;
  const plain = fs.readFileSync(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  fs.writeFileSync(`${file}.gz`, gzipSync(plain, { level: 9 }));
  fs.writeFileSync(`${file}.br`, brotliCompressSync(plain, { params }));
}

function removeAllBut(kept) {
  for (const name of fs.readdirSync(BUILT)) {
    if (!kept.has(name.replace(/\.(gz|br)$/, ""))) fs.rmSync(path.join(BUILT, name));
  }
}

const folder = folderOfFlaskAdmin();
const [, version] = fs
  .readFileSync(path.join(folder, "__init__.py"), "utf8")
  .match(/^__version__ = "(.+)"/m);
const sources = digestOfSources();
fs.mkdirSync(BUILT, { recursive: true });
const before = fs.existsSync(MANIFEST) ? JSON.parse(fs.readFileSync(MANIFEST, "utf8")).files : {};

const areas = Object.values(AREAS.areas);
for (const area of new Set(areas.map(({ behaviours }) => behaviours))) await bundleScripts(area);
for (const [name, { styles }] of Object.entries(AREAS.areas)) {
  const sheets = [...AREAS.common, ...styles];
  await bundleStyles(
    name,
    sheets.map((sheet) => `./css/${sheet}.css`),
  );
}
for (const file of ["js/admin.js", "js/player/upload.js", "css/admin.css", "img/icon.svg"]) {
  const loader = { ...OPTIONS.loader, ".svg": file.endsWith(".svg") ? "copy" : "dataurl" };
  const options = { ...OPTIONS, loader, format: "esm", entryPoints: [`static/${file}`] };
  note(await build(options), () => file);
}
await bundleAdmin(folder);
copyClient();

Object.values(files).forEach(compress);
removeAllBut(new Set(["wamp", "manifest.json", ...Object.values(files), ...Object.values(before)]));
const manifest = { sources, flask_admin: version, files };
fs.writeFileSync(`${MANIFEST}.new`, JSON.stringify(manifest, null, 1));
fs.renameSync(`${MANIFEST}.new`, MANIFEST);
