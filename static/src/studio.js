// The studio: keys and cuts, the run of show, and every source's small picture.
import Hls from "hls.js/light";

const studio = document.querySelector("[data-studio]");

// Pictures that play at once: more than a screen shows, fewer than a browser can decode.
const PREVIEWS_MAX = 12;
const PREVIEW_AGAIN_MS = 3_000;
const PREVIEW_AGAIN_MS_MAX = 15_000;
// How long a key that wants to be pressed twice waits for the second.
const ARMED_MS = 3_000;

function say(text, bad) {
  document.querySelector(".notice")?.remove();
  if (!text) return;
  const note = document.createElement("p");
  note.className = bad ? "notice bad" : "notice";
  note.setAttribute("role", bad ? "alert" : "status");
  note.textContent = text;
  studio.before(note);
}

// What the host does is sent without leaving the page; the next live frame shows it. What the server answers is still read.
function sendQuietly(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { submitter } = event;
    const body = new URLSearchParams(new FormData(form));
    if (submitter) body.set(submitter.name, submitter.value);
    // A button that was clicked must not take the space key afterwards.
    if (submitter && !submitter.matches(":focus-visible")) submitter.blur();
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" } });
      if (answer.url.includes("/sign-in")) { location.reload(); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const note = page.querySelector(".notice");
      if (note) say(note.textContent, note.classList.contains("bad"));
      else if (!answer.ok) say(page.querySelector("main p")?.textContent || page.querySelector("h1")?.textContent || "The server refused this.", true);
      else say("");
    } catch {
      say("The server could not be reached; nothing was changed.", true);
    }
  });
}

function keys() {
  const hint = document.querySelector("[data-keys-hint]");
  const twice = document.querySelector("[data-keys-twice]");
  if (hint) hint.hidden = false;
  if (twice) {
    twice.checked = localStorage.getItem("groundswell-keys") === "twice";
    twice.addEventListener("change", () => {
      localStorage.setItem("groundswell-keys", twice.checked ? "twice" : "once");
      twice.blur();
    });
  }
  let timer = 0;
  const disarm = () => {
    clearTimeout(timer);
    delete studio.dataset.armed;
  };
  const second = (key, words) => {
    const was = studio.dataset.armed;
    disarm();
    if (was === key) return true;
    studio.dataset.armed = key;
    say(words);
    timer = setTimeout(() => { disarm(); say(""); }, ARMED_MS);
    return false;
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest("input:not([type=checkbox]),textarea,select")) return;
    if (event.key === " ") {
      // The space key on a button that the keyboard went to is that button's own.
      if (event.target.closest("button,a,summary,input")?.matches(":focus-visible")) return;
      const next = studio.querySelector("[data-next]");
      if (!next) return;
      event.preventDefault();
      if (second("next", `Press space again for “${next.querySelector("span").textContent.trim()}”.`)) next.click();
      return;
    }
    if (!/^[0-9]$/.test(event.key)) return;
    const button = event.key === "0"
      ? studio.querySelector('.src.on button[name="source"]')
      : studio.querySelector(`.src[data-key="${event.key}"] button[name="source"]:not([value=""])`);
    if (!button || button.disabled) return;
    const name = button.closest(".src").querySelector("b").textContent;
    const words = event.key === "0" ? `Press 0 again to take ${name} off.` : `Press ${event.key} again to put ${name} on.`;
    if (!twice?.checked || second(event.key, words)) button.click();
  });
}

// Counts down what is left of the item that is on, by the server's clock.
function countdown() {
  let ahead = Number(studio.dataset.now) - Date.now();
  addEventListener("groundswell:frame", (event) => { if (event.detail.at_ms) ahead = event.detail.at_ms - Date.now(); });
  const clock = (seconds) => {
    const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, String(seconds % 60).padStart(2, "0")];
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  };
  setInterval(() => {
    for (const node of studio.querySelectorAll("[data-ends]")) {
      const left = Math.ceil((Number(node.dataset.ends) - Date.now() - ahead) / 1000);
      const words = left >= 0 ? `${clock(left)} left` : `${clock(-left)} over`;
      if (node.textContent !== words) node.textContent = words;
      node.closest(".runitem").classList.toggle("over", left < 0);
    }
  }, 250);
}

// The sources' own pictures, small and silent, of those that are in view.
function previews() {
  const players = new Map();
  const seen = new WeakSet();
  const again = new Map();
  const close = (tile) => {
    const player = players.get(tile);
    players.delete(tile);
    player.box.classList.remove("on");
    player.hls?.destroy();
    player.video.removeAttribute("src");
    player.video.load();
  };
  const open = (tile) => {
    const url = tile.dataset.preview;
    const box = tile.querySelector(".src-play");
    const video = box.querySelector("video");
    const player = { url, box, video };
    players.set(tile, player);
    video.muted = true;
    video.onplaying = () => {
      again.delete(url);
      box.classList.add("on");
    };
    const failed = () => {
      const wait = Math.min(PREVIEW_AGAIN_MS_MAX, 2 * (again.get(url)?.wait ?? PREVIEW_AGAIN_MS / 2));
      again.set(url, { wait, at: performance.now() + wait });
      if (players.get(tile) === player) close(tile);
    };
    if (Hls.isSupported()) {
      player.hls = new Hls({ enableWorker: false, lowLatencyMode: true, backBufferLength: 4, maxBufferLength: 8, maxLiveSyncPlaybackRate: 1.3 });
      player.hls.on(Hls.Events.MANIFEST_PARSED, () => video.play().catch(() => {}));
      player.hls.on(Hls.Events.ERROR, (_event, data) => { if (data.fatal) failed(); });
      player.hls.attachMedia(video);
      player.hls.loadSource(url);
    } else {
      video.onerror = failed;
      video.src = url;
      video.play().catch(() => {});
    }
  };
  const look = () => {
    const tiles = [...studio.querySelectorAll(".src")];
    for (const [tile, player] of players) {
      if (!tile.isConnected || !seen.has(tile) || document.hidden || tile.dataset.preview !== player.url) close(tile);
    }
    for (const tile of tiles) {
      view.observe(tile);
      const { preview } = tile.dataset;
      const waits = (again.get(preview)?.at ?? 0) > performance.now();
      if (preview && !waits && !document.hidden && seen.has(tile) && !players.has(tile) && players.size < PREVIEWS_MAX) open(tile);
    }
  };
  const view = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) seen.add(entry.target); else seen.delete(entry.target);
    look();
  });
  addEventListener("groundswell:frame", look);
  document.addEventListener("visibilitychange", look);
  look();
}

if (studio) {
  for (const form of [document.getElementById("program"), document.getElementById("show")]) sendQuietly(form);
  keys();
  countdown();
  previews();
}
