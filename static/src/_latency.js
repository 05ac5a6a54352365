// How far behind live the picture is: as near as the playlist allows. After a standstill it stays a little farther behind, and
// comes nearer again when it has been calm; hls.js would stay a whole second farther for the rest of the evening, after
// each of the first two.
import Hls from "hls.js";

const STEP_S = 0.5;
const STEPS_MAX = 4;
/** So long without a standstill is calm. Coming nearer too early makes the next one longer. */
const CALM_MS = 60_000;
const CALM_MS_MAX = 16 * CALM_MS;

/** The steps behind, at times in ms. */
export class Steps {
  count = 0;
  #since = 0;
  #calm = CALM_MS;
  #came = -Infinity;

  stoodStill(now) {
    // It came nearer, and that was too near.
    if (now - this.#came < this.#calm) this.#calm = Math.min(2 * this.#calm, CALM_MS_MAX);
    this.count = Math.min(this.count + 1, STEPS_MAX);
    this.#since = now;
  }

  /** Whether it comes nearer by a step. */
  tick(now) {
    if (!this.count || now - this.#since < this.#calm) return false;
    this.count -= 1;
    this.#since = now;
    this.#came = now;
    return true;
  }
}

/** Goes with `liveSyncOnStallIncrease: 0`. */
export function keepNear(hls) {
  const steps = new Steps();
  const set = () => {
    const nearest = hls.latestLevelDetails?.partHoldBack;
    if (nearest) hls.targetLatency = nearest + steps.count * STEP_S;
  };
  hls.on(Hls.Events.ERROR, (_event, { details }) => {
    if (details !== Hls.ErrorDetails.BUFFER_STALLED_ERROR) return;
    steps.stoodStill(performance.now());
    set();
  });
  hls.on(Hls.Events.LEVEL_UPDATED, () => { if (steps.tick(performance.now())) set(); });
}
