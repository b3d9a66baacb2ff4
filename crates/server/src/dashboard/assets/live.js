// Follows what happens. Without it every page works by itself; with it pages renew themselves.
"use strict";

// Asks for the page again and takes over the parts that changed, but for one that somebody works in.
async function renew() {
  const answer = await fetch(location.pathname + location.search, { headers: { "X-Ambit-Watching": "1" } });
  // A session that is over leads to another page: then this one stays as it was.
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
    if (!fresh || part.innerHTML === fresh.innerHTML || worksIn(part)) continue;
    const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
    for (const one of fresh.querySelectorAll("details")) one.open = open.includes(one.id);
    part.replaceChildren(...fresh.childNodes);
    toEnd(part);
  }
}

function worksIn(part) {
  const fields = [...part.querySelectorAll("input:not([type=hidden]), textarea")];
  return part.contains(document.activeElement) && document.activeElement !== document.body
    ? document.activeElement.matches("input, select, textarea, button, summary")
    : fields.some((field) => field.value !== field.defaultValue);
}

function toEnd(where) {
  for (const log of where.querySelectorAll("[data-end]")) log.scrollTop = log.scrollHeight;
}

function follow(address) {
  const offline = document.querySelector("[data-offline]");
  const events = new EventSource(address);
  let waiting = false;
  events.addEventListener("open", () => { offline.hidden = true; });
  events.addEventListener("error", () => { offline.hidden = false; });
  events.addEventListener("changed", () => {
    // A hidden page is renewed when somebody looks again.
    if (document.hidden || waiting) return;
    waiting = true;
    renew().catch(() => {}).finally(() => setTimeout(() => { waiting = false; }, 300));
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew().catch(() => {}); });
  addEventListener("pagehide", () => events.close());
}

function followLog(button) {
  const lines = document.getElementById("lines");
  if (!lines) return;
  button.hidden = false;
  let events = null;
  const add = (message) => {
    const end = lines.scrollTop + lines.clientHeight > lines.scrollHeight - 40;
    for (const line of JSON.parse(message.data)) {
      const text = line.text.replace(/[\u0000-\u0008\u000a-\u001f\u007f]/g, "");
      lines.append(`${line.at.slice(0, 19)} ${line.instance} ${text}\n`);
    }
    while (lines.childNodes.length > 3000) lines.firstChild.remove();
    if (end) lines.scrollTop = lines.scrollHeight;
  };
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(!events));
    if (events) {
      events.close();
      events = null;
      return;
    }
    const asked = new URLSearchParams(new FormData(button.form));
    events = new EventSource(`${button.dataset.follow}?${asked}`);
    events.addEventListener("begin", (message) => {
      lines.replaceChildren();
      add(message);
      lines.scrollTop = lines.scrollHeight;
    });
    events.addEventListener("lines", add);
  });
}

toEnd(document);
if (document.body.dataset.live) follow(document.body.dataset.live);
for (const button of document.querySelectorAll("[data-follow]")) followLog(button);
