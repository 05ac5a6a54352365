// A plain caching proxy in front, set up as the README says: however many watch, each object is asked of us once.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { Encoder, Server, closeBrowser, cut, freePort, owner, rally, root, story, until } from "./kit.mjs";

const test = story();
const VIEWERS = 1000;
/** Parts that each viewer follows: a little over two seconds. */
const PARTS = 7;
let server;
let host;
let made;
let encoder;
let nginx;
let folder;
let port;

/** The README's own words to nginx, with this test's addresses in place of the reader's. */
function configuration() {
  const found = /```nginx\n([\s\S]*?)```/.exec(readFileSync(path.join(root, "README.md"), "utf8"));
  assert(found, "the README has no nginx configuration");
  const replaced = found[1]
    .replace("/var/cache/nginx/groundswell", path.join(folder, "cache"))
    .replace("127.0.0.1:8080", new URL(server.url).host)
    .replace("listen 443 ssl;", `listen 127.0.0.1:${port};`)
    .replace(/^\s*ssl_.*$/gm, "");
  assert(replaced.includes(`listen 127.0.0.1:${port};`) && replaced.includes(folder), "the README's configuration has changed");
  // Run as root it would give its rights away, and the folder is this user's alone.
  const user = process.getuid() === 0 ? "user root;" : "";
  return `${user} daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr warn;
events { worker_connections 8192; }
http {
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  log_format asked '$upstream_cache_status $request_uri';
  access_log ${folder}/asked.log asked;
  ${replaced}
}
`;
}

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  encoder = Encoder.pattern(server.rtmp, made.keys[0]);
  await cut(host, made, 0);
  await until("the program begins", async () => (await fetch(`${server.url}${made.href}/program/index.m3u8`)).status === 200);
  folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-nginx-"));
  mkdirSync(path.join(folder, "cache"));
  port = await freePort();
  writeFileSync(path.join(folder, "nginx.conf"), configuration());
  const program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].find(existsSync);
  assert(program, "nginx is missing: run the tests with `make test`, which installs it");
  const checked = spawnSync(program, ["-t", "-p", folder, "-c", "nginx.conf"], { encoding: "utf8" });
  assert.equal(checked.status, 0, checked.stderr);
  nginx = spawn(program, ["-p", folder, "-c", "nginx.conf"], { stdio: ["ignore", "ignore", "inherit"] });
  nginx.ended = new Promise((done) => nginx.on("exit", done));
  await until("nginx listens", async () => (await fetch(`http://127.0.0.1:${port}${made.href}/program/index.m3u8`)).ok);
});
after(async () => {
  nginx?.kill("SIGQUIT");
  await nginx?.ended;
  await encoder?.kill();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const agent = new http.Agent({ keepAlive: true, maxSockets: VIEWERS });

function get(name) {
  return new Promise((done, fail) => {
    const request = http.get({ agent, host: "127.0.0.1", port, path: `${made.href}/program/${name}` }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => done({ status: answer.statusCode, text: Buffer.concat(chunks).toString("latin1") }));
    });
    request.on("error", fail);
  });
}

async function watch(start) {
  let { msn, part } = start;
  for (let turn = 0; turn < PARTS; turn += 1) {
    const list = await get(`video.m3u8?_HLS_msn=${msn}&_HLS_part=${part}`);
    assert.equal(list.status, 200);
    const name = `p${msn}.${part}.m4s`;
    if (list.text.includes(`"${name}"\n`) || list.text.includes(`"${name}",`)) {
      assert.equal((await get(name)).status, 200);
      part += 1;
    } else {
      // The segment ended before this part: the next one begins.
      msn += 1;
      part = 0;
    }
  }
}

test(`${VIEWERS} viewers cost as many requests as one`, async () => {
  const list = await (await fetch(`${server.url}${made.href}/program/video.m3u8`)).text();
  const [, msn, part] = /PRELOAD-HINT:TYPE=PART,URI="p(\d+)\.(\d+)\.m4s"/.exec(list);
  const start = { msn: Number(msn), part: Number(part) };
  await Promise.all(Array.from({ length: VIEWERS }, () => watch(start)));
  const lines = readFileSync(path.join(folder, "asked.log"), "latin1").trim().split("\n").map((line) => line.split(" "));
  const asked = new Map();
  for (const [status, uri] of lines) {
    const counts = asked.get(uri) ?? { all: 0, ours: 0 };
    counts.all += 1;
    if (status !== "HIT") counts.ours += 1;
    asked.set(uri, counts);
  }
  const crowded = [...asked].filter(([, counts]) => counts.all >= VIEWERS);
  assert(crowded.length >= PARTS, `only ${crowded.length} objects were asked for by all`);
  assert.deepEqual(crowded.filter(([, counts]) => counts.ours !== 1), [], "asked of us more than once");
});

test("what is for staff alone is not kept by the proxy", async () => {
  const closed = await rally(host, { slug: "behind-closed-doors", title: "Behind closed doors", open: false });
  const practice = Encoder.pattern(server.rtmp, closed.keys[0]);
  await cut(host, closed, 0);
  const own = `http://127.0.0.1:${port}${closed.href}/program/index.m3u8`;
  // The session's cookie is this host's, whatever the port.
  await until("practice is seen by staff through the proxy", async () => (await host.context.request.get(own)).status() === 200, { within: 40_000 });
  assert.equal((await fetch(own)).status, 404, "a stranger was shown practice");
  await practice.kill();
});
