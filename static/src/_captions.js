// What the scripts that show captions share: what the viewer chose, and the tracks that players have.
const KEY = "groundswell-captions";

/** The language that the viewer reads, or "" for none. */
export function choice() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return window.groundswellChoice ?? "";
  }
}

export function choose(language) {
  window.groundswellChoice = language;
  try { localStorage.setItem(KEY, language); } catch { /* it holds for this page */ }
  dispatchEvent(new CustomEvent("groundswell:captions-choice"));
}

/** What is nearest to a language among others: itself, one of the same tongue, or the first. */
export function nearest(languages, wanted) {
  const tongue = (tag) => tag.toLowerCase().split("-")[0];
  const exact = languages.findIndex((tag) => tag.toLowerCase() === wanted.toLowerCase());
  if (exact >= 0) return exact;
  const near = languages.findIndex((tag) => tongue(tag) === tongue(wanted));
  return near >= 0 ? near : languages.length ? 0 : -1;
}

/** A language as its speakers call it. */
export function nameOf(tag) {
  try {
    return new Intl.DisplayNames([tag], { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

// The track of captions inside the picture, once there were any.
const inside = new WeakMap();

/**
 * Takes the captions that hls.js finds inside the picture into a track of our own: hls.js fills its own only where picture and
 * sound have a buffer each, and here they share one.
 */
export function cueHandler(handler, video) {
  return {
    newCue(_track, from, until, screen) {
      if (!inside.has(video)) {
        inside.set(video, video.addTextTrack("captions", "CC"));
        window.groundswellInside = true;
        dispatchEvent(new CustomEvent("groundswell:captions"));
        dispatchEvent(new CustomEvent("groundswell:captions-choice"));
      }
      const track = inside.get(video);
      if (track.mode === "disabled") track.mode = "hidden";
      for (const cue of handler.newCue(null, from, until, screen)) track.addCue(cue);
      return [];
    },
  };
}

/** Has a player show the tracks that the viewer chose. While the program is live the page itself shows what captioners send. */
export function tracks(video, hls, live = () => false) {
  const set = () => {
    const wanted = choice();
    const beside = !live() || document.fullscreenElement === video || video.webkitDisplayingFullscreen;
    if (hls) {
      const languages = hls.subtitleTracks.map((track) => track.lang ?? "");
      const at = wanted && beside ? nearest(languages, wanted) : -1;
      if (hls.subtitleTrack !== at) hls.subtitleTrack = at;
      hls.subtitleDisplay = at >= 0;
    } else {
      const own = [...video.textTracks].filter((track) => track.kind === "subtitles");
      const at = wanted && beside ? nearest(own.map((track) => track.language), wanted) : -1;
      own.forEach((track, index) => { track.mode = index === at ? "showing" : "disabled"; });
    }
    const written = Boolean(window.groundswellCaptions?.lines?.length) || Boolean(hls?.subtitleTracks.length);
    // hls.js forgets how far these captions are with each part of a segment: whoever reads them has whole segments, and is some
    // seconds farther behind.
    if (hls && live() && window.groundswellInside) hls.lowLatencyMode = !wanted || written;
    // Both would say the same, one over the other.
    const picture = inside.has(video) && wanted && !written;
    if (inside.has(video)) inside.get(video).mode = picture ? "showing" : "hidden";
    video.parentElement.classList.toggle("captioned", Boolean(picture));
  };
  // A new load has another timeline.
  const old = inside.get(video);
  for (const cue of [...old?.cues ?? []]) old.removeCue(cue);
  // Browsers choose among tracks by themselves as these come up, and may switch off what was chosen: so once more when the
  // first picture is there.
  const events = ["loadeddata", "webkitbeginfullscreen", "webkitendfullscreen"];
  hls?.on(hls.constructor.Events.SUBTITLE_TRACKS_UPDATED, set);
  hls?.on(hls.constructor.Events.MANIFEST_PARSED, (_event, { levels }) => {
    if (!levels.some(({ attrs }) => attrs?.["CLOSED-CAPTIONS"])) return;
    window.groundswellInside = true;
    dispatchEvent(new CustomEvent("groundswell:captions"));
  });
  for (const event of events) video.addEventListener(event, set);
  addEventListener("groundswell:captions-choice", set);
  set();
  return () => {
    for (const event of events) video.removeEventListener(event, set);
    removeEventListener("groundswell:captions-choice", set);
  };
}
