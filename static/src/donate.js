// The donate forms: the amount on the button, the field for another amount, no second send.
for (const form of document.querySelectorAll("form[data-donate]")) {
  form.classList.add("js");
  const button = form.querySelector("[data-donate-button]");
  const verb = button && (button.dataset.verb || "Donate");
  const plain = button && button.textContent;
  const box = form.querySelector("[data-other]");
  const other = box && box.querySelector("input");
  const draw = () => {
    const chosen = form.querySelector("input[name=amount]:checked");
    const isOther = Boolean(chosen) && chosen.value === "other";
    if (box) box.classList.toggle("open", isOther);
    const typed = isOther && other && other.value.trim() ? `${other.dataset.symbol}${other.value.trim()}` : "";
    const label = chosen && !isOther ? chosen.dataset.label : typed;
    if (button) button.textContent = label && label.length < 16 ? `${verb} ${label}` : plain;
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
}
// A payment that waits for the bank: the page asks again, a little less often each time.
const wait = document.querySelector("[data-reload]");
if (wait) {
  const tries = Number(sessionStorage.getItem(location.pathname) || 0) + 1;
  sessionStorage.setItem(location.pathname, String(tries));
  setTimeout(() => location.reload(), Math.min(15, Number(wait.dataset.reload) + tries) * 1000);
}
