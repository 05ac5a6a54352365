// The replay of a rally that has ended: chapters by speaker, and the total as it rose, in step with the picture.
import Hls from "hls.js";
import { cueHandler, tracks } from "./_captions.js";
import { transcript } from "./_transcript.js";

const box = document.querySelector("[data-replay]");
const video = box && box.querySelector("video");

const clock = (seconds) => {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
};

/** The last of sorted pairs that begins at or before `at`. */
function lastUntil(pairs, at) {
  let [low, high] = [0, pairs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pairs[middle][0] <= at) low = middle + 1;
    else high = middle;
  }
  return pairs[low - 1];
}

function play() {
  const url = box.dataset.replay;
  const note = box.querySelector("[data-player-state]");
  let date = () => null;
  if (Hls.isSupported()) {
    const hls = new Hls({ enableWorker: false, startPosition: 0, cueHandler: cueHandler(Hls.DefaultConfig.cueHandler, video) });
    hls.on(Hls.Events.ERROR, (_event, data) => {
      if (!data.fatal) return;
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
      else {
        note.hidden = false;
        note.textContent = "The replay can’t be loaded just now. Reload the page to try again.";
      }
    });
    date = () => hls.playingDate?.getTime() ?? null;
    tracks(video, hls);
    hls.attachMedia(video);
    hls.loadSource(url);
  } else {
    tracks(video, null);
    video.src = url;
    date = () => {
      const began = video.getStartDate?.().getTime();
      return Number.isFinite(began) ? began + video.currentTime * 1000 : null;
    };
  }
  return date;
}

async function mark(date) {
  const answer = await fetch(box.dataset.marks);
  if (!answer.ok) return;
  const { chapters, totals } = await answer.json();
  const list = box.querySelector("[data-chapters]");
  for (const { at, name } of chapters) {
    const button = document.createElement("button");
    button.type = "button";
    const time = document.createElement("span");
    time.className = "num";
    time.textContent = clock(at);
    const who = document.createElement("b");
    who.dir = "auto";
    who.textContent = name;
    button.append(time, who);
    button.addEventListener("click", () => { video.currentTime = at + 0.05; video.play(); });
    const item = document.createElement("li");
    item.append(button);
    list.append(item);
  }
  list.hidden = !chapters.length;
  const line = box.querySelector("[data-replay-total]");
  const amount = line.querySelector("[data-amount]");
  const draw = () => {
    const now = date();
    const point = now === null ? totals[0] : lastUntil(totals, now) ?? totals[0];
    if (point && amount.textContent !== point[1]) amount.textContent = point[1];
    line.hidden = !point;
    [...list.children].forEach((item, index) => {
      const on = video.currentTime >= chapters[index].at && !(video.currentTime >= (chapters[index + 1]?.at ?? Infinity));
      item.toggleAttribute("aria-current", on);
    });
  };
  video.addEventListener("timeupdate", draw);
  video.addEventListener("seeked", draw);
  draw();
}

if (video) {
  mark(play());
  transcript(box, video);
}
