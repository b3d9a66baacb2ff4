// What every page does: say which environment it is, and whether that environment's API answers.
// `env.js` is written by Ambit when the site is laid out for an environment.
const { environment, kind, variables } = window.AMBIT;

export const api = variables.API_URL;
export const inProduction = kind === "production";
const ANSWERS_WITHIN = 10_000;

/** An element. Text is always set as text, so what a server says never becomes markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return made;
}

/** Names the page, and in its title the environment too where that is not production. */
export function title(text) {
  document.title = inProduction ? text : `[${environment}] ${text}`;
}

export function when(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time ?? "");
  return new Intl.DateTimeFormat("es", { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** `fetch` that gives up, so that no page waits for ever. */
export function ask(url, options = {}) {
  return fetch(url, { signal: AbortSignal.timeout(ANSWERS_WITHIN), ...options });
}

async function state() {
  try {
    const ready = await (await ask(`${api}/ready`)).json();
    return ready.database ? `API en línea (${ready.environment})` : "La API no tiene su base de datos";
  } catch {
    return "La API no responde";
  }
}

async function frame() {
  title(document.title);
  const said = element("span", { role: "status" }, "Consultando la API…");
  const where = inProduction ? null : element("span", {}, `Ambiente: ${environment}`);
  document.body.append(element("footer", { class: "foot" }, where, element("span", {}, "API: ", element("a", { href: api }, api)), said));
  said.textContent = await state();
}

frame();
