// What the browser tests share: a server of their own, encoders, Stripe's stand-in, and browsers whose every error counts.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { chromium } from "playwright-core";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const CHROMIUM = process.env.GROUNDSWELL_CHROMIUM ?? "/usr/bin/chromium";
export const BINARY = path.resolve(root, process.env.GROUNDSWELL_BIN ?? "target/debug/groundswell");
export const CLIP = path.join(root, "fixtures/media/clip.flv");
export const PICTURES = path.join(root, "test-results");
export const PASSWORD = "a long table in Ohio";

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Tests that go on from each other: once one has failed, the rest fail at once instead of waiting for what can't come. */
export function story() {
  let broken;
  return (name, act) => test(name, async (context) => {
    assert(!broken, `“${broken}” failed, and this goes on from it`);
    try {
      await act(context);
    } catch (error) {
      broken = name;
      throw error;
    }
  });
}

/** Waits until `look` answers something truthy, and gives it; what it last saw stands in the failure. */
export async function until(what, look, { within = 20_000, every = 100 } = {}) {
  const end = Date.now() + within;
  let last;
  for (;;) {
    try {
      last = await look();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) assert.fail(`not within ${within / 1000} s: ${what} (last seen: ${last})`);
    await sleep(every);
  }
}

function need(file, how) {
  if (!existsSync(file)) throw new Error(`${file} is missing: ${how}`);
}

/** A program of the tests' Python environment. */
export function installed(name) {
  const file = path.join(root, ".venv/bin", name);
  need(file, "run the tests with `make test`, which installs it");
  return file;
}

// ---- processes: each is ended by its own id, and none outlives the tests.

const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

function start(program, args, env = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], cwd: root });
  child.said = "";
  const hear = (chunk) => { child.said = (child.said + chunk).slice(-200_000); };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  running.add(child);
  child.ended = new Promise((done) => {
    child.on("error", (error) => { child.said += `\n${program}: ${error.message}`; child.gone = true; running.delete(child); done(-1); });
    child.on("exit", (code, signal) => { child.gone = true; running.delete(child); done(code ?? signal); });
  });
  return child;
}

async function stop(child, signal = "SIGTERM") {
  if (!child.gone) child.kill(signal);
  const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
  const how = await child.ended;
  clearTimeout(late);
  return how;
}

export async function freePort() {
  const listener = net.createServer().listen(0, "127.0.0.1");
  await new Promise((done) => listener.once("listening", done));
  const { port } = listener.address();
  await new Promise((done) => listener.close(done));
  return port;
}

/** Another program, which ends with the tests. */
export function program(name, args, env) {
  const child = start(name, args, env);
  return { get said() { return child.said; }, get gone() { return Boolean(child.gone); }, pid: child.pid, stop: () => stop(child) };
}

// ---- the server

export class Server {
  /** `config` is the text of a settings' file, where the environment does not do. */
  static async start(env = {}, config = "") {
    need(BINARY, "build it with `cargo build`, or name another one in GROUNDSWELL_BIN");
    const server = new Server();
    server.folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-browser-"));
    server.config = path.join(server.folder, "groundswell.toml");
    writeFileSync(server.config, config);
    server.env = env;
    server.listen = "127.0.0.1:0";
    server.rtmpListen = "127.0.0.1:0";
    server.webrtcListen = "127.0.0.1:0";
    await server.run();
    return server;
  }

  /** Starts, or starts again on the same folder and ports. */
  async run() {
    const args = ["serve", "--config", this.config, "--data", path.join(this.folder, "data"), "--listen", this.listen, "--rtmp", this.rtmpListen, "--webrtc", this.webrtcListen];
    this.child = start(BINARY, args, this.env);
    const find = async (what, pattern) => until(`the server prints ${what}`, () => {
      assert(!this.child.gone || pattern.test(this.child.said), `the server ended: ${this.child.said}`);
      return pattern.exec(this.child.said)?.[1];
    });
    this.url = await find("its address", /Groundswell is at (http:\S+)/);
    this.rtmp = await find("the encoders' address", /Encoders send to (rtmp:\S+)/);
    this.listen = new URL(this.url).host;
    this.rtmpListen = new URL(this.rtmp.replace("rtmp:", "http:")).host;
    await until("the server is ready", async () => (await fetch(`${this.url}/readyz`)).ok);
  }

  get firstLink() {
    return /Make the first staff account[^\n]*\n\s*(http:\S+)/.exec(this.child.said)?.[1];
  }

  async stop(signal = "SIGTERM") {
    return stop(this.child, signal);
  }

  async close() {
    const how = await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
    if (how !== 0) throw new Error(`the server did not end cleanly (${how}):\n${this.child.said.slice(-3000)}`);
  }
}

// ---- encoders

const PLAY_MAX_S = 120;

/** An encoder that sends until it is stopped. */
export class Encoder {
  constructor(args) {
    this.child = start("ffmpeg", ["-hide_banner", "-loglevel", "warning", "-nostdin", ...args]);
  }

