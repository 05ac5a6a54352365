// Plays the program: hls.js where it runs, the browser's own player elsewhere; silent until the viewer asks for sound.
import Hls from "hls.js";

const box = document.querySelector("[data-player]");
const video = box && box.querySelector("video");

function play() {
  const url = box.dataset.playlist;
  const note = box.querySelector("[data-player-state]");
  const controls = box.querySelector(".controls");
  const sound = box.querySelector("[data-sound]");
  const full = box.querySelector("[data-full]");
  const slate = () => Boolean(box.querySelector(".slate"));
  const say = (text) => { note.textContent = text; note.hidden = !text || slate(); };
  let playing = false;
  let blocked = false;

  const draw = () => {
    sound.hidden = !playing && !blocked;
    full.hidden = !playing;
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
  let edge = () => {};
  if (Hls.isSupported()) {
    let hls;
    let timer = 0;
    let misses = 0;
    let mended = 0;
    const open = () => {
      if (hls) hls.destroy();
      // fMP4 needs no remuxing, so no worker: a worker from a blob is not allowed by the page's policy.
      hls = new Hls({ enableWorker: false, lowLatencyMode: true, backBufferLength: 30, maxLiveSyncPlaybackRate: 1.15 });
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
      hls.attachMedia(video);
      hls.loadSource(url);
    };
    // Before the first segment the playlist is empty. Until there is something to play, what is on screen stays.
    const look = async () => {
      let there = false;
      try {
        there = (await fetch(url, { cache: "no-store" })).status === 200;
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
      timer = setTimeout(() => { timer = 0; video.src = url; start(); }, 1500 + Math.random() * 1500);
    };
    video.addEventListener("error", () => again());
    video.src = url;
    start();
  } else {
    say("This browser can’t play the live picture. Please try another one.");
    return;
  }

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
