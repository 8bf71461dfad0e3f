// Plays what is on and says what is on; asks every few seconds, so that nobody has to load the page again.
"use strict";

(() => {
  const SOURCE = "/hls/stream.m3u8";
  const ASK_EVERY = 5000;
  const PING_EVERY = 10000;
  const LONGEST_GOODBYE = 30000;

  const find = (id) => document.getElementById(id);
  const [player, video, curtain, sound] = ["player", "video", "curtain", "sound"].map(find);
  if (!player) return;

  let hls = null;
  let isOnline = false;
  let isPlaying = false;
  let failures = 0;
  let pending = null;
  let recoveredAt = 0;
  let wanted = -1;

  // --- Playing -----------------------------------------------------------------------------------------------------

  async function play() {
    try {
      await video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return;
      // Browsers let a page that nobody has touched yet play in silence only.
      video.muted = true;
      sound.hidden = false;
      await video.play().catch(() => {});
    }
  }

  function begin() {
    end();
    isPlaying = true;
    curtain.hidden = true;
    player.classList.add("playing");
    video.poster = `/thumbnail.jpg?at=${Date.now()}`;
    if (window.Hls && Hls.isSupported()) {
      hls = new Hls({ backBufferLength: 30, maxLiveSyncPlaybackRate: 1.1 });
      hls.on(Hls.Events.MANIFEST_PARSED, () => { offerQualities(); play(); });
      hls.on(Hls.Events.ERROR, (_, problem) => { if (problem.fatal) mend(problem); });
      hls.loadSource(SOURCE);
      hls.attachMedia(video);
    } else {
      video.src = SOURCE;
      play();
    }
  }

  function end() {
    clearTimeout(pending);
    pending = null;
    if (hls) hls.destroy();
    hls = null;
    isPlaying = false;
    if (video.getAttribute("src")) {
      video.removeAttribute("src");
      video.load();
    }
  }

  function drop() {
    end();
    curtain.hidden = false;
    sound.hidden = true;
    player.classList.remove("playing");
    find("quality").parentElement.hidden = true;
  }

  function mend(problem) {
    if (problem.type === Hls.ErrorTypes.MEDIA_ERROR && Date.now() - recoveredAt > 5000) {
      recoveredAt = Date.now();
      hls.recoverMediaError();
      return;
    }
    later();
  }

  // Once more after a while, ever longer while it fails; or not at all once the broadcast is over.
  function later() {
    if (!isOnline) return drop();
    failures += 1;
    clearTimeout(pending);
    pending = setTimeout(() => { if (isOnline) begin(); }, Math.min(15000, 1000 * 2 ** failures));
  }

  video.addEventListener("playing", () => { failures = 0; });
  video.addEventListener("ended", () => (isOnline ? later() : drop()));
  video.addEventListener("error", () => { if (!hls && isPlaying) later(); });
  video.addEventListener("volumechange", () => { if (!video.muted) sound.hidden = true; });
  sound.addEventListener("click", () => {
    video.muted = false;
    sound.hidden = true;
  });

  // --- Qualities ---------------------------------------------------------------------------------------------------

  const numberOf = (level) => Number((/\/(\d+)\/[^/]*$/.exec(level.uri) || [])[1] ?? -1);

  async function offerQualities() {
    const select = find("quality");
    const levels = hls.levels.map((level, index) => ({ index, number: numberOf(level), height: level.height }));
    select.parentElement.hidden = levels.length < 2;
    if (levels.length < 2) return;
    const names = await fetch("/api/video/variants").then((answer) => answer.json()).catch(() => []);
    const nameOf = ({ number, height }) => (names.find((each) => each.index === number) || {}).name || `${height}p`;
    levels.sort((one, other) => one.number - other.number);
    const options = levels.map((level) => new Option(nameOf(level), level.number));
    select.replaceChildren(new Option("Automatic", -1), ...options);
    choose(wanted);
    select.value = String(wanted);
  }

  function choose(number) {
    const index = hls.levels.findIndex((level) => numberOf(level) === number);
    wanted = index < 0 ? -1 : number;
    hls.nextLevel = index;
  }

  find("quality").addEventListener("change", (event) => { if (hls) choose(Number(event.target.value)); });

  // --- What is on --------------------------------------------------------------------------------------------------

  const write = (id, text) => {
    const element = find(id);
    if (element && element.textContent !== text) element.textContent = text;
  };
  const shortTime = (text) => new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

  function tell(status) {
    const wasOnline = isOnline;
    isOnline = status.online;
    player.dataset.online = isOnline ? "yes" : "";
    write("state", isOnline ? "Live" : "Offline");
    find("state").classList.toggle("live", isOnline);
    write("viewers", isOnline ? `${status.viewerCount} watching` : "");
    write("stream-title", status.streamTitle || find("stream-title").dataset.otherwise);
    if (status.lastDisconnectTime) write("last", `The last broadcast ended on ${shortTime(status.lastDisconnectTime)}.`);
    if (isOnline && !wasOnline) begin();
    if (!isOnline && wasOnline) {
      // What is left of it plays to its end, which hls.js says; a player that hangs is not waited for.
      clearTimeout(pending);
      pending = setTimeout(() => { if (!isOnline) drop(); }, LONGEST_GOODBYE);
    }
  }

  async function ask() {
    let wait = ASK_EVERY + Math.random() * 2000;
    try {
      const answer = await fetch("/api/status", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      tell(await answer.json());
    } catch {
      wait *= 3;
    }
    setTimeout(ask, wait);
  }

  // Whose segments come from elsewhere is not seen by this server while they watch.
  if (player.dataset.ping) {
    setInterval(() => {
      if (isPlaying && !video.paused) fetch("/api/ping", { method: "POST" }).catch(() => {});
    }, PING_EVERY);
  }

  find("soon").hidden = false;
  ask();
})();
