// Captions on the live picture: two rows, shown as they come by the live line. They are some seconds behind the words, and so
// is the picture: whoever watches no farther behind than that reads them at once, others when their picture is there.
import { choice, choose, nameOf, nearest } from "./_captions.js";

// A captioner needs at least so long for the words.
const LATE_MS = 3_000;
// A page that is opened shows what came a moment ago.
const FRESH_MS = 6_000;
// What is longer fills the picture's width twice, and leaves no room for the row before.
const ROW_CHARS_MAX = 64;
// Captions that wait for a picture that is far behind.
const WAITING_MAX = 200;

const place = document.querySelector("[data-captions]");
const button = document.querySelector("[data-captions-button]");
const menu = document.querySelector("[data-captions-language]");
// In OBS there is nobody to press a button: the overlay shows the language in its address, or the first.
const always = place?.dataset.captions === "always";

let languages = [];
let newest = 0;
let waiting = [];
let shown = [];
let timer = 0;

const asked = () => new URLSearchParams(location.search).get("lang") || "en";
const reads = () => {
  const wanted = always ? asked() : choice();
  return wanted ? languages[nearest(languages, wanted)] : undefined;
};

function draw() {
  place.replaceChildren(...shown.flatMap(({ text }) => text.split("\n")).filter(Boolean).map((text) => {
    const row = document.createElement("p");
    row.dir = "auto";
    const words = document.createElement("span");
    words.textContent = text;
    row.append(words);
    return row;
  }));
}

function show(line) {
  const now = performance.now();
  const above = shown.at(-1);
  const fits = above && above.until >= now && !/\n/.test(line.text) && Math.max(line.text.length, above.last.length) <= ROW_CHARS_MAX;
  // Of what stood before, its last row moves up.
  shown = line.text ? [...(fits ? [{ ...above, text: above.last }] : []), { text: line.text, last: line.text.split("\n").at(-1), until: now + line.ms }] : [];
  draw();
}

function step() {
  clearTimeout(timer);
  const at = window.groundswellPicture ? window.groundswellPicture() : null;
  const language = reads();
  while (waiting.length && (!Number.isFinite(at) || waiting[0].at - LATE_MS <= at || waiting.length > WAITING_MAX)) {
    const line = waiting.shift();
    if (line.lang === language) show(line);
  }
  if (shown.length && shown.at(-1).until < performance.now()) {
    shown = [];
    draw();
  }
  if (waiting.length || shown.length) timer = setTimeout(step, 150);
}

function offer() {
  if (!button) return;
  const on = Boolean(choice());
  button.hidden = !languages.length && !window.groundswellInside;
  button.setAttribute("aria-pressed", String(on));
  if (!menu) return;
  menu.hidden = !on || languages.length < 2;
  if (menu.options.length !== languages.length) {
    menu.replaceChildren(...languages.map((tag) => new Option(nameOf(tag), tag)));
  }
  menu.value = reads() ?? "";
}

function take() {
  const said = window.groundswellCaptions;
  if (said) {
    languages = said.languages;
    // The first message tells of what was before this page: only what has just come is still to be read.
    const now = Math.max(0, ...said.lines.map(({ at }) => at));
    for (const line of said.lines) {
      if (line.at <= newest || (!newest && line.at < now - FRESH_MS)) continue;
      waiting.push(line);
    }
    newest = Math.max(newest, now);
    waiting.sort((a, b) => a.at - b.at);
  }
  offer();
  step();
}

if (place) {
  button?.addEventListener("click", () => {
    const at = nearest(languages, navigator.language);
    choose(choice() ? "" : languages[at] ?? navigator.language);
  });
  menu?.addEventListener("change", () => choose(menu.value));
  addEventListener("groundswell:captions-choice", () => { shown = []; draw(); offer(); step(); });
  addEventListener("groundswell:captions", take);
  take();
}
