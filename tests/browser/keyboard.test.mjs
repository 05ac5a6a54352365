// Giving without a mouse and without looking: the order of the tab key from the amount to the thanks, what is said of each fault,
// no complaint of axe's at all; and how little a donor on a phone has to do.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { DONOR, Person, REFUSED_FORM, Server, closeBrowser, owner, rally, root, send, story, until } from "./kit.mjs";

const test = story();
const AXE = readFileSync(path.join(root, "node_modules/axe-core/axe.min.js"), "utf8");
// What a first gift may ask of a donor, counted below: whoever adds a field raises it here, and has to mean it.
const FIELDS_MAX = 7;
const TAPS_MAX = 5;
let server;
let host;
let made;
let donor;
let page;

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  donor = await Person.come(server);
});
after(async () => {
  for (const person of [donor, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
});

/** No rule of axe's is broken, however small. */
async function isClean(shown, name) {
  await shown.evaluate(AXE);
  const found = await shown.evaluate(async () => (await window.axe.run()).violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes[0].html.slice(0, 140)}`));
  assert.deepEqual(found, [], name);
}

/** Where the keyboard is: a field's name, or the words of a link or button. */
const here = () => page.evaluate(() => {
  const at = document.activeElement;
  return at.name || (at.classList.contains("summary") ? "summary" : at.textContent.trim().replace(/\s+/g, " ").slice(0, 30));
});

/** Presses Tab until the keyboard is at `place`; what it came by. */
async function tabTo(place) {
  const passed = [];
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press("Tab");
    const now = await here();
    if (now === place) return passed;
    passed.push(now);
  }
  assert.fail(`${place} is not reached by Tab: ${passed.join(", ")}`);
}

/** What a screen reader says of the field that has the keyboard. */
const said = () => page.evaluate(() => {
  const at = document.activeElement;
  const ids = (at.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
  return { invalid: at.getAttribute("aria-invalid"), words: ids.map((id) => document.getElementById(id)?.textContent ?? `(no ${id})`).join(" ") };
});

const TYPED = ["first_name", "last_name", "email", "address", "city", "region", "postal"];

test("every fault is announced, and leads to its field", async () => {
  page = await donor.open(`${made.href}/donate?amount=50`);
  await isClean(page, "form");
  await page.keyboard.press("Tab");
  assert.equal(await here(), "Skip to the page");
  await page.keyboard.press("Enter");
  await tabTo("Continue with $50");
  await donor.expecting(REFUSED_FORM, async () => {
    await page.keyboard.press("Enter");
    await page.locator(".summary").waitFor();
  });
  await until("the keyboard is at the summary", async () => (await here()) === "summary");
  assert.equal(await page.locator(".summary").getAttribute("role"), "alert");
  await isClean(page, "form with faults");
  const links = await page.locator(".summary a").evaluateAll((all) => all.map((link) => [link.getAttribute("href").slice(1), link.textContent]));
  assert.deepEqual(links.map(([field]) => field), [...TYPED, "employer", "occupation", "attest"], "in the order of the form");
  for (const [field, words] of links) {
    await page.locator(`.summary a[href="#${field}"]`).focus();
    await page.keyboard.press("Enter");
    await until(`${field} has the keyboard`, async () => (await here()) === field);
    const { invalid, words: heard } = await said();
    assert.equal(invalid, "true", field);
    assert.ok(heard.includes(words), `${field}: “${heard}” does not say “${words}”`);
  }
  donor.clean();
});

test("from the amount to the thanks by the keyboard alone", async () => {
  page = await donor.open(`${made.href}/donate?amount=50`);
  await tabTo("amount");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator("input[name=amount]:checked").inputValue(), "100");
  assert.deepEqual(await tabTo("every"), [], "nothing that is hidden is stopped at");
  assert.deepEqual(await tabTo("cover_fee"), []);
  for (const field of TYPED) {
    assert.deepEqual(await tabTo(field), [], `${field} comes next`);
    await page.keyboard.type(DONOR[field]);
  }
  assert.deepEqual(await tabTo("country"), []);
  assert.deepEqual(await tabTo("not_employed"), []);
  await page.keyboard.press("Space");
  assert.deepEqual(await tabTo("show_as"), [], "who has no employer is not asked for one");
  assert.deepEqual(await tabTo("message"), []);
  assert.deepEqual(await tabTo("attest"), []);
  await page.keyboard.press("Space");
  assert.deepEqual(await tabTo("Continue with $100"), []);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/donate\/[0-9a-f-]+$/);
  await isClean(page, "card");
  await tabTo("method");
  await page.keyboard.press("ArrowDown");
  await tabTo("Donate $100");
  await donor.expecting(REFUSED_FORM, async () => {
    await page.keyboard.press("Enter");
    await page.locator(".declined-title").waitFor();
  });
  assert.match(await page.locator("#card-error[role=alert]").textContent(), /declined/i);
  await isClean(page, "card that was declined");
  await tabTo("method");
  await tabTo("Donate $100");
  await page.keyboard.press("Enter");
  await page.locator("h1:has-text('Thank you')").waitFor();
  await isClean(page, "thanks");
  donor.clean();
});

test("axe has nothing against what is passed on, and against goals and matches", async () => {
  await send(host, `${made.studio}/goals`, `${made.studio}/goals/match`, {
    sponsor: "The Rivera family", percent: "100", most: "500", from: "2020-01-01T00:00", until: "2099-12-31T21:00",
  });
  for (const [person, address] of [[donor, `${made.href}/donate`], [donor, made.href], [host, `${made.studio}/share`], [host, `${made.studio}/goals`]]) {
    const shown = await person.open(address);
    await isClean(shown, address);
    await shown.close();
  }
  host.clean();
  donor.clean();
});

test("a donor on a phone gives with a handful of taps and fields", async () => {
  const phone = await Person.come(server, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const shown = await phone.open(made.href);
  const done = { taps: 0, fields: 0 };
  const tap = async (what) => {
    done.taps += 1;
    await what.tap();
  };
  const began = Date.now();
  await tap(shown.locator("a[href*='/donate'], form.give [data-donate-button]").locator("visible=true").first());
  // Beside the picture the form comes in a panel, and elsewhere as a page.
  const frame = shown.locator(".give-panel iframe");
  await until("the form is there", async () => (await frame.count()) > 0 || /\/donate/.test(shown.url()));
  const form = (await frame.count()) > 0 ? shown.frameLocator(".give-panel iframe") : shown;
  await tap(form.locator("label:has(> input[name=amount][value='25'])"));
  for (const field of TYPED) {
    done.fields += 1;
    // The phone's own key leads to the next field: no tap of its own.
    await form.locator(`#${field}`).focus();
    await form.locator(`#${field}`).pressSequentially(DONOR[field], { delay: 60 });
  }
  await tap(form.locator("label:has(> #not_employed)"));
  await tap(form.locator("label:has(> #attest)"));
  await tap(form.locator("[data-donate-button]"));
  await form.locator("form.card-form").waitFor();
  console.log(`# ${done.taps} taps, ${done.fields} fields, ${Math.round((Date.now() - began) / 1000)} s at 60 ms a key, up to the card`);
  assert.ok(done.fields <= FIELDS_MAX && done.taps <= TAPS_MAX, JSON.stringify(done));
  await form.locator("form.card-form button").tap();
  await form.locator("h1:has-text('Thank you')").waitFor();
  await phone.leave();
});
