// What staff see of a rally's people and of a whole season: figures, charts and files, on a desk and on a phone, with and without
// JavaScript; and how a visitor agrees to be written to, or does not.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { Person, Server, closeBrowser, owner, pledge, rally, root, send, sleep, story, until } from "./kit.mjs";
import { look } from "./look.mjs";

const step = story();
const SEASON = path.join(root, "target/debug/examples/season");
let server, host, made;

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
});
after(async () => {
  await host?.leave();
  await closeBrowser();
  await server?.close();
});

const textOf = async (page, selector) => (await page.locator(selector).innerText()).replaceAll("\u00a0", " ");
const fileOf = async (address) => (await host.context.request.get(new URL(address, server.url).href)).text();

step("an empty rally says what will stand there", async () => {
  const page = await host.open(`${made.studio}/attendance`);
  assert.match(await textOf(page, "main"), /Nobody yet/);
  await look(page, "attendance-empty");
});

step("a visitor registers by a link, and agrees only where they tick the box", async () => {
  const joan = await Person.come(server);
  const page = await joan.open(`${made.href}?refcode=nurses-23`);
  const box = page.getByLabel(/E-mail me news/);
  assert.equal(await box.isChecked(), false);
  await look(page, "join-with-consent");
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.getByLabel("Name").fill("Joan \"JJ\" O’Neil, Jr.");
  await page.getByLabel("E-mail", { exact: true }).fill("not an address");
  await box.check();
  await page.evaluate(() => { document.querySelector("form.join").noValidate = true; });
  await joan.expecting(/status of 422/, () => page.getByRole("button", { name: "Join" }).click());
  // What was typed, ticked and carried is still there.
  assert.equal(await page.getByLabel(/E-mail me news/).isChecked(), true);
  assert.equal(await page.locator("form.join input[name=refcode]").inputValue(), "nurses-23");
  await page.getByLabel("E-mail", { exact: true }).fill("joan@petrie.example");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByText("You’re in").waitFor();
  await until("she is in the room", async () => /1/.test(await (await fetch(`${server.url}${made.href}/live.json`)).text().then((text) => String(JSON.parse(text).here))));
  const omar = await Person.come(server);
  const other = await omar.open(made.href);
  await other.getByLabel("Name").fill("عمر حداد 👩‍🏫");
  await other.getByLabel("E-mail", { exact: true }).fill("omar@petrie.example");
  await other.getByRole("button", { name: "Join" }).click();
  await other.getByText("You’re in").waitFor();
  let contacts = await fileOf(`/finance/exports/contacts?rally=${made.slug}`);
  assert.match(contacts, /"Joan ""JJ"" O’Neil, Jr\.",joan@petrie\.example/);
  assert.doesNotMatch(contacts, /omar/);
  // Either may change their mind.
  await other.getByText("E-mails from us").click();
  await other.getByRole("button", { name: "Yes, e-mail me" }).click();
  await other.getByText("Noted: we may e-mail you.").waitFor();
  await look(other, "joined-letters");
  await page.getByText("E-mails from us").click();
  await page.getByRole("button", { name: "Don’t e-mail me" }).click();
  await page.getByText("we will not e-mail you any more").waitFor();
  contacts = await fileOf(`/finance/exports/contacts?rally=${made.slug}`);
  assert.match(contacts, /عمر حداد 👩‍🏫,omar@petrie\.example/);
  assert.doesNotMatch(contacts, /joan/);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(new URL(`${made.href}/donate?via=shared`, server.url).href);
  await pledge(page);
  await page.getByRole("button", { name: /Donate|Pay|Give/ }).first().click();
  await page.getByText(/Thank you/i).first().waitFor();
  await joan.leave();
  await omar.leave();
});

