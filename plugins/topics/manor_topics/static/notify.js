// The button that has this browser notified of what its reader is subscribed to.
"use strict";

(() => {
  const WORKER = "/app/notifications.js";
  const REGISTER = "/app/notifications";
  const button = document.getElementById("notify");
  const said = document.getElementById("notify-said");
  if (!button || !("serviceWorker" in navigator) || !("PushManager" in window)) return;

  function deviceId() {
    const known = localStorage.getItem("manor-device");
    if (known) return known;
    const random = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"));
    const fresh = `browser-${random.join("")}`;
    localStorage.setItem("manor-device", fresh);
    return fresh;
  }

  function bytes(base64url) {
    const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(text, (character) => character.charCodeAt(0));
  }

  async function send(path, fields) {
    const body = new URLSearchParams({ form_token: button.dataset.token, device_id: deviceId(), ...fields });
    const answer = await fetch(path, { method: "POST", body });
    if (!answer.ok) throw new Error(`${answer.status}`);
  }

  function show(isOn) {
    button.textContent = isOn ? "Stop notifying this browser" : "Notify this browser";
    button.dataset.on = isOn ? "yes" : "";
    button.hidden = false;
  }

  async function begin() {
    if ((await Notification.requestPermission()) !== "granted") {
      said.textContent = "This browser does not allow notifications of this page.";
      return;
    }
    await navigator.serviceWorker.register(WORKER, { scope: "/app/" });
    const registration = await navigator.serviceWorker.ready;
    const options = { userVisibleOnly: true, applicationServerKey: bytes(button.dataset.key) };
    const subscription = await registration.pushManager.subscribe(options);
    const name = navigator.userAgentData?.platform ? `Browser on ${navigator.userAgentData.platform}` : "Browser";
    await send(REGISTER, { push_token: JSON.stringify(subscription), device_name: name });
    said.textContent = "This browser is notified of what you are subscribed to.";
    show(true);
  }

  async function end() {
    await send(`${REGISTER}/end`, {});
    const registration = await navigator.serviceWorker.getRegistration("/app/");
    const subscription = await registration?.pushManager.getSubscription();
    await subscription?.unsubscribe();
    said.textContent = "This browser is notified no more.";
    show(false);
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await (button.dataset.on ? end() : begin());
    } catch {
      said.textContent = "That did not work. Try again later.";
    } finally {
      button.disabled = false;
    }
  });

  (async () => {
    const registration = await navigator.serviceWorker.getRegistration("/app/");
    show(Boolean(await registration?.pushManager.getSubscription()));
  })().catch(() => show(false));
})();
