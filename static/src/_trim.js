// Lets go of what was played. hls.js would do so whenever the picture moves on, and if just then a part is between its arrival and
// the buffer, it forgets which parts of the growing segment it has: it then waits for one that it has already, and the picture
// stands still until that segment's parts leave the playlist, three seconds and more. Here it is done between two parts.
import Hls from "hls.js";

/** Behind the picture so much stays. */
const KEPT_S = 30;
/** It is let go in pieces of this. */
const STEP_S = 10;
/** Who never has all parts that there are, lets go at this. */
const KEPT_S_MAX = 120;

/** Whether what lies before `end` is to go now that `part` is in the buffer; `start` is where that begins, in s. */
export function mayGo({ start, end, part, newest }) {
  if (end - start < STEP_S) return false;
  const between = !newest || (part && part.fragment.sn === newest.fragment.sn && part.index === newest.index);
  return Boolean(between) || end - start > KEPT_S_MAX - KEPT_S;
}

export function trim(video, hls) {
  hls.on(Hls.Events.FRAG_BUFFERED, (_event, { part }) => {
    if (!video.buffered.length) return;
    const end = video.currentTime - KEPT_S;
    const newest = hls.latestLevelDetails?.partList?.at(-1);
    if (mayGo({ start: video.buffered.start(0), end, part, newest })) hls.trigger(Hls.Events.BUFFER_FLUSHING, { startOffset: 0, endOffset: end, type: null });
  });
}
