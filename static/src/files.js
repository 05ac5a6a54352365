// Shows how far files are while they are made: a download has no length, so the browser itself can't.
const PAUSE_MS = 700;
// A file may have to wait before it begins: for its turn, or for the log.
const LOOKS_WITHOUT = 4;
const box = document.getElementById("files-made");
let looks = 0;
let at;

async function look() {
  clearTimeout(at);
  try {
    const answer = await fetch(box.dataset.at, { headers: { accept: "text/html" } });
    if (answer.ok) box.innerHTML = await answer.text();
    looks = box.firstElementChild ? LOOKS_WITHOUT : looks - 1;
  } catch {
    looks -= 1;
  }
  if (looks > 0) at = setTimeout(look, PAUSE_MS);
}

function begin() {
  looks = LOOKS_WITHOUT;
  at = setTimeout(look, PAUSE_MS);
}

document.querySelector("form.exports").addEventListener("submit", begin);
if (box.firstElementChild) begin();
