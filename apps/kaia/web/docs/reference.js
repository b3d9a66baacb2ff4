// The reference of the API, made from the description that the API gives of itself (OpenAPI 3.1).
import { element } from "./site.js";
import { inline } from "./markdown.js";
import { Schemas, fieldTable, limits, row } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const UNTAGGED = "general";

/** Operations by tag, in the order of the document. */
function groups(document) {
  const found = new Map((document.tags ?? []).map((tag) => [tag.name, { about: tag.description, operations: [] }]));
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS.filter((method) => item[method])) {
      const operation = item[method];
      const tag = operation.tags?.[0] ?? UNTAGGED;
      if (!found.has(tag)) found.set(tag, { operations: [] });
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])];
      found.get(tag).operations.push({ ...operation, method, path, parameters });
    }
  }
  return [...found].filter(([, group]) => group.operations.length > 0);
}

// The API speaks of itself in English.
const said = (text, name = "span", attributes = {}) => element(name, { lang: "en", ...attributes }, inline(text ?? ""));
const json = (value) => element("pre", { tabindex: 0 }, element("code", {}, JSON.stringify(value, null, 2)));

class Reference {
  constructor(document, base) {
    this.document = document;
    this.base = base;
    this.schemas = new Schemas(document);
  }

  operation(operation) {
    const id = `api/${operation.operationId ?? operation.method + operation.path}`;
    const label = `${operation.method.toUpperCase()} ${operation.path}`;
    return element(
      "details",
      { id, class: "operation" },
      element(
        "summary",
        {},
        element("span", { class: `method ${operation.method}` }, operation.method.toUpperCase()),
        element("code", {}, operation.path),
        said(operation.summary, "span", { class: "soft" }),
      ),
      element(
        "div",
        { class: "inside" },
        operation.description && operation.description !== operation.summary ? said(operation.description, "p") : null,
        this.access(operation),
        this.parameters(operation, label),
        this.body(operation, label),
        this.answers(operation, label),
        this.command(operation),
      ),
    );
  }

  access(operation) {
    const security = operation.security ?? this.document.security ?? [];
    const open = security.length === 0 || security.some((one) => Object.keys(one).length === 0);
    return element("p", { class: "soft" }, open ? "No pide sesión." : "Pide sesión: Authorization: Bearer TOKEN.");
  }

  parameters(operation, label) {
    if (operation.parameters.length === 0) return null;
    const rows = operation.parameters
      .map((parameter) => this.schemas.resolve(parameter))
      .map((parameter) => {
        const schema = this.schemas.resolve(parameter.schema);
        const about = [parameter.description, limits(schema), { path: "en la ruta", header: "cabecera" }[parameter.in]];
        return row(parameter.name, this.schemas.type(parameter.schema), parameter.required, about);
      });
    return [element("h3", {}, "Parámetros"), fieldTable(`Parámetros de ${label}`, rows)];
  }

  body(operation, label) {
    const content = Object.entries(this.schemas.resolve(operation.requestBody).content ?? {});
    return content.flatMap(([media, { schema, example }]) => [
      element("h3", {}, "Cuerpo ", element("code", {}, media)),
      this.schemas.table(schema, `Campos del cuerpo de ${label}`),
      media.includes("json") ? json(example ?? this.schemas.example(schema)) : null,
    ]);
  }

  answers(operation, label) {
    const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => {
      const resolved = this.schemas.resolve(answer);
      const content = Object.entries(resolved.content ?? {});
      // Errors are all of one media type; naming it again and again hides what differs.
      const good = status.startsWith("2");
      const types = content.flatMap(([media, { schema }]) => [
        good ? [" ", element("code", {}, media)] : null,
        schema ? [" ", this.schemas.type(schema)] : null,
      ]);
      const [, success] = content.find(([media]) => good && media.includes("json")) ?? [];
      const example = success?.schema ? json(success.example ?? this.schemas.example(success.schema)) : null;
      return element("li", {}, element("b", {}, status), " ", said(resolved.description), types, example);
    });
    return [element("h3", {}, "Respuestas"), element("ul", { class: "answers", "aria-label": `Respuestas de ${label}` }, answers)];
  }

  /** The same as a command, for reads: nothing to fill in but the token. */
  command(operation) {
    if (operation.method !== "get") return null;
    const secured = (operation.security ?? this.document.security ?? []).some((one) => Object.keys(one).length > 0);
    const header = secured ? " \\\n  -H \"Authorization: Bearer $TOKEN\"" : "";
    return [element("h3", {}, "Prueba"), element("pre", { tabindex: 0 }, element("code", {}, `curl "${this.base}${operation.path}"${header}`))];
  }

  schemaList() {
    const schemas = Object.entries(this.document.components?.schemas ?? {});
    if (schemas.length === 0) return null;
    return element(
      "section",
      {},
      element("h2", {}, "Esquemas"),
      schemas.map(([name, schema]) =>
        element(
          "details",
          { id: `api/schema/${name}`, class: "operation" },
          element("summary", {}, element("code", {}, name), said(schema.description, "span", { class: "soft" })),
          element("div", { class: "inside" }, this.schemas.table(schema, `Campos de ${name}`), json(this.schemas.example(schema))),
        ),
      ),
    );
  }

  page() {
    const { info = {} } = this.document;
    return element(
      "article",
      {},
      element("h1", {}, info.title ?? "API"),
      element("p", { class: "soft" }, `Versión ${info.version ?? "desconocida"} · `, element("a", { href: `${this.base}/api/v1/openapi.json` }, "openapi.json")),
      info.description ? said(info.description, "p") : null,
      groups(this.document).map(([tag, { about, operations }]) =>
        element("section", {}, element("h2", {}, tag), about ? said(about, "p") : null, operations.map((one) => this.operation(one))),
      ),
      this.schemaList(),
    );
  }
}

export function reference(document, base) {
  return new Reference(document, base).page();
}
