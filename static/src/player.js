// Plays the program: hls.js where it runs, the browser's own player elsewhere; silent until the viewer asks for sound. On a
// weak network the viewer can have the sound alone, and whoever came late can go back to the start.
import Hls from "hls.js";
import { cueHandler, tracks } from "./_captions.js";
import { keepNear } from "./_latency.js";
import { lookForLower } from "./_qualities.js";
import { trim } from "./_trim.js";

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
  const back = box.querySelector("[data-back]");
  const slate = () => Boolean(box.querySelector(".slate"));
  const say = (text) => { note.textContent = text; note.hidden = !text || slate(); };
  let playing = false;
  let blocked = false;
  // What is followed: "index" is the program as it goes on, "sound" its sound alone, "replay" all of it from the start.
  let following = "index";
  const live = () => following !== "replay";
  const url = () => playlist.replace("index.m3u8", `${live() ? following : "whole"}.m3u8`);

  const draw = () => {
    sound.hidden = !playing && !blocked;
    full.hidden = !playing || following !== "index";
    if (only) {
      only.hidden = !live() || (!playing && following === "index");
      only.textContent = following === "sound" ? "Show the picture" : "Sound only";
    }
    if (back) {
      back.hidden = following === "sound" || (live() && !playing);
      back.textContent = live() ? "Rewind" : "Back to live";
    }
    // The browser's own controls have all that is needed for looking back.
    video.controls = !live();
    sound.hidden ||= !live() && !blocked;
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
    let letGo;
    let timer = 0;
    let misses = 0;
    let mended = 0;
    const open = () => {
      letGo?.();
      if (hls) hls.destroy();
      // fMP4 needs no remuxing, so no worker: a worker from a blob is not allowed by the page's policy.
      hls = new Hls({
        enableWorker: false,
        lowLatencyMode: live(),
        backBufferLength: live() ? Infinity : 30,
        maxLiveSyncPlaybackRate: live() ? 1.15 : 1,
        liveSyncOnStallIncrease: 0,
        startPosition: live() ? -1 : 0,
        playlistLoadPolicy: { default: PATIENCE },
        cueHandler: cueHandler(Hls.DefaultConfig.cueHandler, video),
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
        if (live() && position && position - video.currentTime > 12) video.currentTime = position;
      };
      shown = () => hls.playingDate?.getTime() ?? null;
      letGo = tracks(video, hls, live);
      if (live()) {
        trim(video, hls);
        keepNear(hls);
        lookForLower(hls, url(), open);
      }
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
    tracks(video, null, live);
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

  const follow = (what) => {
    following = what;
    box.classList.toggle("listening", what === "sound");
    box.classList.toggle("looking-back", what === "replay");
    // Whoever asks for the sound alone wants to hear it.
    if (what === "sound") video.muted = false;
    playing = false;
    draw();
    reload();
  };
  only?.addEventListener("click", () => follow(following === "sound" ? "index" : "sound"));
  back?.addEventListener("click", () => follow(live() ? "replay" : "index"));

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
