// The transcript beside the replay: what was said, by whom, with times that seek. It is text on the page, so that the
// browser's own search finds it.
import { nameOf } from "./_captions.js";

const clock = (seconds) => {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
};

function row({ at, text }, video) {
  const line = document.createElement("p");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "num";
  button.textContent = clock(at / 1000);
  button.addEventListener("click", () => { video.currentTime = at / 1000 + 0.05; video.play(); });
  const words = document.createElement("span");
  words.dir = "auto";
  words.textContent = text;
  line.append(button, words);
  return line;
}

let drawn;

export async function transcript(box, video, language = "") {
  const url = box.dataset.transcript;
  // Nobody wrote captions.
  if (!url) return;
  const answer = await fetch(language ? `${url}?lang=${encodeURIComponent(language)}` : url);
  if (!answer.ok) return;
  const said = await answer.json();
  const section = box.querySelector("[data-transcript-box]");
  const list = box.querySelector("[data-transcript-lines]");
  const menu = box.querySelector("[data-transcript-language]");
  const rows = [];
  for (const line of said.lines) {
    if (line.who !== undefined) {
      const who = document.createElement("h3");
      who.dir = "auto";
      who.textContent = line.who || "Between speakers";
      rows.push(who);
    }
    rows.push(row(line, video));
  }
  list.replaceChildren(...rows);
  list.lang = said.language;
  if (!menu.options.length) {
    menu.replaceChildren(...said.languages.map(([tag]) => new Option(nameOf(tag), tag)));
    menu.addEventListener("change", () => transcript(box, video, menu.value));
  }
  menu.value = said.language;
  menu.hidden = said.languages.length < 2;
  section.hidden = !said.lines.length;
  const lines = [...list.querySelectorAll("p")];
  let marked;
  const mark = () => {
    const on = lines[said.lines.findLastIndex(({ at }) => at <= video.currentTime * 1000)];
    if (on === marked) return;
    marked?.removeAttribute("aria-current");
    on?.setAttribute("aria-current", "true");
    marked = on;
  };
  // Another language takes this one's place.
  drawn?.abort();
  drawn = new AbortController();
  video.addEventListener("timeupdate", mark, { signal: drawn.signal });
}
