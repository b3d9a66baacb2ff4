// The builds of the environment that this site belongs to: the newest with all there is to say, the earlier ones as a list,
// and, at `#id`, one of them. That address is what notifications lead to.
import { ask, element, inProduction, title, when } from "./site.js";
import { load } from "./builds.js";

const content = document.getElementById("content");
const SHORT = 12;

function size(bytes) {
  if (bytes === null) return "tamaño desconocido";
  const megabytes = bytes / 1_000_000;
  if (megabytes >= 1) return `${megabytes.toLocaleString("es", { maximumFractionDigits: 1 })} MB`;
  return `${(bytes / 1000).toLocaleString("es", { maximumFractionDigits: 1 })} kB`;
}

const named = (build) => `${build.version}${build.versionCode === null ? "" : ` (${build.versionCode})`}`;

function badge(verdict) {
  if (verdict === null) return element("span", { class: "badge" }, "Sin veredicto de QA");
  return verdict.approved
    ? element("span", { class: "badge good" }, "✓ Aprobada por QA")
    : element("span", { class: "badge bad" }, "✗ Rechazada por QA");
}

function said(verdict) {
  if (verdict === null || !(verdict.note || verdict.by)) return null;
  const who = [verdict.by, verdict.at && when(verdict.at)].filter(Boolean).join(", ");
  return element("p", { class: "message verdict" + (verdict.approved ? "" : " error") }, verdict.note && `«${verdict.note}» `, who && `— ${who}`);
}

function fact(name, ...value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, ...value));
}

function copier(text) {
  const button = element("button", { type: "button", class: "quiet small" }, "Copiar");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copiada";
    } catch {
      button.textContent = "Selecciónala y cópiala a mano";
    }
  });
  return button;
}

/** What to type to see that the file arrived as it was published. */
function checking(build) {
  const command = (system, line) => [element("dt", {}, system), element("dd", {}, element("code", {}, line))];
  return element(
    "details",
    {},
    element("summary", {}, "Cómo comprobar la descarga"),
    element("p", {}, "La suma que calcule tu equipo tiene que ser idéntica a la de arriba. Si no lo es, borra el archivo y avisa al equipo."),
    element(
      "dl",
      {},
      command("Linux", `sha256sum ${build.fileName}`),
      command("macOS", `shasum -a 256 ${build.fileName}`),
      command("Windows (PowerShell)", `Get-FileHash ${build.fileName}`),
    ),
  );
}

function installing() {
  return element(
    "details",
    {},
    element("summary", {}, "Cómo instalarla en el teléfono"),
    element(
      "ol",
      {},
      element("li", {}, "Abre esta página en el teléfono, o apunta su cámara al código QR."),
      element("li", {}, "Descarga el archivo y ábrelo desde las notificaciones."),
      element("li", {}, "Si Android lo pide, permite al navegador instalar aplicaciones, solo esta vez."),
      inProduction ? null : element("li", {}, "Esta versión se instala aparte si su paquete es otro: la de producción no se pierde."),
    ),
  );
}

function whole(build, level) {
  const below = level === "h1" ? "h2" : "h3";
  const download = build.file && element("a", { class: "button", href: build.file, download: build.fileName }, `Descargar APK, ${size(build.size)}`);
  return element(
    "article",
    { class: "card build", "aria-labelledby": "build" },
    element(
      "div",
      { class: "what" },
      element(level, { id: "build" }, `${build.name || "Kaia"} ${named(build)}`),
      element("p", {}, badge(build.verdict)),
      said(build.verdict),
      download || element("p", { class: "message error" }, "El archivo de esta versión no está disponible."),
      element(below, { class: "part" }, "Qué cambió"),
      build.changes.length > 0
        ? element("ul", {}, build.changes.map((change) => element("li", {}, change)))
        : element("p", { class: "soft" }, "Quien la publicó no lo dijo."),
      element(
        "dl",
        { class: "facts" },
        fact("Publicada", `${when(build.publishedAt)}${build.publishedBy && ` por ${build.publishedBy}`}`),
        fact("Tamaño", size(build.size)),
        build.commit && fact("Commit", element("code", { title: build.commit }, build.commit.slice(0, SHORT))),
        build.package && fact("Paquete", element("code", {}, build.package)),
        build.sha256 && fact("SHA-256", element("code", { class: "sum" }, build.sha256), " ", copier(build.sha256)),
      ),
      build.sha256 && checking(build),
      installing(),
    ),
    build.qr && element(
      "figure",
      {},
      element("img", { src: build.qr, onerror: (failed) => failed.target.closest("figure").remove(), alt: `Código QR que lleva a la versión ${named(build)}`, width: 220, height: 220 }),
      element("figcaption", { class: "soft" }, "Apunta la cámara del teléfono"),
    ),
  );
}

function earlier(builds) {
  const lines = builds.map((build) =>
    element(
      "li",
      {},
      element("a", { href: `#${encodeURIComponent(build.id)}` }, named(build)),
      element("span", { class: "soft" }, [when(build.publishedAt), size(build.size)].filter(Boolean).join(" · ")),
      badge(build.verdict),
    ),
  );
  return [element("h2", {}, "Versiones anteriores"), element("ul", { class: "earlier" }, lines)];
}

function list(builds) {
  title("Kaia · Descargas");
  const heading = element("h1", {}, "Descargas");
  if (builds.length === 0) {
    return [
      heading,
      element("div", { class: "card" },
        element("p", {}, "Todavía no hay ninguna versión publicada en este ambiente."),
        element("p", { class: "soft" }, "Cuando el equipo publique una, aparecerá aquí con su código QR y su suma de comprobación.")),
    ];
  }
  const [newest, ...others] = builds;
  return [heading, whole(newest, "h2"), ...(others.length > 0 ? earlier(others) : [])];
}

function one(builds, id) {
  const build = builds.find((build) => build.id === id);
  const back = element("p", {}, element("a", { href: "#" }, "← Todas las versiones"));
  if (!build) {
    title("Kaia · Versión desconocida");
    return [back, element("h1", {}, "Esa versión no está"), element("p", {}, "Puede que se haya retirado, o que el enlace sea de otro ambiente.")];
  }
  title(`Kaia · Versión ${named(build)}`);
  const newer = builds[0] === build ? null : element("p", { class: "message" }, "Hay una versión más nueva: ", element("a", { href: `#${encodeURIComponent(builds[0].id)}` }, named(builds[0])), ".");
  return [back, newer, whole(build, "h1")];
}

/** The id that the address names; what no address can be is the name of no build. */
function asked() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash;
  }
}

async function show() {
  const id = asked();
  // The link that jumps over the head of the page is no build.
  if (id === "main") return;
  let made;
  try {
    const builds = await load(ask);
    made = id === "" ? list(builds) : one(builds, id);
  } catch {
    const again = element("button", { type: "button", onclick: show }, "Volver a intentarlo");
    made = [element("h1", {}, "Descargas"), element("p", { class: "message error", role: "alert" }, "La lista de versiones no se pudo leer."), again];
  }
  content.replaceChildren(...made.filter(Boolean));
  content.removeAttribute("aria-busy");
}

addEventListener("hashchange", async () => {
  await show();
  document.getElementById("main").focus();
});
show();
