// The speaker's green room: own picture and level, WebRTC to the studio by WHIP, and what the studio says.
const room = document.querySelector("[data-speak]");
const part = (name) => room.querySelector(`[data-${name}]`);

// What is asked of the camera and sent at most: more than a phone's uplink carries well looks worse, not better.
const WIDTH = 1280;
const HEIGHT = 720;
const FRAMES = 30;
const BITS_MAX = 2_500_000;
// The same picture at half the size besides, for viewers with little network, and for all of them while this one has little.
const HALF_BITS_MAX = 500_000;
// Chromium begins at 0.3 Mbit/s and takes half a minute to find more.
const KBITS_AT_START = 1200;
// Between tries, in ms: quick at first, for most breaks are short.
const TRIES = [500, 1000, 2000, 4000, 8000];
// A connection that stumbles for this long is made anew; one is given this long to come up.
const STUMBLE_MS = 3000;
const CONNECT_MS = 12_000;
const STATS_MS = 2000;

function greenRoom() {
  const key = location.pathname.split("/")[2];
  // The server lets this page, and no other, take the place of its own connection at once.
  const self = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2);
  const picture = part("picture");
  const [allow, send, mute, dark, stop] = ["allow", "send", "mute", "dark", "stop"].map(part);
  const camera = document.getElementById("camera");
  const microphone = document.getElementById("microphone");
  let media;
  let session;
  let wanted = false;
  let failures = 0;
  let timer = 0;
  let awake;
  let situation = JSON.parse(room.dataset.situation);

  const say = (text, bad = false) => {
    const line = part("say");
    line.textContent = text;
    line.classList.toggle("bad", bad);
    line.setAttribute("role", bad ? "alert" : "status");
  };

  // ---- what the studio says

  const isUp = () => session?.pc.connectionState === "connected";
  const draw = () => {
    const onAir = situation.on_air && !situation.gone;
    const practice = onAir && situation.doors === "before";
    room.classList.toggle("is-on-air", onAir && !practice);
    room.classList.toggle("is-practice", practice);
    let tally = "OFF AIR";
    if (practice) tally = "PRACTICE: STAFF SEE YOU";
    else if (onAir) tally = "ON AIR";
    else if (isUp()) tally = "READY";
    if (part("tally").textContent !== tally) part("tally").textContent = tally;
    part("turn").textContent = onAir ? "" : situation.turn;
    part("turn").hidden = onAir || !situation.turn;
    part("note-text").textContent = situation.note;
    part("note").hidden = !situation.note;
    document.title = `${onAir ? "● " : ""}${document.title.replace(/^● /, "")}`;
    drawTime();
  };
  const drawTime = () => {
    const left = part("left");
    left.hidden = !situation.on_air || situation.until_ms === null;
    if (left.hidden) return;
    const seconds = Math.round((situation.until_ms - Date.now()) / 1000);
    left.classList.toggle("over", seconds < 0);
    const clock = `${Math.floor(Math.abs(seconds) / 60)}:${String(Math.abs(seconds) % 60).padStart(2, "0")}`;
    left.textContent = seconds < 0 ? `${clock} over` : `${clock} left`;
  };
  setInterval(drawTime, 500);

  const over = (text) => {
    wanted = false;
    drop(true);
    say(text, situation.gone);
    for (const button of [allow, send]) button.hidden = true;
    part("while-live").hidden = true;
  };
  let lostAt = 0;
  const news = new EventSource(room.dataset.news);
  news.addEventListener("situation", (event) => {
    situation = JSON.parse(event.data);
    draw();
    if (situation.gone) { news.close(); over("This address is no longer yours. Ask your host for the new one."); return; }
    if (situation.doors === "ended") { over("This rally has ended. Thank you!"); return; }
    // A server that was started again knows nothing of this connection, and the browser does not know that yet.
    if (lostAt && wanted && !situation.connected) { failures = 0; again(0); }
    lostAt = 0;
  });
  news.onerror = () => {
    lostAt ||= Date.now();
    // A refused stream is not asked for again by itself.
    if (news.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  };

  // ---- camera and microphone

  const words = {
    NotAllowedError: "Your browser does not let this page use the camera. Press the camera sign beside the address, choose Allow, and try again.",
    NotFoundError: "No camera was found. Plug one in, or open this page on your phone.",
    NotReadableError: "The camera is in use by another program, such as Zoom. Close that one and try again.",
    OverconstrainedError: "That camera does not fit. Choose another one.",
  };
  const take = async (changes = {}) => {
    const video = { width: { ideal: WIDTH }, height: { ideal: HEIGHT }, frameRate: { ideal: FRAMES, max: FRAMES }, ...(changes.camera ? { deviceId: { exact: changes.camera } } : { facingMode: "user" }) };
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(changes.microphone ? { deviceId: { exact: changes.microphone } } : {}) };
    const fresh = await navigator.mediaDevices.getUserMedia({ video, audio });
    for (const track of media?.getTracks() ?? []) { track.onended = null; track.stop(); }
    media = fresh;
    for (const track of media.getTracks()) {
      track.enabled = (track.kind === "audio" ? mute : dark).getAttribute("aria-pressed") !== "true";
      track.onended = () => { say(`Your ${track.kind === "audio" ? "microphone" : "camera"} went away. Plug it in again, or choose another one.`, true); list(); };
    }
    picture.srcObject = media;
    // Nobody knows their own face otherwise than in a mirror; what a camera at the back sees is no face.
    picture.style.transform = media.getVideoTracks()[0]?.getSettings().facingMode === "environment" ? "none" : "";
    part("blank").hidden = true;
    listen();
    for (const sender of session?.pc.getSenders() ?? []) {
      const track = media.getTracks().find((one) => one.kind === sender.track?.kind);
      if (track) await sender.replaceTrack(track);
    }
    await list();
  };
  const list = async () => {
    const devices = await navigator.mediaDevices.enumerateDevices();
    for (const [select, kind, track] of [[camera, "videoinput", media?.getVideoTracks()[0]], [microphone, "audioinput", media?.getAudioTracks()[0]]]) {
      const current = track?.getSettings().deviceId;
      select.replaceChildren(...devices.filter((device) => device.kind === kind).map((device, n) => {
        const option = new Option(device.label || `${kind === "videoinput" ? "Camera" : "Microphone"} ${n + 1}`, device.deviceId);
        option.selected = device.deviceId === current;
        return option;
      }));
    }
    part("devices").hidden = false;
  };
  const change = async () => {
    try {
      await take({ camera: camera.value, microphone: microphone.value });
      say("");
    } catch (error) {
      say(words[error.name] ?? `That did not work: ${error.message}`, true);
    }
  };

  let meter;
  const listen = () => {
    meter ??= { context: new AudioContext(), samples: new Float32Array(1024) };
    meter.source?.disconnect();
    meter.source = meter.context.createMediaStreamSource(media);
    meter.analyser ??= meter.context.createAnalyser();
    meter.analyser.fftSize = 1024;
    meter.source.connect(meter.analyser);
    meter.timer ??= setInterval(() => {
      meter.analyser.getFloatTimeDomainData(meter.samples);
      const power = meter.samples.reduce((sum, sample) => sum + sample * sample, 0) / meter.samples.length;
      // From -60 dB, a quiet room, to full scale.
      const level = Math.max(0, 1 + Math.log10(power + 1e-12) / 6);
      part("meter").style.setProperty("--level", level.toFixed(3));
    }, 80);
  };

  // ---- the connection

  const drop = (tell) => {
    clearTimeout(timer);
    timer = 0;
    if (!session) return;
    const { pc, at } = session;
    session.over = true;
    session = undefined;
    // Told first: a connection that closes has ended its session, and there would be nothing left to end.
    if (tell && at) fetch(at, { method: "DELETE", keepalive: true }).catch(() => {}).finally(() => pc.close());
    else pc.close();
    part("line").hidden = true;
    draw();
  };
  const again = (wait = TRIES[Math.min(failures, TRIES.length - 1)]) => {
    if (!wanted || timer) return;
    drop(false);
    failures += 1;
    timer = setTimeout(() => { timer = 0; connect(); }, wait * (0.75 + Math.random() / 2));
  };
  const h264 = () => {
    const codecs = window.RTCRtpSender?.getCapabilities?.("video")?.codecs ?? [];
    const is = (codec) => /h264/i.test(codec.mimeType) && /packetization-mode=1/.test(codec.sdpFmtpLine ?? "");
    return codecs.some(is) ? [...codecs.filter(is), ...codecs.filter((codec) => /rtx/i.test(codec.mimeType))] : [];
  };
  const connect = async () => {
    const mine = { pc: new RTCPeerConnection({ bundlePolicy: "max-bundle" }), over: false, sent: 0 };
    session = mine;
    const { pc } = mine;
    try {
      for (const track of media.getTracks()) {
        const qualities = [
          { rid: "full", maxBitrate: BITS_MAX, maxFramerate: FRAMES },
          { rid: "half", maxBitrate: HALF_BITS_MAX, maxFramerate: FRAMES, scaleResolutionDownBy: 2 },
        ];
        const line = pc.addTransceiver(track, { direction: "sendonly", streams: [media], sendEncodings: track.kind === "video" ? qualities : undefined });
        if (track.kind === "video") line.setCodecPreferences?.(h264());
      }
      await pc.setLocalDescription(await pc.createOffer());
      const answer = await fetch("/whip", {
        method: "POST",
        headers: { "content-type": "application/sdp", accept: "application/sdp, application/problem+json", authorization: `Bearer ${key}`, "x-page": self },
        body: pc.localDescription.sdp,
        signal: AbortSignal.timeout(CONNECT_MS),
      });
      const text = await answer.text();
      if (mine.over) {
        if (answer.ok) fetch(answer.headers.get("location"), { method: "DELETE" }).catch(() => {});
        return;
      }
      if (!answer.ok) {
        let reason = `The server answered ${answer.status}.`;
        try { reason = JSON.parse(text).detail; } catch { /* a proxy's page says nothing to a speaker */ }
        // What another try can't mend is the end of trying.
        if ([400, 401, 404, 415, 422].includes(answer.status)) { wanted = false; drop(false); buttons(); say(reason, true); return; }
        say(`${reason} Trying again…`, true);
        again();
        return;
      }
      mine.at = answer.headers.get("location");
      const sdp = text.replace(/^(a=fmtp:\d+ .*packetization-mode=1.*?)(\r?)$/gm, `$1;x-google-start-bitrate=${KBITS_AT_START}$2`);
      await pc.setRemoteDescription({ type: "answer", sdp });
      const sender = pc.getSenders().find((one) => one.track?.kind === "video");
      const parameters = sender.getParameters();
      // Each change of size is a break for the viewers; fewer pictures a second are none.
      parameters.degradationPreference = "maintain-resolution";
      await sender.setParameters(parameters).catch(() => {});
    } catch (error) {
      if (mine.over) return;
      say(navigator.onLine ? "The studio could not be reached. Trying again…" : "You are offline. It goes on as soon as your network is back.", true);
      again();
      return;
    }
    const late = setTimeout(() => { if (!mine.over && pc.connectionState !== "connected") { say("The connection does not come about: your network may block it. Trying again…", true); again(); } }, CONNECT_MS);
    let stumble = 0;
    pc.addEventListener("connectionstatechange", () => {
      if (mine.over) return;
      clearTimeout(stumble);
      draw();
      if (pc.connectionState === "connected") {
        clearTimeout(late);
        failures = 0;
        say("The studio has your picture.");
        measure(mine);
      } else if (pc.connectionState === "disconnected") {
        stumble = setTimeout(() => { if (!mine.over) { say("The connection broke. Coming back…", true); again(0); } }, STUMBLE_MS);
      } else if (["failed", "closed"].includes(pc.connectionState)) {
        say("The connection broke. Coming back…", true);
        again();
      }
    });
  };

  /** Says every two seconds how good the line is. */
  const measure = async (mine) => {
    let before;
    while (!mine.over) {
      const stats = [...(await mine.pc.getStats()).values()];
      const outs = stats.filter((one) => one.type === "outbound-rtp" && one.kind === "video");
      // The best that goes out now: without room in the network it is the half one.
      const out = outs.filter((one) => one.framesPerSecond > 0).sort((a, b) => b.frameHeight - a.frameHeight)[0] ?? outs[0];
      const sent = outs.reduce((sum, one) => sum + one.bytesSent, 0);
      const heard = stats.find((one) => one.type === "remote-inbound-rtp" && one.kind === "video");
      if (out && before) {
        const bits = ((sent - before.sent) * 8000) / (out.timestamp - before.at);
        const loss = heard?.fractionLost ?? 0;
        const round = heard?.roundTripTime;
        const cramped = outs.some((one) => one.qualityLimitationReason === "bandwidth");
        const weak = loss > 0.05 || (cramped && bits < 400_000) || round > 0.6;
        const fair = loss > 0.01 || (cramped && bits < 1_000_000) || round > 0.25;
        const [kind, text] = weak ? ["weak", "Weak connection: move closer to your router, or plug in a cable."]
          : fair ? ["fair", "Fair connection: close other programs that use the network."] : ["good", "Good connection."];
        const numbers = [`${(bits / 1e6).toFixed(1)} Mbit/s`, `${(loss * 100).toFixed(1)} % lost`];
        if (round !== undefined) numbers.push(`${Math.round(round * 1000)} ms there and back`);
        if (out.frameHeight) numbers.push(`${out.frameWidth}×${out.frameHeight}`);
        if (out.qualityLimitationReason === "cpu") numbers.push("this computer is busy: close other programs");
        const head = document.createElement("b");
        head.textContent = text;
        part("line").className = `line ${kind}`;
        part("line").replaceChildren(head, numbers.join(" · "));
        part("line").hidden = false;
      }
      before = out && { sent, at: out.timestamp };
      await new Promise((done) => setTimeout(done, STATS_MS));
    }
  };

  // ---- buttons

  const buttons = () => {
    allow.hidden = Boolean(media);
    send.hidden = !media || wanted;
    part("while-live").hidden = !wanted;
  };
  allow.addEventListener("click", async () => {
    say("Your browser asks whether this page may use them: choose Allow.");
    try {
      await take();
      say("Look at your picture and speak: the bar must move. Then send it.");
    } catch (error) {
      say(words[error.name] ?? `That did not work: ${error.message}`, true);
    }
    buttons();
  });
  send.addEventListener("click", async () => {
    wanted = true;
    failures = 0;
    buttons();
    say("Connecting to the studio…");
    connect();
    // A phone that goes to sleep takes its camera with it.
    awake = await navigator.wakeLock?.request("screen").catch(() => undefined);
  });
  stop.addEventListener("click", () => {
    wanted = false;
    drop(true);
    awake?.release().catch(() => {});
    buttons();
    say("You have stopped. Nobody sees you now.");
  });
  const toggle = (button, kind, on, off) => button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    button.textContent = pressed ? off : on;
    for (const track of media.getTracks()) if (track.kind === kind) track.enabled = !pressed;
  });
  toggle(mute, "audio", "Mute", "Muted");
  toggle(dark, "video", "Camera off", "Camera is off");
  camera.addEventListener("change", change);
  microphone.addEventListener("change", change);
  addEventListener("online", () => { if (wanted && !isUp()) { failures = 0; clearTimeout(timer); timer = 0; again(0); } });
  addEventListener("pagehide", () => drop(true));

  if (!navigator.mediaDevices?.getUserMedia) {
    say("The camera needs a secure page: open this address with https://, or ask your host.", true);
  } else if (!h264().length) {
    say("This browser can’t send the kind of picture every phone can show (H.264). Please open this address in Chrome, Edge or Safari.", true);
  } else {
    navigator.mediaDevices.addEventListener?.("devicechange", () => { if (media) list(); });
    buttons();
  }
  draw();
}

if (room && !("over" in room.dataset)) greenRoom();
