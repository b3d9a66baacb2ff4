// What the links in Kaia's mails lead to: `#verify=TOKEN` ends a registration, `#reset=TOKEN` chooses another password.
// Behind `#` a token reaches no server's log; it is taken out of the address at once, and spent only when a person says so.
import { api, ask, element } from "./site.js";

const place = document.getElementById("account");
const SHORTEST = 8;

async function send(path, body) {
  let answer;
  try {
    answer = await ask(`${api}/api/v1/auth/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    return "La API no responde. Comprueba tu conexión y vuelve a intentarlo.";
  }
  if (answer.ok) return null;
  if (answer.status === 429) return "Demasiados intentos. Espera unos minutos.";
  if (answer.status >= 500) return "Algo falló de nuestro lado. Vuelve a intentarlo en un momento.";
  const problem = await answer.json().catch(() => ({}));
  const fields = Array.isArray(problem.errors) ? problem.errors.map((error) => String(error.field)) : [];
  if (fields.includes("password")) return `Esa contraseña no sirve: usa otra, de al menos ${SHORTEST} caracteres.`;
  if (fields.includes("email")) return "Ese correo no está bien escrito.";
  return "El enlace ya no vale: se usó, o pasó su tiempo. Pide otro.";
}

function field(label, attributes) {
  return [element("label", { for: attributes.id }, label), element("input", { ...attributes, name: attributes.id, required: true })];
}

/** A form with a heading, which is replaced by `done` when the API agrees. */
function form(name, { about, fields = [], button, path, body, done }) {
  const message = element("p", { class: "message error", role: "alert" });
  const heading = element("h1", { id: "account-name", tabindex: -1 }, name);
  const press = element("button", {}, button);
  const submitted = async (submit) => {
    submit.preventDefault();
    if (press.getAttribute("aria-disabled") === "true") return;
    press.setAttribute("aria-disabled", "true");
    message.textContent = "";
    const failure = await send(path, body(new FormData(submit.target)));
    press.removeAttribute("aria-disabled");
    if (failure) message.textContent = failure;
    else submit.target.replaceWith(element("p", { class: "message", role: "status" }, done));
  };
  place.replaceChildren(heading, message, element("form", { onsubmit: submitted }, element("p", {}, about), fields, press));
  place.hidden = false;
  heading.focus();
}

const PAGES = {
  verify: (token) =>
    form("Confirma tu correo", {
      about: "Un paso más y tu cuenta está lista.",
      button: "Confirmar",
      path: "verify",
      body: () => ({ token }),
      done: "Tu correo está confirmado. Ya puedes entrar en la aplicación.",
    }),
  reset: (token) =>
    form("Elige otra contraseña", {
      about: "Al cambiarla se cierran las sesiones que tengas abiertas.",
      fields: field("Contraseña nueva", { id: "password", type: "password", autocomplete: "new-password", minlength: SHORTEST }),
      button: "Cambiarla",
      path: "reset",
      body: (values) => ({ token, password: values.get("password") }),
      done: "Tu contraseña cambió. Entra en la aplicación con la nueva.",
    }),
  olvide: () =>
    form("Olvidé mi contraseña", {
      about: "Te enviamos un enlace para elegir otra.",
      fields: field("Correo de tu cuenta", { id: "email", type: "email", autocomplete: "email" }),
      button: "Enviar el enlace",
      path: "forgot",
      body: (values) => ({ email: values.get("email") }),
      done: "Si hay una cuenta con ese correo, el enlace va en camino. Vale una hora.",
    }),
};

function show() {
  const [page, token] = location.hash.slice(1).split("=");
  if (!Object.hasOwn(PAGES, page)) return;
  if (token) history.replaceState(null, "", location.pathname);
  PAGES[page](token);
}

addEventListener("hashchange", show);
show();
