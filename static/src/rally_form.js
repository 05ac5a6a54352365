// The rally form's small helps: an address made from the title, and a look at the colour.
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
