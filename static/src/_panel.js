// Giving beside the picture: the donate form opens in a frame of this page, so that whoever watches goes on watching. Without
// this script, or where dialogs are not to be had, the links and forms lead to the form's own page.

const WIDE = matchMedia("(min-width:861px)");

function make() {
  const dialog = document.createElement("dialog");
  dialog.className = "give-panel";
  dialog.setAttribute("aria-label", "Donate");
  const head = document.createElement("div");
  head.className = "panel-head";
  const title = document.createElement("b");
  title.textContent = "Donate";
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn bare";
  close.textContent = "Close";
  const frame = document.createElement("iframe");
  frame.title = "Donate";
  frame.allow = "payment";
  head.append(title, close);
  dialog.append(head, frame);
  document.body.append(dialog);
  return { dialog, frame, close };
}

/** The form that is open in the frame and was not sent; what was typed in it is worth keeping. */
const openForm = (frame) => frame.contentDocument?.querySelector("form[data-donate]");

/** Puts another amount into a form that somebody has begun to fill in. */
function choose(form, amount) {
  const fitting = form.querySelector(`input[name=amount][value="${CSS.escape(amount)}"]`);
  const radio = fitting || form.querySelector("input[name=amount][value=other]");
  if (!radio) return;
  radio.checked = true;
  if (!fitting) form.querySelector("[name=amount_other]").value = amount;
  radio.dispatchEvent(new Event("change", { bubbles: true }));
}

export function panel() {
  const stage = document.querySelector(".is-live .video");
  if (!stage || !window.HTMLDialogElement) return;
  let made = null;
  let opener = null;

  const place = () => {
    // On a phone the picture stays above; held upright it sticks to the top, and otherwise the page is brought there.
    const top = WIDE.matches ? "" : `${Math.max(0, Math.min(stage.getBoundingClientRect().bottom, innerHeight * 0.45))}px`;
    made.dialog.style.top = top;
  };
  const close = () => {
    if (!made?.dialog.open) return;
    made.dialog.close();
    document.body.classList.remove("giving");
    // After the thanks the next gift begins anew.
    if (!openForm(made.frame) && !made.frame.contentDocument?.querySelector("#card-form")) made.frame.removeAttribute("src");
    opener?.focus();
  };
  const open = (url, from) => {
    if (!made) {
      made = make();
      made.close.addEventListener("click", close);
      made.dialog.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
      addEventListener("resize", () => { if (made.dialog.open) place(); });
    }
    opener = from;
    const amount = url.searchParams.get("amount");
    const begun = made.frame.hasAttribute("src") && openForm(made.frame);
    if (begun && amount) choose(begun, amount);
    else if (!begun) made.frame.src = url.href;
    if (!WIDE.matches) scrollTo({ top: 0, behavior: "instant" });
    document.body.classList.add("giving");
    made.dialog.show();
    place();
    made.frame.focus();
  };

  addEventListener("message", (event) => {
    const ours = made && event.origin === location.origin && event.source === made.frame.contentWindow;
    if (ours && event.data === "groundswell:leave") close();
  });
  const donate = (action, pairs) => {
    const url = new URL(action, location.href);
    for (const [name, value] of pairs) if (value) url.searchParams.set(name, value);
    return url;
  };
  for (const form of document.querySelectorAll("form.give")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      delete form.dataset.sent;
      open(donate(form.action, new FormData(form)), event.submitter);
    });
  }
  for (const link of document.querySelectorAll(".dock a")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(donate(link.href, []), link);
    });
  }
}
