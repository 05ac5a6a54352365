// Copy, show, print and share: buttons that only exist where a script runs.
document.documentElement.classList.add("js");

async function copy(text, field) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Plain http on a local network has no clipboard: select, so that one keystroke does it.
    if (!field) return false;
    const kind = field.type;
    field.type = "text";
    field.select();
    const done = document.execCommand("copy");
    field.type = kind;
    return done;
  }
  return true;
}
function told(button, text) {
  const was = button.dataset.was || button.textContent;
  button.dataset.was = was;
  button.textContent = text;
  setTimeout(() => { button.textContent = was; }, 1800);
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  const field = document.getElementById(button.dataset.copy);
  const label = document.querySelector(`label[for="${CSS.escape(button.dataset.copy)}"]`);
  if (label) button.setAttribute("aria-description", label.textContent);
  button.addEventListener("click", async () => told(button, (await copy(field.value, field)) ? "Copied" : "Select it"));
}
for (const button of document.querySelectorAll("[data-show]")) {
  button.hidden = false;
  const field = document.getElementById(button.dataset.show);
  button.addEventListener("click", () => {
    const hidden = field.type === "password";
    field.type = hidden ? "text" : "password";
    button.textContent = hidden ? "Hide" : "Show";
  });
}
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
for (const button of document.querySelectorAll("[data-share]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const { share: url, title } = button.dataset;
    if (navigator.share) {
      try { await navigator.share({ title, url }); } catch { /* the viewer closed the sheet */ }
    } else told(button, (await copy(url)) ? "Link copied" : "Copy the address");
  });
}
