// Times in the words and the zone of whoever reads; without scripts they stand there in UTC.
"use strict";

function tellTime(element) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  element.title = element.dateTime;
  element.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

document.querySelectorAll("time[datetime]").forEach(tellTime);
