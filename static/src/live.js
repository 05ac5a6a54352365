// Keeps a page's parts current: frames over server-sent events, or polled where those don't get through.
const main = document.querySelector("[data-live-url]");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const state = document.querySelector("[data-live-state]");
let seqLast = -1;

function parse(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html.trim();
  return holder.content.firstElementChild;
}

// Counts from one text to the other, keeping the new text's currency, separators and decimals where they stand.
function countUp(node, before, after) {
  const digits = (text) => text.replace(/[^0-9]/g, "");
  const from = Number(digits(before));
  const to = Number(digits(after));
  if (still.matches || document.hidden || !(to > from) || to > Number.MAX_SAFE_INTEGER) return;
  const started = performance.now();
  const glyphs = [...after];
  const step = (now) => {
    const part = Math.min(1, (now - started) / 900);
    const value = Math.round(from + (to - from) * (1 - (1 - part) ** 3));
    let left = String(value).padStart(Math.min(digits(after).length, digits(before).length), "0");
    const out = [];
    for (let at = glyphs.length - 1; at >= 0; at -= 1) {
      if (/[0-9]/.test(glyphs[at])) {
        if (left === "") continue;
        out.unshift(left.slice(-1));
        left = left.slice(0, -1);
      } else if (left !== "" || !/[.,’'\s\u00a0\u202f]/.test(glyphs[at])) out.unshift(glyphs[at]);
    }
    node.textContent = part < 1 ? out.join("") : after;
    if (part < 1 && node.isConnected) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

// Makes one tree the other without replacing what stays: pictures play on, what was opened stays open, the keyboard stays where
// it is. Children with a data-id are found by it; what is marked data-keep belongs to a script of the page.
function morph(old, next) {
  if ("keep" in old.dataset || old.isEqualNode(next)) return;
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const known = new Map([...old.children].filter((child) => child.dataset.id).map((child) => [child.dataset.id, child]));
  let at = old.firstChild;
  for (const want of [...next.childNodes]) {
    const id = want.dataset?.id;
    const have = id ? known.get(id) : at;
    if (!have || have.nodeName !== want.nodeName || have.dataset?.id !== id) {
      old.insertBefore(want, at);
      continue;
    }
    if (have === at) at = at.nextSibling;
    else old.insertBefore(have, at);
    if (have.nodeType === Node.ELEMENT_NODE) morph(have, want);
    else if (have.data !== want.data) have.data = want.data;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function swap(old, html) {
  const next = parse(html);
  if (next && "morph" in old.dataset) {
    morph(old, next);
    return;
  }
  if (!next || next.outerHTML === old.dataset.was) return;
  if (!old.dataset.was && next.outerHTML === old.outerHTML) return;
  const texts = [...old.querySelectorAll("[data-count]")].map((node) => node.dataset.count || node.textContent);
  const ids = new Set([...old.querySelectorAll("[data-id]")].map((node) => node.dataset.id));
  const reached = old.querySelectorAll("u.reached").length;
  const list = old.querySelector(".feed");
  const scroll = list ? list.scrollTop : 0;
  const held = old.contains(document.activeElement) ? document.activeElement : null;
  const was = next.outerHTML;
  old.replaceWith(next);
  next.dataset.was = was;
  next.querySelectorAll("[data-count]").forEach((node, at) => {
    const after = node.textContent;
    node.dataset.count = after;
    if (texts[at] && texts[at] !== after) countUp(node, texts[at], after);
  });
  if (ids.size || old.querySelector(".none")) {
    for (const node of next.querySelectorAll("[data-id]")) if (!ids.has(node.dataset.id)) node.classList.add("new");
  }
  if (next.querySelectorAll("u.reached").length > reached && !still.matches) {
    next.classList.add("celebrate");
    setTimeout(() => next.classList.remove("celebrate"), 1200);
  }
  const fresh = next.querySelector(".feed");
  if (fresh) fresh.scrollTop = scroll;
  if (held) {
    // The keyboard's place is kept: the same button, or the list that was being scrolled.
    const twin = held.name
      ? next.querySelector(`[name="${CSS.escape(held.name)}"][value="${CSS.escape(held.value)}"]`)
      : next.querySelector(held.className ? `.${CSS.escape(held.classList[0])}` : "a,button,[tabindex]");
    if (twin) twin.focus({ preventScroll: true });
  }
}

function reloadWhenIdle() {
  const busy = document.activeElement && document.activeElement.matches("input:not([type=radio]),textarea,select");
  if (busy && document.activeElement.value) setTimeout(reloadWhenIdle, 2000);
  else location.reload();
}

function put(parts) {
  for (const [name, html] of Object.entries(parts)) {
    for (const node of document.querySelectorAll(`[data-part="${CSS.escape(name)}"]`)) swap(node, html);
  }
}

// Money in step with the picture: whoever watches 20 s behind sees the total that the speaker is reading out. Frames wait until
// the picture on the screen is as late as they are; staff see everything at once.
const STEPPED = ["total", "feed", "ticker"];
// A viewer who has stopped the picture must not be left with old figures for good.
const LAG_MS_MAX = 60_000;
// Four frames a second for as long.
const WAITING_MAX = 240;
// A picture that stands still so long without having been stopped has no speaker in it.
const STUCK_MS_MAX = 5_000;
const waiting = [];
let waitTimer = 0;
let pictureAt = 0;
let pictureMoved = 0;

// The instant of the picture on the screen, in ms since 1970; none while there is no picture.
function picture() {
  const at = window.groundswellPicture ? window.groundswellPicture() : null;
  if (!Number.isFinite(at)) return null;
  const now = performance.now();
  if (at !== pictureAt) {
    pictureAt = at;
    pictureMoved = now;
  }
  const video = document.querySelector("[data-player] video");
  return now - pictureMoved > STUCK_MS_MAX && !(video && video.paused) ? null : at;
}

function step() {
  const at = picture();
  let due;
  while (waiting.length) {
    const [first] = waiting;
    const late = performance.now() - first.came > LAG_MS_MAX || waiting.length > WAITING_MAX;
    if (at !== null && first.at > at && !late) break;
    due = waiting.shift();
  }
  if (due) put(due.parts);
  clearTimeout(waitTimer);
  if (waiting.length) waitTimer = setTimeout(step, 200);
}

let leaving = false;
function show(frame) {
  if (!frame || typeof frame.seq !== "number" || frame.seq < seqLast) return;
  seqLast = frame.seq;
  const entries = Object.entries(frame.parts || {});
  const inStep = !("studio" in main.dataset) && Number.isFinite(frame.at_ms);
  const stepped = ([name]) => inStep && STEPPED.includes(name);
  put(Object.fromEntries(entries.filter((entry) => !stepped(entry))));
  if (inStep) {
    waiting.push({ at: frame.at_ms, came: performance.now(), parts: Object.fromEntries(entries.filter(stepped)) });
    step();
  }
  dispatchEvent(new CustomEvent("groundswell:frame", { detail: frame }));
  const { phase } = main.dataset;
  if (frame.phase && phase !== "any" && frame.phase !== phase && !leaving) {
    leaving = true;
    // Everybody learns of it in the same moment; the reloads are spread so that the server doesn't.
    setTimeout(reloadWhenIdle, Math.random() * 2500);
  }
  ages();
}

function ages() {
  for (const node of document.querySelectorAll(".feed time[datetime]")) {
    const minutes = Math.floor((Date.now() - Date.parse(node.dateTime)) / 60000);
    if (Number.isNaN(minutes) || minutes > 2880) continue;
    node.textContent = minutes < 1 ? "just now" : minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
  }
}

let lost = 0;
function online(yes) {
  clearTimeout(lost);
  if (!state) return;
  if (yes) state.hidden = true;
  else lost = setTimeout(() => { state.hidden = false; }, 2500);
}

let failures = 0;
let polling = 0;
async function poll() {
  try {
    const answer = await fetch(main.dataset.liveJson, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.json());
    online(true);
  } catch {
    online(false);
  }
  if (polling) polling = setTimeout(poll, 3000 + Math.random() * 2000);
}

function connect() {
  const source = new EventSource(main.dataset.liveUrl);
  const take = (event) => {
    failures = 0;
    clearTimeout(polling);
    polling = 0;
    online(true);
    try { show(JSON.parse(event.data)); } catch { /* a torn frame: the next one holds everything */ }
  };
  source.onmessage = take;
  source.addEventListener("frame", take);
  // Kept too: the script that shows them may be read later.
  source.addEventListener("captions", (event) => {
    window.groundswellCaptions = JSON.parse(event.data);
    dispatchEvent(new CustomEvent("groundswell:captions"));
  });
  source.onopen = () => online(true);
  source.onerror = () => {
    failures += 1;
    if (!polling) online(false);
    if (failures >= 3 && !polling && main.dataset.liveJson) polling = setTimeout(poll, 200);
    if (source.readyState === EventSource.CLOSED) {
      source.close();
      setTimeout(connect, Math.min(30000, 1000 * 2 ** Math.min(failures, 5)) * (0.5 + Math.random()));
    }
  };
  addEventListener("pagehide", () => source.close(), { once: true });
}

if (main) {
  if ("EventSource" in window) connect();
  else { polling = 1; poll(); }
  // A page that comes out of the browser's memory has a closed line and old figures.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  setInterval(ages, 20000);
  ages();
}

const countdown = document.querySelector("[data-countdown]");
if (countdown) {
  const start = Date.parse(countdown.dataset.countdown);
  const put = (part, value) => {
    const node = countdown.querySelector(`[data-${part}]`);
    if (node.textContent !== value) node.textContent = value;
  };
  const tick = () => {
    const seconds = Math.floor((start - Date.now()) / 1000);
    if (seconds <= 0) {
      countdown.querySelector("[data-countdown-label]").textContent = "Any moment now. This page opens by itself.";
      countdown.querySelector(".clock").hidden = true;
      return;
    }
    put("d", String(Math.floor(seconds / 86400)));
    put("h", String(Math.floor(seconds / 3600) % 24).padStart(2, "0"));
    put("m", String(Math.floor(seconds / 60) % 60).padStart(2, "0"));
    put("s", String(seconds % 60).padStart(2, "0"));
    setTimeout(tick, 1000);
  };
  if (!Number.isNaN(start)) { tick(); countdown.hidden = false; }
}
