// Plays what is on and says what is on; asks every few seconds, so that nobody has to load the page again.
// A server that is away is waited for: what was loaded plays on, and what is on then begins by itself.
"use strict";

(() => {
  const SOURCE = "/hls/stream.m3u8";
  const ASK_EVERY = 5000;
  const ANSWER_WITHIN = 10000;
  const PING_EVERY = 10000;
  const LONGEST_WAIT = 8000;
  const LONGEST_GOODBYE = 30000;
  const STANDS_STILL_AFTER = 5000;
  const PLAYLIST_WITHIN = 5000;
  const SEGMENT_BEGINS_WITHIN = 8000;
  const FAILURES_TOLD = 3;

  const find = (id) => document.getElementById(id);
  const [player, video, curtain, sound] = ["player", "video", "curtain", "sound"].map(find);
  if (!player) return;

  let hls = null;
  let isOnline = false;
  let isLost = false;
  let isPlaying = false;
  let failures = 0;
  let pending = null;
  let leaving = null;
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

  // Where segments come from elsewhere, and nothing answers there, the server of this page has them: it is asked soon.
  const within = (name, ms) => ({ default: { ...Hls.DefaultConfig[name].default, maxTimeToFirstByteMs: ms, timeoutRetry: null } });

  function begin() {
    end();
    isPlaying = true;
    curtain.hidden = true;
    player.classList.add("playing");
    video.poster = `/thumbnail.jpg?at=${Date.now()}`;
    if (window.Hls && Hls.isSupported()) {
      hls = new Hls({
        backBufferLength: 30,
        maxLiveSyncPlaybackRate: 1.1,
        playlistLoadPolicy: within("playlistLoadPolicy", PLAYLIST_WITHIN),
        fragLoadPolicy: within("fragLoadPolicy", SEGMENT_BEGINS_WITHIN),
      });
      hls.on(Hls.Events.MANIFEST_PARSED, () => { offerQualities(); play(); });
      hls.on(Hls.Events.FRAG_BUFFERED, () => { failures = 0; sayState(); });
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
    clearInterval(leaving);
    pending = leaving = null;
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
    // The first time what was loaded is kept: a short gap of the line is not seen then.
    const isGap = problem.type === Hls.ErrorTypes.NETWORK_ERROR && hls.levels.length > 0 && failures === 0;
    later(isGap ? () => hls.startLoad() : begin);
  }

  // Once more after a while, ever longer while it fails; or not at all once the broadcast is over.
  function later(again = begin) {
    if (!isOnline) return drop();
    failures += 1;
    clearTimeout(pending);
    pending = setTimeout(() => { if (isOnline) again(); }, Math.min(LONGEST_WAIT, 500 * 2 ** failures));
  }

  // What is left of a broadcast plays to its end, which the video tells; one that stands still is not waited for.
  function leave() {
    let [at, waited, stood] = [-1, 0, 0];
    clearInterval(leaving);
    leaving = setInterval(() => {
      waited += 1000;
      stood = video.currentTime === at ? stood + 1000 : 0;
      at = video.currentTime;
      if (waited >= LONGEST_GOODBYE || stood >= STANDS_STILL_AFTER) drop();
    }, 1000);
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

  function sayState() {
    if (isLost) return;
    const live = failures < FAILURES_TOLD ? "Live" : "Live, but the video does not arrive here";
    write("state", isOnline ? live : "Offline");
  }

  function tell(status) {
    const [wasOnline, wasLost] = [isOnline, isLost];
    isOnline = status.online;
    isLost = false;
    player.dataset.online = isOnline ? "yes" : "";
    // What failed while the server was away says nothing of the video.
    if (wasLost) failures = Math.min(failures, 1);
    sayState();
    find("state").classList.toggle("live", isOnline);
    write("viewers", isOnline ? `${status.viewerCount} watching` : "");
    write("stream-title", status.streamTitle || find("stream-title").dataset.otherwise);
    if (status.lastDisconnectTime) write("last", `The last broadcast ended on ${shortTime(status.lastDisconnectTime)}.`);
    // Those who have waited for the server are many: when each of them was to ask is what spreads them.
    if (isOnline && (!wasOnline || (wasLost && failures > 0))) begin();
    if (!isOnline && wasOnline) leave();
  }

  function lose() {
    isLost = true;
    write("state", "Connecting again…");
    find("state").classList.remove("live");
    write("viewers", "");
  }

  let asking = null;
  let isAsking = false;

  async function ask() {
    if (isAsking) return;
    isAsking = true;
    clearTimeout(asking);
    let wait = ASK_EVERY + Math.random() * 2000;
    try {
      const answer = await fetch("/api/status", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_WITHIN) });
      if (answer.ok) tell(await answer.json());
      else if (answer.status === 429) wait *= 3;
      else lose();
    } catch {
      lose();
    }
    isAsking = false;
    asking = setTimeout(ask, wait);
  }

  // A telephone that wakes up, or has a line again, does not wait for its turn.
  window.addEventListener("online", ask);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") ask(); });

  // Whose segments come from elsewhere is not seen by this server while they watch.
  if (player.dataset.ping) {
    setInterval(() => {
      if (isPlaying && !video.paused) fetch("/api/ping", { method: "POST" }).catch(() => {});
    }, PING_EVERY);
  }

  find("soon").hidden = false;
  ask();
})();
