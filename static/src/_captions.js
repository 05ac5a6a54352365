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

// Captions that are inside the picture come up once the picture does; whoever offers captions is told.
const inside = (video) => [...video.textTracks].filter((track) => track.kind === "captions");

/** Has a player show the tracks that the viewer chose. While the program is live the page itself shows what captioners send. */
export function tracks(video, hls, live = () => false) {
  const set = () => {
    const wanted = choice();
    const beside = !live() || document.fullscreenElement === video || video.webkitDisplayingFullscreen;
    if (hls) {
      const languages = hls.subtitleTracks.map((track) => track.lang ?? "");
      const at = wanted && beside ? nearest(languages, wanted) : -1;
      if (hls.subtitleTrack !== at) hls.subtitleTrack = at;
    } else {
      const own = [...video.textTracks].filter((track) => track.kind === "subtitles");
      const at = wanted && beside ? nearest(own.map((track) => track.language), wanted) : -1;
      own.forEach((track, index) => { track.mode = index === at ? "showing" : "disabled"; });
    }
    const written = Boolean(window.groundswellCaptions?.lines?.length) || Boolean(hls?.subtitleTracks.length);
    for (const track of inside(video)) {
      const mode = wanted && !written ? "showing" : "hidden";
      if (track.mode !== mode) track.mode = mode;
    }
  };
  const added = () => {
    if (inside(video).length) {
      window.groundswellInside = true;
      dispatchEvent(new CustomEvent("groundswell:captions"));
    }
    set();
  };
  hls?.on(hls.constructor.Events.SUBTITLE_TRACKS_UPDATED, set);
  video.textTracks.addEventListener("addtrack", added);
  for (const event of ["webkitbeginfullscreen", "webkitendfullscreen"]) video.addEventListener(event, set);
  addEventListener("groundswell:captions-choice", set);
  set();
  return () => {
    video.textTracks.removeEventListener("addtrack", added);
    for (const event of ["webkitbeginfullscreen", "webkitendfullscreen"]) video.removeEventListener(event, set);
    removeEventListener("groundswell:captions-choice", set);
  };
}
