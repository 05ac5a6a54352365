// The clips' page: how far an upload is, and what is left of the clip on program.
const form = document.querySelector("[data-upload]");

if (form) {
  const progress = form.querySelector("[data-upload-progress]");
  const bar = progress.querySelector("progress");
  const words = progress.querySelector("span");
  const wrong = form.querySelector("[data-upload-error]");
  const button = form.querySelector("button");
  const refuse = (text) => {
    progress.hidden = true;
    button.disabled = false;
    wrong.textContent = text;
    wrong.hidden = false;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      const percent = total ? Math.floor((loaded / total) * 100) : 0;
      bar.value = percent;
      const text = percent < 100 ? `${percent} %` : "Checking the file…";
      if (words.textContent !== text) words.textContent = text;
    });
    request.addEventListener("load", () => {
      if (request.status === 200) { location.assign(request.responseURL); return; }
      const answer = new DOMParser().parseFromString(request.responseText, "text/html");
      const said = answer.querySelector("[data-upload-error]:not([hidden])") ?? answer.querySelector("main h1, h1");
      refuse(said?.textContent.trim() || "The server refused the file.");
    });
    request.addEventListener("error", () => refuse("The upload broke off. Check the connection and try again."));
    wrong.hidden = true;
    progress.hidden = false;
    button.disabled = true;
    const body = new FormData(form);
    request.open("POST", form.action);
    request.send(body);
  });
}

const clocks = [...document.querySelectorAll("[data-ends]")];
if (clocks.length) {
  const tick = () => {
    for (const clock of clocks) {
      const left = Math.max(0, Math.round((Number(clock.dataset.ends) - Date.now()) / 1000));
      const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
      const two = (value) => String(value).padStart(2, "0");
      clock.textContent = hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
      // The clip is over: what the page says of it is told anew.
      if (left === 0) setTimeout(() => location.reload(), 2000);
    }
    if (clocks.every((clock) => clock.textContent !== "0:00")) setTimeout(tick, 1000);
  };
  tick();
}
