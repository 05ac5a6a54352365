// The list of qualities is read once, and a speaker may come later who sends more of them. Whoever stands still, reads it again.
import Hls from "hls.js";

const LOOK_EVERY_MS = 30_000;
/** When everybody stands still, they don't all ask at once. */
const SPREAD_MS = 2_000;

/** How many qualities a playlist of playlists names. */
export const named = (text) => text.split("#EXT-X-STREAM-INF:").length - 1;

export function lookForLower(hls, url, reopen) {
  let known = Infinity;
  let looked = -Infinity;
  let gone = false;
  hls.on(Hls.Events.DESTROYING, () => { gone = true; });
  hls.on(Hls.Events.MANIFEST_LOADED, (_event, { levels }) => { known = levels.length; });
  hls.on(Hls.Events.ERROR, async (_event, { details }) => {
    if (details !== Hls.ErrorDetails.BUFFER_STALLED_ERROR || performance.now() - looked < LOOK_EVERY_MS) return;
    looked = performance.now();
    await new Promise((resolve) => { setTimeout(resolve, Math.random() * SPREAD_MS); });
    try {
      const answer = await fetch(url, { cache: "no-store" });
      if (answer.ok && named(await answer.text()) > known && !gone) reopen();
    } catch { /* the server is away: hls.js asks on */ }
  });
}
