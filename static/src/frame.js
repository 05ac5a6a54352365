// A page of giving that stands in a frame: beside the picture of our own rally page, or on another site.

/** The page around this one, where it is ours. */
const around = (() => {
  try {
    return parent !== window && parent.location.origin === location.origin ? parent : null;
  } catch {
    // Another site's page does not let itself be read.
    return null;
  }
})();
const leave = () => around.postMessage("groundswell:leave", location.origin);

if (around) {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) leave();
  });
  for (const link of document.querySelectorAll("[data-leave]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      leave();
    });
  }
}