  /** The clip that the demo shows, as it is. */
  static clip(rtmp, key) {
    return new Encoder(["-re", "-stream_loop", "-1", "-i", CLIP, "-t", String(PLAY_MAX_S), "-c", "copy", "-f", "flv", `${rtmp}/${key}`]);
  }

  /** A test picture of a given size with a tone. */
  static pattern(rtmp, key, { size = "640x360", rate = 25, audio = ["-c:a", "aac"], seconds = PLAY_MAX_S } = {}) {
    return new Encoder([
      "-re", "-f", "lavfi", "-i", `testsrc2=size=${size}:rate=${rate}`, "-re", "-f", "lavfi", "-i", "sine=frequency=330:sample_rate=44100",
      "-t", String(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", String(rate), "-b:v", "500k",
      ...audio, "-f", "flv", `${rtmp}/${key}`,
    ]);
  }

  get said() { return this.child.said; }
  get gone() { return Boolean(this.child.gone); }
  stop() { return stop(this.child, "SIGINT"); }
  kill() { return stop(this.child, "SIGKILL"); }
  /** Waits until it gives up by itself; its exit status. */
  async fails(within = 20_000) {
    let late;
    const how = await Promise.race([this.child.ended, new Promise((done) => { late = setTimeout(done, within, "still sending"); })]);
    clearTimeout(late);
    if (how === "still sending") await this.kill();
    return how;
  }
}

// ---- Stripe's stand-in

export class LocalStripe {
  static async start() {
    const program = installed("localstripe");
    const stripe = new LocalStripe();
    const port = await freePort();
    stripe.base = `http://127.0.0.1:${port}`;
    stripe.script = `${stripe.base}/js.stripe.com/v3/`;
    stripe.child = start(program, ["--port", String(port), "--from-scratch"]);
    await until("localstripe listens", async () => {
      assert(!stripe.child.gone, `localstripe ended: ${stripe.child.said}`);
      return (await fetch(stripe.script)).ok;
    }, { within: 30_000 });
    return stripe;
  }

  /** Has its events sent to `url`, signed with `secret`. */
  async sendWebhooksTo(url, secret) {
    const body = JSON.stringify({ url, secret });
    const answer = await fetch(`${this.base}/_config/webhooks/test`, { method: "POST", headers: { "content-type": "application/json" }, body });
    assert(answer.ok, `localstripe took no webhook: ${answer.status}`);
  }

  close() { return stop(this.child); }
}

// ---- browsers

let browser;

async function chrome() {
  need(CHROMIUM, "install Debian's chromium, or name another one in GROUNDSWELL_CHROMIUM");
  // Playwright's launch makes a fresh user data folder of its own, and removes it.
  browser ??= await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
      "--disable-sync", "--autoplay-policy=no-user-gesture-required",
      // A camera that shows a moving figure and beeps, allowed without a question; connections on this machine alone.
      "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
    ],
  });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = undefined;
}

