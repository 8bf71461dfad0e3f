// What comes, changes and goes while the page is open. Whatever a message says is set as text, never as HTML.
"use strict";

(() => {
  const PRIORITIES = ["", "urgent", "high", "normal", "low", "lowest"];
  const list = document.getElementById("messages");
  const mould = document.getElementById("mould");
  if (!list || !list.dataset.live) return;

  const state = document.getElementById("state");
  const empty = document.getElementById("empty");
  const gone = new Set();
  let wasLost = false;
  let viewing = null;

  const find = (id) => list.querySelector(`[data-id="${CSS.escape(id)}"]`);

  function isWeb(url) {
    try {
      return ["http:", "https:"].includes(new URL(url).protocol);
    } catch {
      return false;
    }
  }

  function waysOf(message) {
    const found = [];
    if (message.click) found.push([null, message.click]);
    if (message.attachment) found.push([message.attachment.name, message.attachment.url]);
    for (const action of message.actions || []) {
      if (action.action === "view") found.push([action.label, action.url]);
    }
    return found.filter(([, url]) => isWeb(url)).map(([label, url]) => [label || new URL(url).hostname, url]);
  }

  function say(element, text) {
    if (text) element.textContent = text;
    else element.remove();
  }

  function fill(parent, items, make) {
    if (items.length === 0) parent.remove();
    for (const item of items) {
      const entry = document.createElement("li");
      make(entry, item);
      parent.append(entry);
    }
  }

  function poured(message) {
    const item = mould.content.firstElementChild.cloneNode(true);
    const part = (name) => item.querySelector(name);
    item.dataset.id = message.id;
    item.dataset.sequence = message.sequence;
    item.classList.add(`priority-${Number(message.priority)}`);
    say(part(".priority"), message.priority === 3 ? "" : PRIORITIES[message.priority]);
    part("time").dateTime = message.timestamp;
    tellTime(part("time"));
    if (!message.is_edited) part(".edited").remove();
    say(part(".title"), message.title);
    part(".text").textContent = message.message;
    fill(part(".ways"), waysOf(message), (entry, [label, url]) => {
      const link = document.createElement("a");
      link.href = url;
      link.rel = "noopener noreferrer nofollow";
      link.textContent = label;
      entry.append(link);
    });
    fill(part(".tags"), message.tags, (entry, tag) => { entry.textContent = tag; });
    return item;
  }

  function place(item) {
    const before = find(item.dataset.id);
    if (before) {
      before.replaceWith(item);
      return;
    }
    const sequence = Number(item.dataset.sequence);
    const older = Array.from(list.children).find((each) => Number(each.dataset.sequence) < sequence);
    list.insertBefore(item, older || null);
    empty.hidden = true;
  }

  function remove(id) {
    gone.add(id);
    const item = find(id);
    if (item) item.remove();
    empty.hidden = list.children.length > 0;
  }

  // Edits and deletions are not repeated to who was away: after a while without a connection the page is asked again.
  async function lookAgain() {
    const answer = await fetch(location.pathname, { credentials: "same-origin", redirect: "manual" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const items = Array.from(fresh.querySelectorAll("#messages > li"));
    const known = new Set(items.map((item) => item.dataset.id));
    const sequences = items.map((item) => Number(item.dataset.sequence));
    const [oldest, newest] = [Math.min(...sequences), Math.max(...sequences)];
    for (const item of Array.from(list.children)) {
      const sequence = Number(item.dataset.sequence);
      if (!known.has(item.dataset.id) && sequence >= oldest && sequence <= newest) item.remove();
    }
    for (const item of items) {
      if (gone.has(item.dataset.id)) continue;
      const own = document.importNode(item, true);
      own.querySelectorAll("time").forEach(tellTime);
      place(own);
    }
  }

  // What came in is read only while somebody looks; several messages at once are one word to the server.
  function view() {
    if (!list.dataset.viewed || document.visibilityState !== "visible" || viewing) return;
    viewing = setTimeout(() => {
      viewing = null;
      const body = new URLSearchParams({ form_token: list.dataset.token });
      fetch(list.dataset.viewed, { method: "POST", body }).catch(() => {});
    }, 500);
  }

  function hear() {
    const stream = new EventSource(list.dataset.live);
    stream.addEventListener("ready", () => {
      state.textContent = "Live";
      if (wasLost) lookAgain().catch(() => {});
      wasLost = false;
    });
    stream.addEventListener("gap", () => lookAgain().catch(() => {}));
    stream.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      if (find(message.id) || gone.has(message.id)) return;
      place(poured(message));
      view();
    });
    stream.addEventListener("message_updated", (event) => {
      const message = JSON.parse(event.data);
      if (find(message.id)) place(poured(message));
    });
    stream.addEventListener("message_deleted", (event) => remove(JSON.parse(event.data).id));
    stream.addEventListener("error", () => {
      wasLost = true;
      const isOver = stream.readyState === EventSource.CLOSED;
      state.textContent = isOver ? "Not live any more: load the page again." : "Connecting again…";
    });
    addEventListener("pagehide", () => stream.close());
  }

  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  document.addEventListener("visibilitychange", view);
  hear();
})();
