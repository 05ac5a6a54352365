// The donate forms: the amount on the button, the fields that only some need, the fee's exact sum, no second send.
import { coverOf, minorOf, written } from "./_cover.js";
import { solve } from "./_effort.js";
import { panel } from "./_panel.js";

// The United States, and what of them has a code of its own.
const HOME = ["US", "AS", "GU", "MP", "PR", "UM", "VI"];
const shows = (box, shown) => box && box.classList.toggle("open", shown);

for (const form of document.querySelectorAll("form[data-donate]")) {
  form.classList.add("js");
  const button = form.querySelector("[data-donate-button]");
  const verb = button && (button.dataset.verb || "Donate");
  const plain = button && button.textContent;
  const box = form.querySelector("[data-other]");
  const other = box && box.querySelector("input");
  const cover = form.querySelector("[data-cover]");
  const value = (name) => form.querySelector(`[name=${name}]:checked`)?.value;

  // The sum for the fee beside its box, and the label of the amount with it.
  const withCover = (typed, label) => {
    if (!cover) return label;
    const { basisPoints, fixed, exponent, symbol } = cover.dataset;
    const digits = Number(exponent);
    const amount = minorOf(typed, digits);
    const sum = amount && coverOf(amount, { basisPoints: Number(basisPoints), fixed: Number(fixed) });
    form.querySelector("[data-cover-sum]").textContent = sum === null || !amount ? "the fee" : written(sum, digits, symbol);
    return cover.checked && amount && sum !== null ? written(amount + sum, digits, symbol) : label;
  };
  const draw = () => {
    const chosen = form.querySelector("input[name=amount]:checked");
    const isOther = Boolean(chosen) && chosen.value === "other";
    shows(box, isOther);
    shows(form.querySelector("[data-alias]"), value("show_as") === "alias");
    const country = form.querySelector("[data-country]");
    shows(form.querySelector("[data-passport]"), Boolean(country) && !HOME.includes(country.value));
    const typed = other ? other.value.trim() : "";
    const amount = isOther || !chosen ? typed : chosen.value;
    const bare = chosen && !isOther ? chosen.dataset.label : typed && `${other.dataset.symbol}${typed}`;
    const label = withCover(amount, bare);
    const every = value("every");
    const note = form.querySelector("[data-every-note]");
    if (note) note.hidden = every !== "month" && every !== "week";
    const often = every === "month" || every === "week" ? ` each ${every}` : "";
    if (button) button.textContent = label && label.length < 16 ? `${verb} ${label}${often}` : plain;
  };
  form.addEventListener("change", (event) => {
    draw();
    if (event.target.name === "amount" && event.target.value === "other" && other) other.focus();
  });
  if (other) other.addEventListener("input", () => {
    const radio = form.querySelector("input[name=amount][value=other]");
    if (other.value && radio) radio.checked = true;
    draw();
  });
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => { delete form.dataset.sent; draw(); });
  draw();

  const effort = form.querySelector("[data-effort]");
  // Browsers hash on secure pages only; elsewhere the wait stands as it is written.
  if (effort && globalThis.crypto?.subtle) {
    const text = effort.querySelector("[data-effort-text]");
    text.textContent = "Very many gifts come in from where you are, so your device proves that it is not a machine that sends thousands. It takes a few seconds and goes on by itself.";
    void solve(effort.dataset.effort, Number(effort.dataset.bits)).then((solution) => {
      form.querySelector("[name=solution]").value = solution;
      form.requestSubmit();
    });
  }
}
panel();

// A payment that waits for the bank: the page asks again, a little less often each time. In line the server says when: the
// shorter the way, the oftener.
const wait = document.querySelector("[data-reload]");
if (wait) {
  const tries = Number(sessionStorage.getItem(location.pathname) || 0) + 1;
  sessionStorage.setItem(location.pathname, String(tries));
  // What takes days is not asked for all night.
  const most = Number(wait.dataset.tries || Infinity);
  if (tries <= most) {
    const pace = Number(wait.dataset.reload);
    setTimeout(() => location.reload(), ("steady" in wait.dataset ? pace : Math.min(15, pace + tries)) * 1000);
  }
}
