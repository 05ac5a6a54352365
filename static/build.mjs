// Bundles static/src into static/dist under names that hold a hash of the content, and writes the table of names.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import decompress from "woff2-encoder/decompress";

const here = dirname(fileURLToPath(import.meta.url));
const src = join(here, "src");
const dist = join(here, "dist");
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });

const manifest = {};
const entryPoints = readdirSync(src)
  .filter((file) => [".css", ".js"].includes(extname(file)) && !file.startsWith("_"))
  .map((file) => join(src, file));
const result = await build({
  entryPoints,
  bundle: true,
  minify: true,
  sourcemap: false,
  legalComments: "inline",
  format: "iife",
  target: ["chrome111", "firefox113", "safari16.4"],
  loader: { ".woff2": "file" },
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  outdir: dist,
  metafile: true,
  logLevel: "warning",
});
for (const [output, meta] of Object.entries(result.metafile.outputs)) {
  const file = basename(output);
  const from = meta.entryPoint ?? Object.keys(meta.inputs)[0];
  manifest[basename(from)] = file;
}

// Pictures are not bundled: they are copied under a hashed name.
for (const file of readdirSync(src).filter((name) => extname(name) === ".svg")) {
  const bytes = readFileSync(join(src, file));
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8).toUpperCase();
  const name = `${basename(file, ".svg")}-${hash}.svg`;
  writeFileSync(join(dist, name), bytes);
  manifest[file] = name;
}

// The slate is drawn by the server, which reads fonts unpacked; they are embedded, and not served.
const archivo = join(here, "..", "node_modules", "@fontsource-variable", "archivo", "files");
for (const script of ["latin", "latin-ext", "vietnamese"]) {
  const packed = readFileSync(join(archivo, `archivo-${script}-standard-normal.woff2`));
  writeFileSync(join(dist, `slate-${script}.ttf`), await decompress(packed));
}

// The countries of the donate form: codes of ISO 3166-1 with the names of CLDR, which people use, the likely ones first.
const LIKELY = ["US", "CA", "GB", "AU", "DE", "ES", "FR", "IE", "IL", "IN", "IT", "JP", "KR", "MX", "NL", "NZ", "CH"];
const codes = createRequire(import.meta.url)("i18n-iso-countries/codes.json").map(([code]) => code);
const nameOf = (code) => new Intl.DisplayNames(["en"], { type: "region" }).of(code);
const rest = codes.filter((code) => !LIKELY.includes(code) && code !== "XK");
rest.sort((a, b) => nameOf(a).localeCompare(nameOf(b), "en"));
writeFileSync(join(dist, "countries.json"), JSON.stringify([...LIKELY, ...rest].map((code) => [code, nameOf(code)])));

const sorted = Object.fromEntries(Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(join(dist, "manifest.json"), `${JSON.stringify(sorted, null, 2)}\n`);
