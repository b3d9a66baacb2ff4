// The administration of one environment: who is there and what they planned. It only reads.
import { element, title, when } from "./site.js";
import * as session from "./session.js";

const $ = (id) => document.getElementById(id);
const PAGE = 25;

const COUNTS = {
  users: "Usuarios",
  administrators: "Administran",
  pending_registrations: "Por verificar",
  onboarded: "Con bienvenida",
  active_sessions: "Sesiones abiertas",
  events: "Eventos",
  upcoming_events: "Eventos próximos",
  recurring_events: "Que se repiten",
};

const SECTIONS = {
  usuarios: {
    name: "Usuarios",
    path: "/admin/users",
    search: "Buscar por nombre o correo",
    columns: {
      Nombre: (user) => user.name,
      Correo: (user) => user.email,
      Rol: (user) => (user.role === "admin" ? "Administración" : "Usuario"),
      Bienvenida: (user) => (user.onboarding_completed ? "Completa" : "Pendiente"),
      Alta: (user) => when(user.created_at),
    },
  },
  eventos: {
    name: "Eventos",
    path: "/admin/events",
    columns: {
      Título: (event) => event.title,
      "De quién": (event) => event.user_email,
      Empieza: (event) => when(event.start_time),
      Termina: (event) => when(event.end_time),
      Lugar: (event) => event.location || "—",
      "Se repite": (event) => (event.recurrence ? "Sí" : "No"),
    },
  },
};

function say(text, isError = true) {
  $("message").className = isError ? "message error" : "message";
  $("message").textContent = text;
}

/** Does something that may fail; a session that is over leads back to the form. */
async function attempt(work) {
  try {
    await work();
  } catch (failure) {
    if (!(failure instanceof session.Failure)) throw failure;
    if (!session.isOpen()) outside();
    say(failure.message);
  }
}

function outside() {
  for (const id of ["menu", "logout", "who", "inside"]) $(id).hidden = true;
  $("inside").replaceChildren();
  $("login").hidden = false;
  title("Kaia · Administración");
}

async function inside() {
  const me = await session.get("/me");
  if (me.role !== "admin") {
    await session.close();
    throw new session.Failure("Esta cuenta no tiene permisos de administración.");
  }
  const counts = await session.get("/admin/counts");
  $("login").hidden = true;
  $("login").reset();
  say("");
  for (const id of ["menu", "logout", "who", "inside"]) $(id).hidden = false;
  $("who").textContent = me.name;
  $("inside").replaceChildren(tiles(counts), element("section", { id: "section", "aria-labelledby": "section-name" }));
  await show();
}

function tiles(counts) {
  const known = Object.entries(counts).filter(([, value]) => typeof value === "number");
  return element(
    "dl",
    { class: "tiles" },
    known.map(([name, value]) =>
      element("div", { class: "card" }, element("dt", {}, COUNTS[name] ?? name), element("dd", {}, value.toLocaleString("es"))),
    ),
  );
}

/** The section that the address names, if it names one. */
function named() {
  const name = location.hash.slice(1);
  return Object.hasOwn(SECTIONS, name) ? name : null;
}

async function show() {
  const name = named() ?? "usuarios";
  const section = SECTIONS[name];
  title(`Kaia · Administración · ${section.name}`);
  for (const link of $("menu").querySelectorAll("a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const rows = element("tbody");
  const heads = Object.keys(section.columns).map((column) => element("th", { scope: "col" }, column));
  const table = element("table", {}, element("thead", {}, element("tr", {}, heads)), rows);
  const said = element("p", { role: "status", class: "soft" });
  const more = element("button", { type: "button", class: "quiet", hidden: true }, "Mostrar más");
  let query = "";
  let cursor = null;
  let asked = 0;

  async function load(from) {
    const mine = ++asked;
    const parameters = new URLSearchParams({ limit: PAGE });
    if (query) parameters.set("search", query);
    if (from) parameters.set("cursor", from);
    more.setAttribute("aria-disabled", "true");
    try {
      const page = await session.get(`${section.path}?${parameters}`);
      // An answer to an earlier question comes too late.
      if (mine !== asked || !table.isConnected) return;
      const made = page.items.map((item) => element("tr", {}, Object.values(section.columns).map((cell) => element("td", {}, cell(item)))));
      if (from) rows.append(...made);
      else rows.replaceChildren(...made);
      cursor = page.next_cursor;
      more.hidden = cursor === null;
      const total = rows.childElementCount;
      said.textContent = total === 0 ? "No hay ninguno." : `${total} en la lista${cursor === null ? ", son todos." : "; hay más."}`;
    } finally {
      more.removeAttribute("aria-disabled");
    }
  }
  more.addEventListener("click", () => {
    if (more.getAttribute("aria-disabled") !== "true") attempt(() => load(cursor));
  });

  const form = section.search && searchForm(section.search, (text) => {
    query = text;
    return attempt(() => load(null));
  });
  $("section").replaceChildren(
    element("h1", { id: "section-name" }, section.name),
    form || "",
    element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Tabla de ${section.name.toLowerCase()}` }, table),
    said,
    more,
  );
  await load(null);
}

function searchForm(label, search) {
  const field = element("input", { id: "search", name: "search", type: "search", autocomplete: "off" });
  const submitted = (submit) => {
    submit.preventDefault();
    search(field.value.trim());
  };
  return element(
    "form",
    { role: "search", class: "search", onsubmit: submitted },
    element("label", { for: "search" }, label),
    element("div", { class: "row" }, field, element("button", {}, "Buscar")),
  );
}

$("login").addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const button = submit.target.querySelector("button");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  say("");
  const form = new FormData(submit.target);
  await attempt(async () => {
    await session.open(form.get("email"), form.get("password"));
    await inside();
    $("main").focus();
  });
  button.removeAttribute("aria-disabled");
});

$("logout").addEventListener("click", () =>
  attempt(async () => {
    try {
      await session.close();
    } finally {
      outside();
    }
    say("Saliste.", false);
    $("email").focus();
  }),
);
addEventListener("hashchange", () => {
  if (session.isOpen() && named() !== null) attempt(show);
});

// Nobody's clicks are to be borrowed: inside of somebody else's page there is nothing to click.
if (window.top === window.self) {
  outside();
  if (session.isOpen()) attempt(inside);
} else {
  say("La administración no se muestra dentro de otra página.");
}
