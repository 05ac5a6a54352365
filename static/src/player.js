// Plays the program: hls.js where it runs, the browser's own player elsewhere; silent until the viewer asks for sound. On a
// weak network the viewer can have the sound alone.
import Hls from "hls.js";

// While nothing comes from the speaker a playlist that was asked for ahead is answered "not yet": asked again, and soon.
const RETRY = { maxNumRetry: 8, retryDelayMs: 500, maxRetryDelayMs: 2000 };
const PATIENCE = { maxTimeToFirstByteMs: 9000, maxLoadTimeMs: 15000, timeoutRetry: RETRY, errorRetry: RETRY };

const box = document.querySelector("[data-player]");
const video = box && box.querySelector("video");

function play() {
  const playlist = box.dataset.playlist;
  const note = box.querySelector("[data-player-state]");
  const controls = box.querySelector(".controls");
  const sound = box.querySelector("[data-sound]");
  const full = box.querySelector("[data-full]");
  const only = box.querySelector("[data-sound-only]");
  const slate = () => Boolean(box.querySelector(".slate"));
  const say = (text) => { note.textContent = text; note.hidden = !text || slate(); };
  let playing = false;
  let blocked = false;
  let listening = false;
  const url = () => (listening ? playlist.replace("index.m3u8", "sound.m3u8") : playlist);

  const draw = () => {
    sound.hidden = !playing && !blocked;
    full.hidden = !playing || listening;
    if (only) {
      only.hidden = !playing && !listening;
      only.textContent = listening ? "Show the picture" : "Sound only";
      only.setAttribute("aria-pressed", String(listening));
    }
    sound.textContent = blocked ? "Tap to play" : video.muted ? "Tap for sound" : "Sound off";
    controls.classList.toggle("quiet", !blocked && !video.muted);
  };
  const start = async () => {
    try {
      await video.play();
      blocked = false;
    } catch (error) {
      // Only a refusal to autoplay asks for a tap; a new load aborts the old play() all the time.
      if (error.name === "NotAllowedError") blocked = true;
    }
    draw();
  };
  sound.addEventListener("click", () => {
    video.muted = blocked ? false : !video.muted;
    if (!video.muted) video.volume = 1;
    start();
  });
  full.addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (box.requestFullscreen) box.requestFullscreen();
    else if (video.webkitEnterFullscreen) video.webkitEnterFullscreen();
  });
  video.addEventListener("playing", () => { playing = true; blocked = false; box.classList.add("on"); say(""); draw(); });
  video.addEventListener("waiting", () => { if (playing) say("Catching up…"); });
  video.addEventListener("volumechange", draw);
  video.muted = true;

  let again;
  let reload;
  let edge = () => {};
  // When what is on screen was taken up, in ms since 1970: other parts of the page keep in step with it.
  let shown = () => null;
  window.groundswellPicture = () => (playing ? shown() : null);
  if (Hls.isSupported()) {
    let hls;
    let timer = 0;
    let misses = 0;
    let mended = 0;
    const open = () => {
      if (hls) hls.destroy();
      // fMP4 needs no remuxing, so no worker: a worker from a blob is not allowed by the page's policy.
      hls = new Hls({
        enableWorker: false,
        lowLatencyMode: true,
        backBufferLength: 30,
        maxLiveSyncPlaybackRate: 1.15,
        playlistLoadPolicy: { default: PATIENCE },
      });
      hls.on(Hls.Events.MANIFEST_PARSED, () => { misses = 0; start(); });
      hls.on(Hls.Events.ERROR, (_event, data) => {
        if (!data.fatal) return;
        if (data.type === Hls.ErrorTypes.MEDIA_ERROR && Date.now() - mended > 8000) {
          mended = Date.now();
          hls.recoverMediaError();
          start();
        } else again();
      });
      edge = () => {
        const position = hls.liveSyncPosition;
        if (position && position - video.currentTime > 12) video.currentTime = position;
      };
      shown = () => hls.playingDate?.getTime() ?? null;
      hls.attachMedia(video);
      hls.loadSource(url());
    };
    reload = open;
    // Before the first segment the playlist is empty. Until there is something to play, what is on screen stays.
    const look = async () => {
      let there = false;
      try {
        there = (await fetch(url(), { cache: "no-store" })).status === 200;
      } catch { /* the server is away: asked again */ }
      timer = 0;
      if (there) open();
      else again();
    };
    again = () => {
      if (timer) return;
      misses += 1;
      say("Waiting for the picture…");
      const wait = Math.min(8000, 1000 + misses * 500) * (0.75 + Math.random() / 2);
      timer = setTimeout(look, wait);
    };
    look();
  } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
    let timer = 0;
    again = () => {
      if (timer) return;
      say("Waiting for the picture…");
      timer = setTimeout(() => { timer = 0; reload(); }, 1500 + Math.random() * 1500);
    };
    reload = () => { video.src = url(); start(); };
    shown = () => {
      const began = video.getStartDate?.().getTime();
      return Number.isFinite(began) ? began + video.currentTime * 1000 : null;
    };
    video.addEventListener("error", () => again());
    reload();
  } else {
    say("This browser can’t play the live picture. Please try another one.");
    return;
  }

  only?.addEventListener("click", () => {
    listening = !listening;
    box.classList.toggle("listening", listening);
    // Whoever wants only the sound wants to hear it.
    if (listening) video.muted = false;
    draw();
    reload();
  });

  let at = -1;
  let stuck = 0;
  setInterval(() => {
    if (document.hidden || blocked || (video.paused && playing)) return;
    stuck = video.currentTime === at ? stuck + 1 : 0;
    at = video.currentTime;
    if (stuck >= 4 && playing) {
      stuck = 0;
      again();
    }
  }, 3000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) edge(); });
}

if (video) play();
