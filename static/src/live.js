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

function swap(old, html) {
  const next = parse(html);
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

let leaving = false;
function show(frame) {
  if (!frame || typeof frame.seq !== "number" || frame.seq < seqLast) return;
  seqLast = frame.seq;
  for (const [name, html] of Object.entries(frame.parts || {})) {
    for (const node of document.querySelectorAll(`[data-part="${CSS.escape(name)}"]`)) swap(node, html);
  }
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
