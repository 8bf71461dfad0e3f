// Keeps the overview up to date while it is looked at; without scripts it is as new as the page.
"use strict";

(() => {
  const EVERY = 10000;

  async function renew() {
    if (document.visibilityState !== "visible") return;
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("overview");
    const shown = document.getElementById("overview");
    if (fresh && !shown.contains(document.activeElement)) shown.replaceWith(document.importNode(fresh, true));
  }

  setInterval(() => renew().catch(() => {}), EVERY);
})();
