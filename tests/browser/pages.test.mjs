// Every page, in light and dark, on a phone and on a desk: axe finds nothing serious, nothing scrolls sideways, nothing is
// loaded from elsewhere. What they look like is put into test-results/ for people to look at.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import path from "node:path";
import { promisify } from "node:util";
import { after, before, test } from "node:test";
import { look } from "./look.mjs";
import {
  BINARY, DONOR, Encoder, LocalStripe, Person, REFUSED_FORM, Server, closeBrowser, cut, owner, pledge, rally, send, until,
} from "./kit.mjs";

let server;
let host;
let encoder;
const assets = new Map();

async function come(options = {}) {
  const person = await Person.come(server, options);
  person.context.on("response", (response) => {
    if (response.url().includes("/static/")) assets.set(response.url(), response.headers()["cache-control"]);
  });
  return person;
}

/** One page, looked at by somebody new. */
async function visit(address, name, options = {}) {
  const person = await come(options);
  await look(await person.open(address), name, options);
  await person.leave();
}

async function staff(address, name) {
  const page = await host.open(address);
  await look(page, name);
  await page.close();
  host.clean();
}

before(async () => { server = await Server.start(); });
after(async () => {
  await encoder?.kill();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

test("an empty house: home, first account, host list, finance", async () => {
  await visit("/", "home-empty");
  const first = await come();
  const page = await first.open(server.firstLink);
  await look(page, "first-account");
  await page.fill("#name", "Hana");
  await first.expecting(REFUSED_FORM, () => page.click("button.primary"));
  assert.equal(await page.evaluate(() => document.activeElement.classList.contains("summary")), true, "the summary of errors has the focus");
  await look(page, "first-account-errors");
  await first.leave();
  host = await owner(server);
  await staff("/host", "host-empty");
  await staff("/host/new", "rally-form");
  await staff("/finance", "finance-empty");
});

test("before: the poster, the form with errors, the studio", async () => {
  await rally(host, { open: false, slug: "before", title: "Answer the Call" });
  await visit("/r/before", "rally-before");
  await staff("/host/r/before", "studio-before");
  await staff("/host/r/before/show", "show-empty");
  const first = /value="(speaker:[0-9a-f-]{36})"/.exec(await (await host.context.request.get(`${server.url}/host/r/before/show`)).text())[1];
  for (const [what, title, minutes] of [[first, "", "8"], ["ask", "Ask: doubled until nine, and then for another quarter of an hour", "2"], ["break", "", "1"]]) {
    await send(host, "/host/r/before/show", "/host/r/before/show/items", { what, title, minutes, seconds: "0", starts: "", cuts: "yes" });
  }
  await staff("/host/r/before/show", "show");
  await staff("/host/r/before", "studio-practice");
  await staff("/host/r/before/edit", "rally-edit");
  await staff("/host/r/before/share?refcode=mail-2", "share");
  await staff("/host/r/before/goals", "goals");
  await staff("/finance/rules?preset=candidate", "rules");
  await staff("/finance/reconciliation", "reconciliation");
  const page = await host.open("/host/new");
  await host.expecting(REFUSED_FORM, () => page.click("button.primary"));
  await look(page, "rally-form-errors");
  await page.close();
});

test("giving: the form, its errors, the card, the bank's question, thanks", async () => {
  const made = await rally(host);
  const donor = await come();
  const page = await donor.open(`${made.href}/donate`);
  await look(page, "donate");
  await donor.expecting(REFUSED_FORM, () => page.click("[data-donate-button]"));
  await look(page, "donate-errors");
  await pledge(page, { amount: "50", first_name: "Joan", message: "For my grandmother, who walked." });
  await page.waitForURL(/\/donate\/[0-9a-f-]+$/);
  await look(page, "card");
  await page.locator("text=A card that is declined").click();
  await donor.expecting(REFUSED_FORM, () => page.click("form.card-form button"));
  await look(page, "card-declined");
  await page.locator("text=A card that asks the bank first").click();
  await page.click("form.card-form button");
  await page.locator("text=is this you?").waitFor();
  await look(page, "card-bank");
  await page.click("form.card-form button");
  await page.locator("h1:has-text('Thank you')").waitFor();
  await look(page, "thanks");
  await donor.leave();
});

test("live: the stage, the studio, how to go live, overlays, home", async () => {
  const href = "/r/the-long-table";
  const studio = "/host/r/the-long-table";
  const html = await (await host.context.request.get(server.url + studio)).text();
  const ids = [...new Set([...html.matchAll(/speakers\/([0-9a-f-]{36})"/g)].map((found) => found[1]))];
  const going = await (await host.context.request.get(`${server.url}${studio}/speakers/${ids[0]}`)).text();
  const key = /id="stream_key"[^>]* value="([^"]+)"/.exec(going)[1];
  // More donors, so that the feed is full: names of every kind.
  for (const [first_name, last_name, other, message] of [
    ["Aoife", "Ní Bhriain", "15", ""], ["עומר", "כהן", "250", "בהצלחה!"], ["Maximiliana-Alexandrina", "von und zu Hohenlohe-Langenburg", "3300", "All of it. ".repeat(12)],
    ["李", "小龙", "25", "加油 🎉🎉🎉"], ["J", "P", "100", ""], ["Ana", "Ruiz", "50", "¡Sí se puede!"], ["Tom", "Baker", "25", ""], ["Ama", "Owusu", "15", ""],
  ]) {
    const form = new URLSearchParams({ ...DONOR, first_name, last_name, email: `${first_name.length}${other}@example.org`, amount: "other", amount_other: other, message, show_as: "full", country: "US" });
    for (const [, id] of (await (await fetch(`${server.url}${href}/donate`)).text()).matchAll(/name="attest" value="([^"]+)"/g)) form.append("attest", id);
    const made = await fetch(`${server.url}${href}/donate`, { method: "POST", body: form, redirect: "manual" });
    assert.equal(made.status, 303);
    const paid = await fetch(new URL(`${made.headers.get("location")}/pay`, server.url), { method: "POST", body: new URLSearchParams({ method: "simulated_ok" }), redirect: "manual" });
    assert.equal(paid.status, 303);
  }
  await send(host, `${studio}/goals`, `${studio}/goals`, {
    goal_name_1: "Ten field offices", goal_amount_1: "250000", goal_name_2: "A bus for Ohio", goal_amount_2: "10000",
    goal_name_3: "Her district", goal_amount_3: "5000", goal_speaker_3: ids[0],
  });
  await send(host, `${studio}/goals`, `${studio}/goals/match`, {
    sponsor: "The Rivera family", percent: "100", most: "100000", from: "2020-01-01T00:00", until: "2099-12-31T21:00",
  });
  await visit(href, "rally-live-slate");
  await visit(`${href}/donate`, "donate-matched");
  await staff(`${studio}/goals`, "goals-set");
  encoder = Encoder.clip(server.rtmp, key);
  await cut(host, { studio, ids }, 0);
  const viewer = await come();
  const page = await viewer.open(href);
  await page.locator(".video.on").waitFor({ timeout: 30_000 });
  await look(page, "rally-live");
  await page.fill("#name", "Ruth");
  await page.fill("#email", "ruth@example.org");
  await page.click("form.join button");
  await page.locator(".joined").waitFor();
  await page.locator(".video.on").waitFor({ timeout: 30_000 });
  await look(page, "rally-live-joined");
  await viewer.leave();
  await staff(studio, "studio-live");
  await staff(`${studio}/clips`, "clips-empty");
  await staff(`${studio}/speakers/${ids[0]}`, "golive");
  for (const kind of ["total", "goal", "feed", "drive", "qr"]) await visit(`${href}/overlay/${kind}`, `overlay-${kind}`, { overlay: true });
  await visit("/", "home-live");
  await staff("/host", "host-list");
});

test("after: the thanks of the rally, finance, a question, signing in, what is not there", async () => {
  await send(host, "/host/r/the-long-table", "/host/r/the-long-table/end", {});
  await visit("/r/the-long-table", "rally-ended");
  await staff("/host/r/the-long-table", "studio-ended");
  await staff("/finance", "finance");
  await staff("/finance?as_of=30", "finance-past");
  const page = await host.open("/finance");
  await page.locator("button:has-text('Refund')").first().click();
  await page.locator("h1:has-text('Refund')").waitFor();
  await look(page, "confirm");
  await page.click("button.primary");
  await page.waitForURL("**/finance?done=refunded");
  await look(page, "finance-refunded");
  await page.close();
  await visit("/host/sign-in", "sign-in");
  // The page that says so has the status that says so, which Chromium prints.
  await visit("/nothing/here", "not-found", { allow: [/status of 404/] });
});

test("the card step with a processor's script", async () => {
  const stripe = await LocalStripe.start();
  const other = await Server.start({
    GROUNDSWELL_PROCESSOR: "stripe", GROUNDSWELL_STRIPE_SECRET_KEY: "sk_test_12345", GROUNDSWELL_STRIPE_PUBLISHABLE_KEY: "pk_test_12345",
    GROUNDSWELL_STRIPE_WEBHOOK_SECRET: "whsec_test_look", GROUNDSWELL_STRIPE_API_BASE: stripe.base, GROUNDSWELL_STRIPE_SCRIPT_URL: stripe.script,
  });
  const staffer = await owner(other);
  const made = await rally(staffer);
  const donor = await Person.come(other, { hosts: [new URL(stripe.base).host] });
  const page = await donor.open(`${made.href}/donate`);
  await pledge(page, {});
  await page.locator("#card-element input[placeholder=number]").waitFor();
  // The fields inside are the stand-in's own, which have no labels; Stripe's are in a frame of Stripe's.
  await look(page, "card-stripe", { without: ["#card-element"] });
  await donor.leave();
  await staffer.context.close();
  await other.close();
  await stripe.close();
});

/** A Stripe that charged one gift and keeps books of it, some of which fit nothing. */
async function bookkeeper() {
  const created = Math.floor(Date.now() / 1000);
  const books = { donation: "", server: undefined };
  const txn = (id, type, amount, fee, source) => ({ id, type, reporting_category: type, amount, fee, currency: "usd", created, source });
  const charge = (id, payment_intent, amount, donation) => ({ id, object: "charge", amount, currency: "usd", livemode: false, payment_intent, metadata: donation ? { donation } : {} });
  const entries = () => [
    txn("txn_1", "charge", 2500, 103, charge("ch_1", "pi_3Q2fP4LkdIwHu7ix0QrSt7uV", 2500, books.donation)),
    txn("txn_2", "refund", -500, 0, { id: "re_3Q2fP4LkdIwHu7ix0LmNoPq", object: "refund", amount: 500, currency: "usd", payment_intent: "pi_3Q2fP4LkdIwHu7ix0QrSt7uV" }),
    txn("txn_3", "charge", 123456, 3610, charge("ch_3", "pi_3OtherProgram", 123456)),
    txn("txn_4", "stripe_fee", -200, 0, null),
  ];
  const stray = () => txn("txn_9", "charge", 900, 56, charge("ch_9", "pi_9", 900, "0192f3c4-5b6a-7c8d-9e0f-112233445566"));
  const payout = (id, amount, status, days) => ({ id, amount, currency: "usd", created, arrival_date: created + days * 86_400, status, automatic: true, livemode: false, reconciliation_status: "completed" });
  const list = (data) => ({ object: "list", data, has_more: false });
  const answers = {
    "/v1/account": () => ({ id: "acct_1PgafTB7WZ01zgkW" }),
    "/v1/events": () => list([]),
    "/v1/balance_transactions": (query) => list(!books.donation ? [] : query.get("payout") === "po_1Pgc79B7WZ01zgkWu1KToYf5" ? [] : query.get("payout") ? entries() : [stray(), ...entries()]),
    "/v1/payouts": () => list(!books.donation ? [] : [payout("po_1Pgc79B7WZ01zgkWu1KToYf5", 7700, "failed", 4), payout("po_1Pgc79B7WZ01zgkWu1KToYf4", 121543, "in_transit", 2)]),
    "/v1/payment_intents/pi_3Q2fP4LkdIwHu7ix0QrSt7uV": () => ({ id: "pi_3Q2fP4LkdIwHu7ix0QrSt7uV", status: "succeeded", amount_received: 2500, currency: "usd", livemode: false, metadata: { donation: books.donation } }),
    "/v1/refunds/re_3Q2fP4LkdIwHu7ix0LmNoPq": () => ({ id: "re_3Q2fP4LkdIwHu7ix0LmNoPq", status: "succeeded", amount: 500, currency: "usd", payment_intent: "pi_3Q2fP4LkdIwHu7ix0QrSt7uV" }),
  };
  books.server = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://x");
    const found = answers[pathname]?.(searchParams);
    response.writeHead(found ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(found ?? { error: {} }));
  }).listen(0, "127.0.0.1");
  await new Promise((done) => books.server.once("listening", done));
  books.base = `http://127.0.0.1:${books.server.address().port}`;
  return books;
}

test("the processor's books: what differs, payouts, and what is in one", async (context) => {
  const books = await bookkeeper();
  // Also where something fails before the end: what is left open would keep the run from ending.
  context.after(() => books.server.close());
  const other = await Server.start({
    GROUNDSWELL_PROCESSOR: "stripe", GROUNDSWELL_STRIPE_SECRET_KEY: "sk_test_12345", GROUNDSWELL_STRIPE_PUBLISHABLE_KEY: "pk_test_12345",
    GROUNDSWELL_STRIPE_WEBHOOK_SECRET: "whsec_test_look", GROUNDSWELL_STRIPE_API_BASE: books.base, GROUNDSWELL_STRIPE_SCRIPT_URL: `${books.base}/v3/`,
  });
  context.after(() => other.close());
  const staffer = await owner(other);
  const made = await rally(staffer);
  const donor = await Person.come(other, { hosts: [new URL(books.base).host], allow: [/./] });
  const page = await donor.open(`${made.href}/donate`);
  await pledge(page, {});
  await page.waitForURL(/donate\/[0-9a-f-]{36}/);
  books.donation = /donate\/([0-9a-f-]{36})/.exec(page.url())[1];
  await donor.context.close();
  const { stdout: said } = await promisify(execFile)(BINARY, ["reconcile", "--data", path.join(other.folder, "data")]);
  assert.match(said, /2 of ours were new, 2 of them were missing in the ledger/);
  const finance = await staffer.open("/finance/reconciliation");
  await look(finance, "reconciliation-books");
  assert.equal(await finance.locator(".mismatches li").count(), 2);
  await finance.click(".mismatches li:first-child summary");
  await finance.fill("#note-1", "x");
  // The browser holds to the length itself: what it would not send is sent all the same.
  await finance.evaluate(() => { const area = document.querySelector("#note-1"); area.removeAttribute("maxlength"); area.value = "y".repeat(600); });
  await staffer.expecting(REFUSED_FORM, () => finance.click(".mismatches li:first-child .btn"));
  await finance.waitForSelector("#note-1-error");
  assert.equal(await finance.evaluate(() => document.activeElement.id), "note-1", "the field that was refused has the focus");
  await look(finance, "reconciliation-note-error");
  await finance.fill("#note-1", "Of the ledger before this one; booked there.");
  await finance.click(".mismatches li:first-child .btn");
  await finance.waitForURL(/done=noted/);
  assert.equal(await finance.locator(".mismatches li").count(), 1);
  await finance.click("a[href$=po_1Pgc79B7WZ01zgkWu1KToYf4]");
  await finance.waitForURL(/payouts\/po_1/);
  await look(finance, "payout");
  await staffer.context.close();
});

test("assets are kept by browsers for ever", async () => {
  assert.ok(assets.size >= 6, `${assets.size} assets were loaded`);
  for (const [url, kept] of assets) assert.equal(kept, "public, max-age=31536000, immutable", url);
  const missing = await fetch(`${server.url}/static/site-00000000.css`);
  assert.equal(missing.status, 404);
  assert.doesNotMatch(missing.headers.get("cache-control") ?? "", /immutable/);
});
