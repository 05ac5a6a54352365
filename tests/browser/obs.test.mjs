// OBS itself, set up as the README says: it goes live, the studio knows it, and a viewer sees and hears it.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { Person, Server, closeBrowser, cut, freePort, owner, program, rally, root, story, until } from "./kit.mjs";

const test = story();
const home = mkdtempSync(path.join(os.tmpdir(), "groundswell-obs-"));
let server;
let host;
let made;
let viewer;
let screen;
let obs;

/** What OBS keeps of its settings after somebody clicked through the README's line: custom service, 720p30, x264 at 2500, a keyframe each 2 s. */
function settings(rtmp, key) {
  const base = path.join(home, "obs-studio");
  const profile = path.join(base, "basic/profiles/Rally");
  mkdirSync(profile, { recursive: true });
  mkdirSync(path.join(base, "basic/scenes"), { recursive: true });
  const ini = (sections) => Object.entries(sections).map(([name, values]) => `[${name}]\n${Object.entries(values).map(([field, value]) => `${field}=${value}`).join("\n")}\n`).join("\n");
  writeFileSync(path.join(base, "global.ini"), ini({
    General: { FirstRun: true, EnableAutoUpdates: false, LastVersion: 486539266, Pre19Defaults: false, Pre21Defaults: false, Pre23Defaults: false, "Pre24.1Defaults": false },
    Basic: { Profile: "Rally", ProfileDir: "Rally", SceneCollection: "Rally", SceneCollectionFile: "Rally", ConfigOnNewProfile: false },
    BasicWindow: { WarnBeforeStartingStream: false },
  }));
  writeFileSync(path.join(profile, "basic.ini"), ini({
    General: { Name: "Rally" },
    Video: { BaseCX: 1280, BaseCY: 720, OutputCX: 1280, OutputCY: 720, FPSType: 0, FPSCommon: 30 },
    Audio: { SampleRate: 48000, ChannelSetup: "Stereo" },
    Output: { Mode: "Advanced" },
    AdvOut: { Encoder: "obs_x264", TrackIndex: 1, Track1Bitrate: 160, ApplyServiceSettings: true },
  }));
  writeFileSync(path.join(profile, "streamEncoder.json"), JSON.stringify({ bitrate: 2500, keyint_sec: 2, rate_control: "CBR", preset: "ultrafast" }));
  writeFileSync(path.join(profile, "service.json"), JSON.stringify({ type: "rtmp_custom", settings: { server: rtmp, key, use_auth: false } }));
  const clip = { id: "ffmpeg_source", versioned_id: "ffmpeg_source", name: "Clip", settings: { is_local_file: true, local_file: path.join(root, "fixtures/media/clip.mp4"), looping: true }, mixers: 255, volume: 1 };
  const scene = { id: "scene", versioned_id: "scene", name: "Scene", settings: { id_counter: 1, items: [{ name: "Clip", id: 1, visible: true, bounds: { x: 1280, y: 720 }, bounds_type: 2, bounds_align: 0, pos: { x: 0, y: 0 }, scale: { x: 1, y: 1 } }] } };
  writeFileSync(path.join(base, "basic/scenes/Rally.json"), JSON.stringify({ name: "Rally", current_scene: "Scene", current_program_scene: "Scene", scene_order: [{ name: "Scene" }], sources: [clip, scene] }));
}

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  viewer = await Person.come(server);
  const display = `:${(await freePort()) % 10_000 + 100}`;
  screen = program("Xvfb", [display, "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
  settings(server.rtmp, made.keys[0]);
  obs = program("obs", ["--multi", "--startstreaming", "--profile", "Rally", "--collection", "Rally", "--disable-updater", "--disable-missing-files-check"], {
    DISPLAY: display, HOME: home, XDG_CONFIG_HOME: home, XDG_RUNTIME_DIR: home, LIBGL_ALWAYS_SOFTWARE: "1", QT_QPA_PLATFORM: "xcb", LANG: "C.UTF-8",
  });
});
after(async () => {
  await obs?.stop();
  await screen?.stop();
  for (const person of [viewer, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
  rmSync(home, { recursive: true, force: true });
});

test("the studio sees OBS, as it was set up", async () => {
  const studio = await until("it is ready", async () => {
    assert(!obs.gone, obs.said);
    const text = await (await host.context.request.get(`${server.url}${made.studio}/live.json`)).text();
    return text.includes(">ready<") && /key.2.s/.test(text) ? text : false;
  }, { within: 60_000 }).catch((error) => { throw new Error(`${error.message}\n${obs.said}`); });
  assert.match(studio, /RTMP · H\.264 1280x720 · AAC 48 kHz stereo/);
  assert.match(studio, /30.fps/);
});

test("its picture and its sound play in a browser", async () => {
  await cut(host, made, 0);
  const page = await viewer.open(made.href);
  const now = () => page.evaluate(() => { const video = document.querySelector("video"); return { at: video.currentTime, frames: video.getVideoPlaybackQuality().totalVideoFrames, sound: video.webkitAudioDecodedByteCount, height: video.videoHeight }; });
  await until("OBS is seen", async () => (await host.context.request.get(`${server.url}${made.studio}/live.json`)).text().then((text) => text.includes(">ON AIR<")));
  const from = await now();
  await until("it plays", async () => { const here = await now(); return here.height === 720 && here.at > from.at + 2 && here.frames > from.frames + 30 && here.sound > from.sound; }, { within: 40_000 });
});
