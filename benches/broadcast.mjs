// What the picture costs: one 720p30 ingest beside nginx-rtmp that is sent the same, and viewers beside nginx that serves the same
// files. Cores' time as the system counts it, so that whatever else runs on the machine hardly matters. Run by `make bench` with
// the release build.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { Server, closeBrowser, cut, freePort, owner, program, rally, sleep, until } from "../tests/browser/kit.mjs";

const ROUNDS = 5;
const INGEST_S = 12;
/** Of 2 s of one viewer each. */
const VIEWINGS = 1500;
const CONNECTIONS = 64;
/** Clock ticks a second, as Linux tells them. */
const HZ = 100;

const folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-bench-"));
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
/** The cores' time of a process and its children, in ms. */
function cpu(pids) {
  const of = (pid) => { const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" "); return (Number(fields[11]) + Number(fields[12])) * 1000 / HZ; };
  return pids.reduce((sum, pid) => sum + of(pid), 0);
}
const family = (pid) => [pid, ...readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((name) => {
  try { return readFileSync(`/proc/${name}/stat`, "utf8").replace(/^.*\) /, "").split(" ")[1] === String(pid); } catch { return false; }
})];

const film = path.join(folder, "film.flv");
execFileSync("ffmpeg", ["-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30,noise=alls=12:allf=t", "-f", "lavfi", "-i", "sine=r=48000", "-t", "20",
  "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "60", "-force_key_frames", "expr:gte(t,n_forced*2)", "-sc_threshold", "0", "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k", "-c:a", "aac", "-b:a", "128k", film]);

const server = await Server.start();
const host = await owner(server);
const made = await rally(host);
await cut(host, made, 0);
const ours = [server.child.pid];

const [rtmp, web] = [await freePort(), await freePort()];
for (const name of ["hls", "files"]) mkdirSync(path.join(folder, name));
const module_ = ["/usr/lib/nginx/modules/ngx_rtmp_module.so", "/usr/share/nginx/modules/ngx_rtmp_module.so"].find(existsSync);
assert(module_, "nginx-rtmp is missing: `make bench` installs it");
writeFileSync(path.join(folder, "nginx.conf"), `load_module ${module_};
${process.getuid() === 0 ? "user root;" : ""} daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log warn;
events { worker_connections 1024; }
rtmp { access_log off; server { listen 127.0.0.1:${rtmp}; application live { live on; hls on; hls_path ${folder}/hls; hls_fragment 2s; hls_playlist_length 30s; } } }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; types { video/mp4 m4s; } client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 127.0.0.1:${web}; root ${folder}/files; } }
`);
const nginx = program("/usr/sbin/nginx", ["-p", folder, "-c", "nginx.conf"]);
await until("nginx runs", () => { assert(!nginx.gone, nginx.said); return family(nginx.pid).length > 1; });
const theirs = family(nginx.pid);

// ---- ingest

const sender = (url) => program("ffmpeg", ["-loglevel", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", film, "-t", "600", "-c", "copy", "-f", "flv", url]);
const senders = [sender(`${server.rtmp}/${made.keys[0]}`), sender(`rtmp://127.0.0.1:${rtmp}/live/x`)];
const base = `${made.href}/program`;
await until("both package", async () => (await fetch(`${server.url}${base}/video.m3u8`)).ok && readdirSync(path.join(folder, "hls")).length > 2, { within: 40_000 });
await sleep(3000);
const ratios = [];
const costs = [[], []];
for (let round = 0; round < ROUNDS; round += 1) {
  const before = [cpu(ours), cpu(theirs)];
  await sleep(INGEST_S * 1000);
  const spent = [cpu(ours) - before[0], cpu(theirs) - before[1]].map((ms) => ms / INGEST_S / 10);
  spent.forEach((share, index) => costs[index].push(share));
  ratios.push(spent[0] / spent[1]);
}
console.log(`ingest of one 720p30 at 2.5 Mbit/s, into parts, segments and a recording: ${median(costs[0]).toFixed(2)} % of a core; nginx-rtmp into segments: ${median(costs[1]).toFixed(2)} %; ratio ${median(ratios).toFixed(2)}`);

// ---- viewers

/** The newest whole segment with its playlist, and its parts each with the playlist that a low-latency player asks for; nginx gets copies. */
async function fresh() {
  const text = await (await fetch(`${server.url}${base}/video.m3u8`)).text();
  const segment = text.split("\n").findLast((line) => line && !line.startsWith("#"));
  const number = /\d+/.exec(segment)[0];
  const parts = [...text.matchAll(/#EXT-X-PART:[^\n]*URI="([^"]+)"/g)].map((found) => found[1]).filter((name) => name.startsWith(`p${number}.`));
  const delta = `video.m3u8?_HLS_msn=${number}&_HLS_part=0&_HLS_skip=YES`;
  const lists = { segments: ["video.m3u8", segment], "low latency": parts.flatMap((part) => [part, delta]) };
  const bytes = {};
  for (const name of new Set(Object.values(lists).flat())) {
    const body = Buffer.from(await (await fetch(`${server.url}${base}/${name}`)).arrayBuffer());
    writeFileSync(path.join(folder, "files", name.replace("?", "_")), body);
    bytes[name] = body.length;
  }
  return { lists, bytes };
}
const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const one = (port, address) => new Promise((done, failed) => {
  const request = http.get({ agent, host: "127.0.0.1", port, path: address }, (answer) => {
    if (answer.statusCode !== 200) failed(new Error(`${address}: ${answer.statusCode}`));
    answer.on("data", () => {});
    answer.on("end", done);
  });
  request.on("error", failed);
});
async function viewings(port, addresses) {
  let left = VIEWINGS;
  const viewer = async () => { while (left > 0) { left -= 1; for (const address of addresses) await one(port, address); } };
  await Promise.all(Array.from({ length: CONNECTIONS }, viewer));
}
const port = Number(new URL(server.url).port);
for (const words of ["segments", "low latency"]) {
  const [spent, beside] = [[], []];
  let told = "";
  for (let round = 0; round < ROUNDS; round += 1) {
    // What is kept goes in a minute: the newest each round.
    const { lists, bytes } = await fresh();
    const list = lists[words];
    told = `${list.length} requests, ${Math.round(list.reduce((sum, name) => sum + bytes[name], 0) / 1000)} kB for 2 s`;
    let before = cpu(ours);
    await viewings(port, list.map((name) => `${base}/${name}`));
    spent.push((cpu(ours) - before) / VIEWINGS);
    before = cpu(theirs);
    await viewings(web, list.map((name) => `/${name.replace("?", "_")}`));
    beside.push((cpu(theirs) - before) / VIEWINGS);
  }
  const [a, b] = [median(spent), median(beside)];
  console.log(`viewers by ${words} (${told}): ${Math.round(2000 / a)} a core; nginx with the same files: ${Math.round(2000 / b)}; ratio ${(b / a).toFixed(2)}`);
}

agent.destroy();
for (const each of senders) await each.stop();
await nginx.stop();
await host.context.close();
await closeBrowser();
await server.close();
rmSync(folder, { recursive: true, force: true });
