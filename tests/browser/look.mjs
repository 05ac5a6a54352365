// A page in light and dark, on a phone and on a desk: nothing serious in axe's eyes, nothing that scrolls sideways, and its pictures.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { picture, root } from "./kit.mjs";

const AXE = readFileSync(path.join(root, "node_modules/axe-core/axe.min.js"), "utf8");
const LOOKS = [
  { name: "phone-light", viewport: { width: 390, height: 844 }, colorScheme: "light" },
  { name: "phone-dark", viewport: { width: 390, height: 844 }, colorScheme: "dark" },
  { name: "desk-light", viewport: { width: 1440, height: 900 }, colorScheme: "light" },
  { name: "desk-dark", viewport: { width: 1440, height: 900 }, colorScheme: "dark" },
];

/** Looks at a page that is open, in all four looks. */
export async function look(page, name, { overlay = false, without = [] } = {}) {
  const found = [];
  for (const { name: how, viewport, colorScheme } of LOOKS) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await page.evaluate(() => document.fonts.ready);
    // Axe goes in through the debugger, which the page's policy does not stop.
    if (!(await page.evaluate(() => Boolean(window.axe)))) await page.evaluate(AXE);
    const violations = await page.evaluate(async (exclude) => {
      const result = await window.axe.run({ include: [["html"]], exclude }, { resultTypes: ["violations"] });
      return result.violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
        .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
    }, without.map((selector) => [selector]));
    found.push(...violations.map((text) => `${name} ${how}: ${text}`));
    const wide = await page.evaluate(() => {
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= width) return "";
      const out = [...document.querySelectorAll("body *")].find((node) => node.getBoundingClientRect().right > width + 1);
      return `${document.documentElement.scrollWidth} > ${width}: ${out?.outerHTML.slice(0, 160)}`;
    });
    if (wide) found.push(`${name} ${how}: scrolls sideways, ${wide}`);
    if (overlay) {
      const behind = await page.evaluate(() => [document.documentElement, document.body].map((node) => getComputedStyle(node).backgroundColor));
      if (behind.some((color) => color !== "rgba(0, 0, 0, 0)")) found.push(`${name} ${how}: not transparent, ${behind}`);
    }
    await picture(page, `${name}-${how}`);
  }
  assert.deepEqual(found, []);
}
