// Giving, with simulated money: to the thanks, and onto everybody's screen.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Person, REFUSED_FORM, Server, closeBrowser, owner, pledge, rally, story, totalOf, until } from "./kit.mjs";

const test = story();
let server;
let host;
let made;
let donor;
let page;
let watcher;
let watching;

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  watcher = await Person.come(server);
  watching = await watcher.open(made.href);
  await watching.evaluate(() => { window.sameDocument = true; });
  donor = await Person.come(server);
});
after(async () => {
  for (const person of [donor, watcher, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
});

/** The other browser's total comes to `total`; how long it took is printed. */
async function seen(total, since) {
  await until(`the other browser shows ${total}`, async () => (await totalOf(watching)) === total, { within: 5_000, every: 10 });
  console.log(`# ${total} on the second browser ${Date.now() - since} ms after the donor's press`);
  assert.equal(await watching.evaluate(() => window.sameDocument), true, "no reload");
}

const typed = { first_name: "عائشة", last_name: "O’Brien 🌊", city: "Zürich", message: "¡Vamos! يلا 🎉" };

test("what is missing is asked for, and what was typed stays", async () => {
  page = await donor.open(`${made.href}/donate?amount=50`);
  assert.equal(await page.locator("input[name=amount][value='50']").isChecked(), true, "the amount comes along");
  await donor.expecting(REFUSED_FORM, () => pledge(page, { ...typed, other: "12.345", email: "nowhere" }));
  assert.equal(await page.locator(".summary").count(), 1);
  assert.equal(await page.locator("#amount_other-error").count(), 1);
  assert.equal(await page.locator("#email-error").count(), 1);
  assert.equal(await page.inputValue("#amount_other"), "12.345");
  assert.equal(await page.inputValue("#first_name"), typed.first_name);
  assert.equal(await page.inputValue("#message"), typed.message);
  assert.equal(await page.locator("input[name=attest]:not(:checked)").count(), 0);
  await pledge(page, { ...typed, amount: "50" });
  await page.waitForURL(/\/donate\/[0-9a-f-]+$/);
  assert.match(await page.locator(".gift").textContent(), /\$50/);
  donor.clean();
});

test("a declined card says why and keeps everything; another one goes through", async () => {
  await page.locator("text=A card that is declined").click();
  await donor.expecting(REFUSED_FORM, () => page.click("button:has-text('Donate $50')"));
  assert.match(await page.locator("#card-error").textContent(), /declined/i);
  assert.match(await page.locator(".gift-who").textContent(), /عائشة O’Brien 🌊/);
  assert.equal(await totalOf(watching), "$0");
  const change = await page.locator("a:text-is('Change')").getAttribute("href");
  const again = await donor.open(change);
  for (const [id, value] of Object.entries({ first_name: typed.first_name, last_name: typed.last_name, city: typed.city, employer: "Toledo Schools" })) {
    assert.equal(await again.inputValue(`#${id}`), value, id);
  }
  await again.close();

  await page.locator("text=A card that works").click();
  const since = Date.now();
  await page.click("button:has-text('Donate $50')", { noWaitAfter: true });
  await seen("$50", since);
  await page.locator("h1:has-text('Thank you')").waitFor();
  assert.match(await page.locator("h1").textContent(), /عائشة/);
  assert.match(await page.locator(".receipt").textContent(), /\$50\.00/);
  const feed = watching.locator("[data-part=feed] li").first();
  await until("the feed shows the donor", async () => /عائشة O’Brien 🌊/.test(await feed.textContent()));
  assert.match(await feed.textContent(), /¡Vamos! يلا 🎉/);
  donor.clean();
});

test("the bank's question is asked, and the donation goes through", async () => {
  await page.goto(`${server.url}${made.href}/donate?amount=25`);
  await pledge(page, { amount: "25", show_as: "anonymous" });
  await page.locator("text=A card that asks the bank first").click();
  await page.click("button:has-text('Donate $25')");
  await page.locator("text=is this you?").waitFor();
  assert.equal(await totalOf(watching), "$50");
  const since = Date.now();
  await page.click("button:has-text('Yes, donate')", { noWaitAfter: true });
  await seen("$75", since);
  await page.locator("h1:has-text('Thank you')").waitFor();
  donor.clean();
});

test("without JavaScript the total stands there, and a donation goes to its thanks", async () => {
  const plain = await Person.come(server, { javaScriptEnabled: false });
  const rallyPage = await plain.open(made.href);
  assert.equal(await totalOf(rallyPage), "$75");
  await rallyPage.locator("input[name=amount][value='100']").check({ force: true });
  await rallyPage.click("form.give [data-donate-button]");
  await pledge(rallyPage, { amount: "100", email: "plain@example.org" });
  const since = Date.now();
  await rallyPage.click("button:has-text('Donate $100')", { noWaitAfter: true });
  await seen("$175", since);
  await rallyPage.locator("h1:has-text('Thank you')").waitFor();
  await plain.leave();
});

test("every public page says that the money is simulated", async () => {
  for (const address of ["/", made.href, `${made.href}/donate`, `${made.href}/overlay/total`, `${made.href}/overlay/feed`, `${made.href}/overlay/goal`, `${made.href}/overlay/drive`, `${made.href}/overlay/qr`, page.url()]) {
    const shown = await watcher.open(address);
    assert.equal(await shown.locator("aside.sim").isVisible(), true, address);
    await shown.close();
  }
  watcher.clean();
  host.clean();
});