/** A person with a browser of their own: nothing on any of their pages may go wrong unless the test said so before. */
export class Person {
  static async come(server, options = {}) {
    const { allow = [], hosts = [], ...rest } = options;
    const person = new Person();
    person.server = server;
    person.faults = [];
    // A source may go between the studio's frame and the request for its picture.
    person.allowed = [/status of 404 .*\/preview\//, ...allow];
    person.hosts = [server.listen, ...hosts];
    person.context = await (await chrome()).newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce", ...rest });
    person.context.setDefaultTimeout(15_000);
    person.context.on("page", (page) => person.watch(page));
    return person;
  }

  watch(page) {
    const fault = (text) => { if (!this.outage && !this.allowed.some((pattern) => pattern.test(text))) this.faults.push(text); };
    // An answer is judged when it comes: the console's word of it may be seconds behind on a busy machine, when what was expected
    // is over.
    const judged = new Set();
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      const { url } = message.location();
      const [, status] = /responded with a status of (\d+)/.exec(message.text()) ?? [];
      if (!judged.has(`${status} ${url}`)) fault(`console ${message.type()}: ${message.text()} (${url})`);
    });
    page.on("pageerror", (error) => fault(`page error: ${error.stack ?? error}`));
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText;
      // A live line or a segment that is let go because the page is left is no fault.
      if (why === "net::ERR_ABORTED") return;
      fault(`request failed: ${why} ${request.url()}`);
    });
    page.on("request", (request) => {
      const url = new URL(request.url());
      // A foreign host is a fault even while other faults are expected.
      if (/^https?:$/.test(url.protocol) && !this.hosts.includes(url.host)) this.faults.push(`foreign host: ${request.url()}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) {
        judged.add(`${response.status()} ${response.url()}`);
        fault(`answer with a status of ${response.status()} (${response.statusText()}) (${response.url()})`);
      }
      const headers = response.headers();
      if (response.request().isNavigationRequest() && response.url().startsWith(this.server.url) && (headers["content-type"] ?? "").startsWith("text/html")) {
        if (!/default-src 'none'/.test(headers["content-security-policy"] ?? "")) this.faults.push(`no content security policy: ${response.url()}`);
      }
    });
  }

  /** Runs `act`, in which errors that match are no fault. */
  async expecting(pattern, act) {
    this.allowed.push(pattern);
    try {
      const result = await act();
      // The console's word of an answer may come after the answer.
      await sleep(100);
      return result;
    } finally {
      this.allowed.splice(this.allowed.indexOf(pattern), 1);
    }
  }

  async open(address = "/") {
    const page = await this.context.newPage();
    await page.goto(new URL(address, this.server.url).href);
    return page;
  }

  /** Fails the test on anything that went wrong so far. */
  clean() {
    const faults = this.faults.splice(0);
    assert.deepEqual(faults, [], `${faults.length} faults in the browser`);
  }

  async leave() {
    await this.context.close();
    this.clean();
  }
}

// Chromium reports the status of a refused form as an error in the console, as it does for every answer of 400 and more.
export const REFUSED_FORM = /status of (402|422) .*/;

// ---- what most tests begin with

/** A signed-in owner on a new server. */
export async function owner(server, options = {}) {
  const host = await Person.come(server, options);
  const link = server.firstLink;
  assert(link, "the server printed no first link");
  const answer = await host.context.request.post(link, { form: { name: "Hana Okafor", email: "host@vega.example", password: PASSWORD } });
  assert(answer.ok(), `the first account: ${answer.status()}`);
  return host;
}

const csrfOf = (html) => {
  const found = /name="csrf" value="([^"]+)"/.exec(html);
  assert(found, "the page has no form");
  return found[1];
};

/** Sends a staff form as the signed-in host; `from` is a page with a form on it. */
export async function send(host, from, to, form) {
  const page = await host.context.request.get(new URL(from, host.server.url).href);
  const answer = await host.context.request.post(new URL(to, host.server.url).href, { form: { csrf: csrfOf(await page.text()), ...form } });
  assert(answer.ok(), `${to}: ${answer.status()}`);
  return answer;
}

export const RALLY = {
  title: "The Long Table", slug: "the-long-table", description: "Pull up a chair.\n\nOne evening, two speakers.", date: "2030-07-25", time: "19:30",
  timezone: "America/New_York", currency: "USD", goal: "2000", amounts: "15, 25, 50, 100, 250", paid_for_by: "Paid for by Vega for Ohio. Contributions are not tax-deductible.",
  accent: "#d6301f",
};

/** A rally with speakers; its doors stay closed unless `open`. Gives each speaker's key and id. */
export async function rally(host, { open = true, speakers = ["Marisol Vega", "Ama Boateng"], ...change } = {}) {
  const details = { ...RALLY, ...change };
  await send(host, "/host/new", "/host/new", details);
  const studio = `/host/r/${details.slug}`;
  for (const name of speakers) await send(host, studio, `${studio}/speakers`, { name, role: "Ohio" });
  if (open) await send(host, studio, `${studio}/open`, {});
  const html = await (await host.context.request.get(new URL(studio, host.server.url).href)).text();
  const ids = [...new Set([...html.matchAll(/speakers\/([0-9a-f-]{36})"/g)].map((found) => found[1]))];
  const keys = [];
  for (const id of ids) {
    const page = await (await host.context.request.get(new URL(`${studio}/speakers/${id}`, host.server.url).href)).text();
    keys.push(/id="stream_key"[^>]* value="([^"]+)"/.exec(page)[1]);
  }
  return { slug: details.slug, href: `/r/${details.slug}`, studio, ids, keys };
}

export async function cut(host, made, speaker) {
  await send(host, made.studio, `${made.studio}/program`, { source: made.ids[speaker] });
}

export const DONOR = {
  first_name: "Joan", last_name: "Petrie", email: "joan@petrie.example", address: "12 Elm Street", city: "Toledo", region: "OH", postal: "43604",
  employer: "Toledo Schools", occupation: "Teacher",
};

/** Fills the donate form as a donor would, and sends it: ends on the card step. */
export async function pledge(page, { amount = "25", other, message = "", show_as = "full", ...change } = {}) {
  const donor = { ...DONOR, ...change };
  if (other) {
    await page.locator("input[name=amount][value=other]").check({ force: true });
    await page.locator("#amount_other").fill(other);
  } else {
    await page.locator(`input[name=amount][value="${amount}"]`).check({ force: true });
  }
  for (const [id, value] of Object.entries(donor)) await page.locator(`#${id}`).fill(value);
  if (message) await page.locator("#message").fill(message);
  await page.locator(`input[name=show_as][value=${show_as}]`).check();
  for (const box of await page.locator("input[name=attest]").all()) await box.check();
  await page.locator("[data-donate-button]").click();
}

/** The total as a page shows it. */
export const totalOf = async (page) => (await page.locator("[data-part=total] .amount").textContent()).trim();

export async function picture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: path.join(PICTURES, `${name}.png`), fullPage: true });
}