step("who came, from where, and what they gave stands on the page and in the file", async () => {
  const page = await host.open(`${made.studio}/attendance`);
  assert.match(await textOf(page, ".funnel li:nth-child(2)"), /Joined[\s\S]*2[\s\S]*100 % of those who registered/);
  assert.match(await textOf(page, ".funnel li:nth-child(3)"), /Gave[\s\S]*1/);
  const sources = await textOf(page, "[aria-label='Figures by source']");
  assert.match(sources, /ref nurses-23/);
  assert.match(sources, /Passed on by a donor[\s\S]*\$25/);
  await send(host, made.studio, `${made.studio}/end`, {});
  const file = await fileOf(`/finance/exports/attendance?rally=${made.slug}`);
  assert.match(file, /,Yes,"Joan ""JJ"" O’Neil, Jr\.",joan@petrie\.example,.*,nurses-23,Yes\r\n/);
  assert.match(file, /عمر حداد 👩‍🏫/);
  // Whom the campaign invited, it counts itself.
  await page.reload();
  await page.getByLabel("Refcode of the link").fill("nurses-23");
  await page.getByLabel("People invited").fill("84,000");
  await page.getByRole("button", { name: "Count them" }).click();
  await page.getByText("Counted.").waitFor();
  assert.match(await textOf(page, ".funnel li:nth-child(1)"), /Invited[\s\S]*84,000/);
  await page.getByLabel("People invited").fill("many");
  await host.expecting(/status of 422/, () => page.getByRole("button", { name: "Count them" }).click());
  await page.getByText("as a whole number").waitFor();
  await look(page, "attendance-invited-wrong");
  await page.goto(new URL(`${made.studio}/attendance`, server.url).href);
  await look(page, "attendance-small");
});

step("a season of forty calls", async () => {
  assert(existsSync(SEASON), "build it with `cargo build --examples`");
  await host.leave();
  await server.stop();
  const data = path.join(server.folder, "data");
  rmSync(data, { recursive: true });
  execFileSync(SEASON, [data, "400"]);
  await server.run();
  host = await owner(server);
  const page = await host.open("/finance/campaign");
  assert.equal(await page.locator("[aria-label='Figures by rally'] tbody tr").count(), 40);
  assert.equal(await page.locator(".moments li").count(), 8);
  await look(page, "campaign");
  const title = await page.locator("[aria-label='Figures by rally'] tbody th a").first().innerText();
  await page.locator("[aria-label='Figures by rally'] tbody th a").first().click();
  await page.getByRole("heading", { name: "Attendance" }).waitFor();
  assert.match(await textOf(page, "main"), new RegExp(title.replace(/[^\w ]/g, ".")));
  await page.locator(".minutes summary").click();
  await look(page, "attendance-season");
  await page.goto(new URL("/finance/campaign?from=2024-07-22&to=2024-07-25", server.url).href);
  await look(page, "campaign-filtered");
  await page.goto(new URL("/finance/campaign?from=2023-01-01&to=2023-01-02", server.url).href);
  assert.match(await textOf(page, "main"), /no rally on these days/);
  await page.goto(new URL("/host", server.url).href);
  await look(page, "host-season");
  // Finance sees the days of the season, and of one call the money against who was on.
  await page.goto(new URL("/finance", server.url).href);
  const days = await page.locator(".timeline figure").getAttribute("aria-label");
  const [, all] = days.match(/^Money by day: (\$[\d,.]+) in all; most came on /);
  assert.ok((await textOf(page, ".figures")).includes(all), days);
  await look(page, "ledger-season");
  await page.locator("[aria-label='Money by rally'] tbody th a").first().click();
  await page.getByRole("heading", { name: "Money and who was on" }).waitFor();
  const said = await page.locator(".timeline figure").getAttribute("aria-label");
  const [, name, most] = said.match(/Most while one was on: (.*), (\$[\d,.]+)\./);
  const turns = page.locator("[aria-label='Money while who was on'] tbody tr");
  assert.equal(await turns.filter({ hasText: name }).filter({ hasText: most }).count(), 1, said);
  await look(page, "ledger-call");
  // A turn opens the rows of whoever gave in it, to the cent.
  const turn = turns.filter({ hasText: name });
  const gifts = Number(await turn.locator("[data-th=Donations]").innerText());
  await turn.locator("a").click();
  await page.getByRole("heading", { name: "Ledger" }).waitFor();
  assert.equal(await page.locator("tbody tr").count(), Math.min(gifts, 50), `${name}: ${gifts}`);
  host.clean();
});

step("without JavaScript the same is there", async () => {
  const state = await host.context.storageState();
  const plain = await Person.come(server, { javaScriptEnabled: false, storageState: state });
  const page = await plain.open("/finance/campaign");
  assert.equal(await page.locator("[aria-label='Figures by rally'] tbody tr").count(), 40);
  assert.ok(await page.locator("svg.chart-area path").isVisible());
  await plain.leave();
  await sleep(10);
});
