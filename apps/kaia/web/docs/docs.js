// Which page the address names: the reference of the API, one of its operations or schemas, or a guide.
import { api, ask, element, title } from "./site.js";
import { render } from "./markdown.js";
import { reference } from "./reference.js";

const content = document.getElementById("content");
const main = document.getElementById("main");
const links = [...document.querySelectorAll("#pages a")];
const GUIDES = links.map((link) => link.hash.slice(1)).filter((name) => name.startsWith("gui"));

async function answered(answer) {
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status}`);
  return answer;
}

async function guide(name) {
  const text = await (await answered(await ask(`guides/${name}.md`))).text();
  const made = element("article", { class: "prose", lang: name.startsWith("guide-") ? "en" : "es" }, render(text, { headings: `${name}/` }));
  title(`Kaia · ${made.querySelector("h1").textContent}`);
  return made;
}

async function readApi() {
  const document = await (await answered(await ask(`${api}/api/v1/openapi.json`))).json();
  title("Kaia · API");
  return reference(document, api);
}

function failed(what, again) {
  return element(
    "div",
    {},
    element("h1", {}, "No se pudo leer"),
    element("p", { class: "message error", role: "alert" }, what),
    element("button", { type: "button", onclick: again }, "Volver a intentarlo"),
  );
}

let shown = null;

/** What the address names; what no address can be is no place. */
function asked() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

/** Shows the page that the address names, and goes to the place in it. */
async function show() {
  const hash = asked();
  if (hash === "main") return;
  const [first] = hash.split("/");
  const page = GUIDES.includes(first) ? first : "api";
  if (page !== shown) {
    content.setAttribute("aria-busy", "true");
    let made;
    try {
      made = page === "api" ? await readApi() : await guide(page);
      shown = page;
    } catch {
      const what = page === "api" ? "La API de este ambiente no entrega su descripción ahora." : "Esa guía no se pudo leer.";
      made = failed(what, show);
    }
    content.replaceChildren(made);
    content.removeAttribute("aria-busy");
    for (const link of links) {
      if (link.hash === `#${page}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }
  const place = document.getElementById(hash);
  if (place) {
    if (place.matches("details")) place.open = true;
    place.scrollIntoView();
  } else {
    scrollTo(0, 0);
  }
}

addEventListener("hashchange", async () => {
  const before = shown;
  await show();
  if (shown !== before) main.focus({ preventScroll: true });
});
show();
