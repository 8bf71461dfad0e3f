// Jobs as they go on, without loading the page again. Whatever a job says is set as text, never as HTML.
"use strict";

(() => {
  function tellTimes(root) {
    for (const element of root.querySelectorAll("time[datetime]")) {
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      element.title = element.dateTime;
      element.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    }
  }

  let waiting = null;

  // What a list shows beside its rows (names, buttons, logs) is the server's to make: ask for the part anew.
  async function renew() {
    waiting = null;
    const answer = await fetch(location.href, { cache: "no-store", redirect: "manual" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("fresh");
    const shown = document.getElementById("fresh");
    // Not under somebody's fingers.
    if (!fresh || shown.contains(document.activeElement) || shown.querySelector("details[open]")) return;
    const own = document.importNode(fresh, true);
    tellTimes(own);
    shown.replaceWith(own);
  }

  function renewSoon() {
    if (!waiting) waiting = setTimeout(() => renew().catch(() => {}), 500);
  }

  const find = (id) => document.querySelector(`[data-job="${CSS.escape(id)}"]`);

  // Whether something happened to a job since this page was made.
  function isNews(job) {
    const made = new Date(document.getElementById("fresh").dataset.made);
    return job.state === "running" || new Date(job.ended_at) >= made;
  }

  function show(job) {
    const row = find(job.id);
    if (!row) {
      if (!document.getElementById("fresh").dataset.only) renewSoon();
      return;
    }
    const isNew = row.dataset.state !== job.state;
    row.dataset.state = job.state;
    const state = row.querySelector(".state");
    state.textContent = job.state;
    state.className = `badge state ${job.state}`;
    row.querySelector(".message").textContent = job.message;
    const bar = row.querySelector("progress");
    if (bar && job.state === "running") bar.value = job.progress;
    if (bar && job.state !== "running") bar.remove();
    // A job's own page has its log besides.
    if (isNew || document.getElementById("fresh").dataset.only) renewSoon();
  }

  function hear(url) {
    const stream = new EventSource(url);
    stream.addEventListener("snapshot", (event) => {
      for (const job of JSON.parse(event.data).jobs) {
        if (find(job.id) || isNews(job)) show(job);
      }
    });
    stream.addEventListener("job", (event) => show(JSON.parse(event.data)));
    addEventListener("pagehide", () => stream.close());
  }

  // Without leaving the page: the secret stays in its field, and no page ever shows it again.
  async function tryStore(form) {
    const tried = document.getElementById("tried");
    const body = new URLSearchParams(new FormData(form));
    body.set("turn", "test");
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    tried.textContent = "Testing: half a minute at most…";
    try {
      const answer = await fetch(form.action, { method: "POST", body, cache: "no-store", redirect: "manual" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      // Another page: the password is to be typed again, or the host says nothing.
      if (!page.getElementById("tried")) return location.reload();
      const said = page.querySelector(".notice[role=alert]") || page.querySelector("#tried .notice");
      tried.replaceChildren(document.importNode(said, true));
    } catch {
      tried.textContent = "The server does not answer.";
    } finally {
      for (const button of form.querySelectorAll("button")) button.disabled = false;
    }
  }

  const store = document.getElementById("store");
  if (store) {
    store.addEventListener("submit", (event) => {
      if (event.submitter?.value !== "test") return;
      event.preventDefault();
      tryStore(store);
    });
  }

  tellTimes(document);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  const part = document.getElementById("fresh");
  if (part) hear(part.dataset.live);
})();
