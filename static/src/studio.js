// The studio's keys and cuts, and the rally form's small helps.
const studio = document.querySelector("[data-studio]");
const form = document.getElementById("program");

if (studio && form) {
  const say = (text, bad) => {
    document.querySelector(".notice")?.remove();
    if (!text) return;
    const note = document.createElement("p");
    note.className = bad ? "notice bad" : "notice";
    note.setAttribute("role", bad ? "alert" : "status");
    note.textContent = text;
    studio.before(note);
  };
  // A cut is sent without leaving the page; the next live frame shows it. What the server answers is still read.
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form));
    body.set("source", event.submitter ? event.submitter.value : "");
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" } });
      if (answer.url.includes("/sign-in")) { location.reload(); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const note = page.querySelector(".notice");
      if (note) say(note.textContent, note.classList.contains("bad"));
      else if (!answer.ok) say(page.querySelector("h1")?.textContent || "The server refused the cut.", true);
      else say("");
    } catch {
      say("The server could not be reached; nothing was changed.", true);
    }
  });

  const hint = document.querySelector("[data-keys-hint]");
  if (hint) hint.hidden = false;
  let armed = "";
  let timer = 0;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !/^[0-9]$/.test(event.key)) return;
    if (event.target.closest("input,textarea,select")) return;
    const button = event.key === "0"
      ? studio.querySelector('.src.on button[name="source"]')
      : studio.querySelector(`.src[data-key="${event.key}"] button[name="source"]:not([value=""])`);
    if (!button || button.disabled) return;
    clearTimeout(timer);
    if (armed === event.key) {
      armed = "";
      button.click();
      return;
    }
    // One stray key must not change what thousands see: the same key twice does.
    armed = event.key;
    button.focus();
    const name = button.closest(".src").querySelector("b").textContent;
    say(event.key === "0" ? `Press 0 again to take ${name} off.` : `Press ${event.key} again to put ${name} on.`);
    timer = setTimeout(() => { armed = ""; say(""); }, 3000);
  });
}

const rally = document.querySelector("[data-rally-form]");
if (rally) {
  const { title, slug, accent } = rally.elements;
  let own = Boolean(slug.value);
  slug.addEventListener("input", () => { own = true; });
  title.addEventListener("input", () => {
    if (own) return;
    slug.value = title.value.normalize("NFKD").replace(/[\u0300-\u036f’']/g, "").toLowerCase()
      .replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  });
  const sample = rally.querySelector("[data-accent-try]");
  const draw = () => {
    const part = (at) => {
      const level = parseInt(accent.value.slice(at, at + 2), 16) / 255;
      return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
    };
    const light = 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
    sample.style.setProperty("--accent", accent.value);
    sample.style.setProperty("--on-accent", 1.05 / (light + 0.05) >= 4.5 ? "#ffffff" : "#15141a");
  };
  accent.addEventListener("input", draw);
  draw();
}
