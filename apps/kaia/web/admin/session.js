// The session of an administrator: its tokens live in this tab alone and end with it.
import { api, ask } from "./site.js";

const BASE = `${api}/api/v1`;
const KEPT_AS = "kaia.session";
// A token that is about to expire is exchanged before it is used.
const EARLY = 10_000;

/** What went wrong, in words for a person. */
export class Failure extends Error {
  constructor(text, { status = 0, type = "" } = {}) {
    super(text);
    this.status = status;
    this.type = type;
  }
}

const load = () => JSON.parse(sessionStorage.getItem(KEPT_AS) ?? "null");
const keep = (tokens) =>
  sessionStorage.setItem(
    KEPT_AS,
    JSON.stringify({ access: tokens.access_token, refresh: tokens.refresh_token, expires: Date.now() + tokens.expires_in * 1000 }),
  );
export const forget = () => sessionStorage.removeItem(KEPT_AS);
export const isOpen = () => load() !== null;

async function send(method, path, { body, token } = {}) {
  const headers = { accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await ask(BASE + path, { method, headers, body: body && JSON.stringify(body), credentials: "omit", cache: "no-store" });
  } catch {
    throw new Failure("La API no responde. Comprueba tu conexión y vuelve a intentarlo.");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw new Failure(inWords(answer, problem), { status: answer.status, type: String(problem.type ?? "") });
}

function inWords(answer, problem) {
  if (answer.status === 429) {
    const seconds = Number(answer.headers.get("retry-after"));
    return seconds ? `Demasiados intentos. Espera ${seconds} s y vuelve a probar.` : "Demasiados intentos. Espera un momento.";
  }
  if (answer.status === 403) return "Esta cuenta no tiene permisos de administración.";
  if (answer.status >= 500) return `La API falló (${answer.status}). Petición ${problem.request_id ?? "sin número"}.`;
  return String(problem.detail ?? problem.title ?? `La API respondió ${answer.status}.`);
}

export async function open(email, password) {
  let tokens;
  try {
    tokens = await send("POST", "/auth/login", { body: { email, password } });
  } catch (failure) {
    if (failure.status === 401) throw new Failure("El correo o la contraseña no son correctos.");
    if (failure.type.endsWith("email-not-verified")) throw new Failure("Falta verificar el correo: abre el enlace que te enviamos.");
    throw failure;
  }
  keep(tokens);
}

export async function close() {
  const { refresh } = load() ?? {};
  forget();
  if (refresh) await send("POST", "/auth/logout", { body: { refresh_token: refresh } });
}

// Refresh tokens are good for one use: requests that find the token expired at the same time wait for the same exchange.
let exchange = null;
function renew() {
  exchange ??= send("POST", "/auth/refresh", { body: { refresh_token: load()?.refresh } })
    .then(keep)
    .finally(() => {
      exchange = null;
    });
  return exchange;
}

/** Asks for something that needs the session; a session that cannot be renewed is over. */
export async function get(path) {
  if (load().expires - EARLY < Date.now()) await renewOrEnd();
  try {
    return await send("GET", path, { token: load().access });
  } catch (failure) {
    if (failure.status !== 401) throw failure;
    await renewOrEnd();
    return send("GET", path, { token: load().access });
  }
}

async function renewOrEnd() {
  try {
    await renew();
  } catch (failure) {
    if (failure.status < 400 || failure.status >= 500 || failure.status === 429) throw failure;
    forget();
    throw new Failure("Tu sesión terminó. Entra otra vez.", { status: 401 });
  }
}
