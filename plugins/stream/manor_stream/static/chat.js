// The chat: hears it, says something, and catches up after a line that was down.
"use strict";

(() => {
  const KEPT = "manor.stream.chat";
  const MOST_SHOWN = 300;
  const LONGEST_WAIT = 10000;
  const SETTLED_AFTER = 10000;
  const ANSWER_WITHIN = 10000;
  // The server says something every 30 s; a line that is silent for longer is down, though nobody has said so.
  const SILENT_AFTER = 70000;

  const find = (id) => document.getElementById(id);
  const chat = find("chat");
  if (!chat) return;
  const list = find("messages");
  const form = find("chat-form");
  const newer = find("newer");

  let me = read();
  let socket = null;
  let failures = 0;
  let isOver = false;
  let settling = null;
  let silence = null;
  let waiting = null;
  let unheard = null;

  // --- What this browser keeps: who somebody is here ---------------------------------------------------------------

  function read() {
    try {
      return JSON.parse(localStorage.getItem(KEPT));
    } catch {
      return null;
    }
  }

  function keep(user) {
    me = user;
    try {
      if (user) localStorage.setItem(KEPT, JSON.stringify(user));
      else localStorage.removeItem(KEPT);
    } catch {
      // Without storage somebody is new at each visit.
    }
    const label = find("chat-name");
    if (!label) return;
    label.textContent = user ? user.displayName : "Your name";
    label.setAttribute("aria-label", user ? `Your name: ${user.displayName}` : "Your name");
  }

  // --- What is shown -----------------------------------------------------------------------------------------------

  const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const toEnd = () => { list.scrollTop = list.scrollHeight; newer.hidden = true; };

  function element(name, className, text = "") {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function poured(message) {
    const item = element("li", `message kind-${String(message.type || "CHAT").toLowerCase().replace("_", "-")}`);
    const name = (message.user && message.user.displayName) || message.author || "";
    const at = new Date(message.timestamp);
    item.dataset.id = message.id;
    item.dataset.at = String(at.getTime() || Date.now());
    item.hidden = message.visible === false;
    const author = element("span", "author", name);
    if (message.user) author.classList.add(`colour-${Number(message.user.displayColor) % 8}`);
    const time = element("time", "", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = message.timestamp;
    const body = element("div", "body");
    // The only HTML that is taken as such: the server has made and sanitised it.
    body.innerHTML = message.body;
    item.append(author, " ", time, body);
    return item;
  }

  function place(item) {
    const known = item.dataset.id && list.querySelector(`[data-id="${CSS.escape(item.dataset.id)}"]`);
    if (known) {
      known.hidden = item.hidden;
      return;
    }
    const stays = isAtEnd();
    const later = Array.from(list.children).find((each) => Number(each.dataset.at) > Number(item.dataset.at));
    list.insertBefore(item, later || null);
    while (list.children.length > MOST_SHOWN) list.firstElementChild.remove();
    if (stays) toEnd();
    else newer.hidden = false;
  }

  function note(text) {
    const item = element("li", "message kind-event", text);
    item.dataset.at = String(Date.now());
    place(item);
  }

  const say = (text) => { find("chat-said").textContent = text; };

  function setVisible(ids, isVisible) {
    const known = new Set(ids);
    for (const item of list.children) if (known.has(item.dataset.id)) item.hidden = !isVisible;
  }

  async function catchUp() {
    const token = me && form ? `?accessToken=${encodeURIComponent(me.accessToken)}` : "";
    const answer = await fetch(`/api/chat${token}`, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_WITHIN) });
    if (!answer.ok) throw new Error(answer.statusText);
    const messages = await answer.json();
    const known = new Set(messages.map((each) => each.id));
    const oldest = messages.length ? Math.min(...messages.map((each) => Date.parse(each.timestamp))) : 0;
    for (const item of list.children) {
      // What was hidden meanwhile is not in the history any more.
      if (item.dataset.id && Number(item.dataset.at) >= oldest && !known.has(item.dataset.id)) item.hidden = true;
    }
    messages.forEach((each) => place(poured(each)));
  }

  // --- What is heard -----------------------------------------------------------------------------------------------

  const nameIn = (frame) => (frame.user && frame.user.displayName) || frame.username || "";
  const heard = {
    CHAT: (frame) => {
      if (me && frame.user && frame.user.id === me.id) clearTimeout(unheard);
      place(poured(frame));
    },
    SYSTEM: (frame) => place(poured(frame)),
    CHAT_ACTION: (frame) => place(poured(frame)),
    USER_JOINED: (frame) => note(`${nameIn(frame)} came in`),
    USER_PARTED: (frame) => note(`${nameIn(frame)} left`),
    NAME_CHANGE: (frame) => {
      const name = nameIn(frame) || frame.newName;
      note(`${frame.oldName} is now ${name}`);
      if (me && frame.user && frame.user.id === me.id) keep({ ...me, displayName: name });
    },
    "VISIBILITY-UPDATE": (frame) => {
      setVisible(frame.ids || [frame.id], frame.visible);
      if (frame.visible && frame.body) place(poured({ ...frame, type: "CHAT" }));
    },
    CONNECTED_USER_INFO: (frame) => {
      keep({ ...me, id: frame.user.id, displayName: frame.user.displayName });
      say("");
    },
    PING: () => socket.send(JSON.stringify({ type: "PONG" })),
    CHAT_DISABLED: () => close("The chat is switched off."),
    ERROR_USER_DISABLED: () => close("You may not write here any more."),
    ERROR_NEEDS_REGISTRATION: () => keep(null),
    ERROR_MAX_CONNECTIONS_EXCEEDED: () => say("The chat is full; trying again soon."),
  };

  function hear(event) {
    for (const line of String(event.data).split("\n")) {
      let frame = null;
      try {
        frame = JSON.parse(line);
      } catch {
        continue;
      }
      const handler = Object.hasOwn(heard, frame.type) ? heard[frame.type] : null;
      if (handler) handler(frame);
      else if (String(frame.type).startsWith("ERROR")) say(frame.body || frame.message || "The chat does not take that.");
    }
  }

  function close(text) {
    isOver = true;
    say(text);
    if (form) form.hidden = true;
    if (socket) socket.close();
  }

  // --- The line ----------------------------------------------------------------------------------------------------

  async function register() {
    const answer = await fetch("/api/chat/register", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
      signal: AbortSignal.timeout(ANSWER_WITHIN),
    });
    if (answer.status === 403) close("You may not write here.");
    if (!answer.ok) throw new Error(answer.statusText);
    keep(await answer.json());
  }

  function listen() {
    clearTimeout(silence);
    silence = setTimeout(() => socket.close(), SILENT_AFTER);
  }

  async function connect() {
    clearTimeout(waiting);
    waiting = null;
    try {
      if (form && !me) await register();
      await catchUp();
    } catch {
      if (!isOver) again();
      return;
    }
    // Who only reads needs no name: the older socket asks for none.
    const path = form ? `/ws?accessToken=${encodeURIComponent(me.accessToken)}` : "/entry";
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
    socket.addEventListener("message", hear);
    socket.addEventListener("message", listen);
    listen();
    socket.addEventListener("open", () => {
      say("");
      chat.dataset.state = "open";
      // Between the history and the socket something may have been said.
      catchUp().catch(() => {});
      settling = setTimeout(() => { failures = 0; }, SETTLED_AFTER);
    });
    socket.addEventListener("close", () => {
      chat.dataset.state = "";
      clearTimeout(settling);
      clearTimeout(silence);
      if (!isOver) again();
    });
  }

  function again() {
    say("Connecting again…");
    const wait = Math.min(LONGEST_WAIT, 1000 * 2 ** failures) * (0.5 + Math.random());
    failures += 1;
    waiting = setTimeout(connect, wait);
  }

  // Whose line is there again does not wait for their turn.
  window.addEventListener("online", () => { if (waiting !== null) connect(); });

  // --- What is said ------------------------------------------------------------------------------------------------

  function send(frame) {
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      say("The chat is not connected; try again in a moment.");
      return false;
    }
    socket.send(JSON.stringify(frame));
    say("");
    return true;
  }

  function fillPicker(picker, field) {
    picker.addEventListener("toggle", async () => {
      const room = picker.querySelector(".emoji");
      if (!picker.open || room.children.length) return;
      const emoji = await fetch("/api/emoji").then((answer) => answer.json()).catch(() => []);
      for (const each of emoji) {
        const button = element("button", "plain");
        const image = element("img", "");
        button.type = "button";
        button.title = each.name;
        button.setAttribute("aria-label", each.name);
        image.src = each.url || each.emoji;
        image.alt = "";
        image.loading = "lazy";
        button.append(image);
        button.addEventListener("click", () => {
          field.setRangeText(`:${each.name}: `, field.selectionStart, field.selectionEnd, "end");
          picker.open = false;
          field.focus();
        });
        room.append(button);
      }
    });
  }

  if (form) {
    const field = find("chat-text");
    const rename = find("name-form");
    form.hidden = false;
    find("naming").hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const body = field.value.trim();
      if (body && send({ type: "CHAT", body })) {
        field.value = "";
        toEnd();
        // Nobody is told that a message was too much: one's own comes back, or it was not taken.
        clearTimeout(unheard);
        unheard = setTimeout(() => {
          say("That was not taken: you write too fast, or the chat is closed for now.");
          field.value = field.value || body;
        }, 4000);
      }
    });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    rename.addEventListener("submit", (event) => {
      event.preventDefault();
      const newName = find("new-name").value.trim();
      if (newName && send({ type: "NAME_CHANGE", newName })) find("naming").open = false;
    });
    find("naming").addEventListener("toggle", () => {
      if (find("naming").open && me) find("new-name").value = me.displayName;
    });
    fillPicker(find("picker"), field);
    if (me) keep(me);
  }
  for (const menu of chat.querySelectorAll("details.menu")) {
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  }
  newer.addEventListener("click", toEnd);
  list.addEventListener("scroll", () => { if (isAtEnd()) newer.hidden = true; });
  connect();
})();
