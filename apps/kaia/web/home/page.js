"use strict";
const api = window.AMBIT.variables.API_URL;
fetch(api + "/ready")
  .then((answer) => answer.json())
  .then((ready) => {
    const ok = ready.database && ready.redis;
    document.getElementById("state").textContent = ok ? "API lista (" + ready.environment + ")" : "API no disponible";
  })
  .catch(() => { document.getElementById("state").textContent = "API no disponible"; });
