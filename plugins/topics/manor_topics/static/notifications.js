// The service worker: shows what is pushed, and opens the topic when it is pressed.
"use strict";

self.addEventListener("push", (event) => {
  let message = {};
  try {
    message = event.data ? event.data.json() : {};
  } catch {
    message = { message: event.data.text() };
  }
  const topic = String(message.topic || "");
  const options = {
    body: String(message.message || ""),
    tag: String(message.id || ""),
    data: { path: `/app/topics/${encodeURIComponent(topic)}` },
    requireInteraction: message.priority === 1,
  };
  // A silent notification may say nothing of vibration: browsers refuse both together.
  if (message.sound === null) options.silent = true;
  else if (message.vibrate === false) options.vibrate = [];
  event.waitUntil(self.registration.showNotification(String(message.title || topic || "Manor"), options));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.path));
});
