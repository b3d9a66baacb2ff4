"use strict";
const api = window.AMBIT.variables.API_URL;
fetch(api + "/ready")
  .then((answer) => answer.json())
  .then((ready) => {
    const ok = ready.database && ready.redis;
    document.getElementById("state").textContent = ok ? "API lista (" + ready.environment + ")" : "API no disponible";
  })
  .catch(() => { document.getElementById("state").textContent = "API no disponible"; });

const message = document.getElementById("message");
document.getElementById("login").addEventListener("submit", async (submit) => {
  submit.preventDefault();
  message.textContent = "";
  const form = new FormData(submit.target);
  try {
    const login = await fetch(api + "/api/v1/auth/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: form.get("email"), password: form.get("password") }),
    });
    const answer = await login.json();
    if (!login.ok) { message.textContent = answer.detail; return; }
    const events = await fetch(api + "/api/v1/events", { headers: { authorization: "Bearer " + answer.access_token } });
    const list = document.getElementById("events");
    list.replaceChildren(...(await events.json()).items.map((event) => {
      const item = document.createElement("li");
      item.textContent = event.start_time.slice(0, 16).replace("T", " ") + " · " + event.title;
      return item;
    }));
  } catch { message.textContent = "La API no responde."; }
});
