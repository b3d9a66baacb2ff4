// JSON Schema as OpenAPI 3.1 uses it: how a type reads, its fields as a table, and an example of it.
import { inline } from "./markdown.js";
import { element } from "./site.js";

const DEEPEST = 6;
const REFERENCE = /^#\/components\/(\w+)\/([\w.-]+)$/;

/** Schemas of one document. */
export class Schemas {
  constructor(document) {
    this.document = document;
  }

  /** Follows `$ref`, also several in a row; one that leads nowhere or in circles is anything. */
  resolve(schema, depth = 0) {
    if (!schema?.$ref) return schema ?? {};
    const found = REFERENCE.exec(schema.$ref);
    const target = found && this.document.components?.[found[1]]?.[found[2]];
    return target && depth < DEEPEST ? this.resolve(target, depth + 1) : {};
  }

  /** The type in a word or two; named schemas are links to their place. */
  type(schema) {
    const named = REFERENCE.exec(schema?.$ref ?? "");
    if (named) return [element("a", { href: `#api/schema/${named[2]}` }, named[2])];
    const alternatives = schema?.oneOf ?? schema?.anyOf;
    if (alternatives) return alternatives.flatMap((one, n) => (n > 0 ? [" | ", ...this.type(one)] : this.type(one)));
    if (schema?.allOf) return schema.allOf.flatMap((one, n) => (n > 0 ? [" + ", ...this.type(one)] : this.type(one)));
    if (schema?.type === "array") return ["lista de ", ...this.type(schema.items)];
    const types = [schema?.type ?? "cualquiera"].flat().join(" | ");
    return [schema?.format ? `${types} (${schema.format})` : types];
  }

  /** All fields of an object, with those that it takes from others. */
  fields(schema, depth = 0) {
    const resolved = this.resolve(schema);
    if (depth > DEEPEST) return { properties: {}, required: [] };
    const parts = (resolved.allOf ?? []).map((part) => this.fields(part, depth + 1));
    return {
      properties: Object.assign({}, ...parts.map((part) => part.properties), resolved.properties),
      required: [...parts.flatMap((part) => part.required), ...(resolved.required ?? [])],
    };
  }

  table(schema, label) {
    const { properties, required } = this.fields(schema);
    const rows = Object.entries(properties).map(([name, field]) =>
      row(name, this.type(field), required.includes(name), [this.resolve(field).description, limits(this.resolve(field))]),
    );
    return rows.length > 0 ? fieldTable(label, rows) : null;
  }

  example(schema, depth = 0) {
    const resolved = this.resolve(schema);
    const given = [resolved.example, resolved.examples?.[0], resolved.default, resolved.const, resolved.enum?.[0]].find((v) => v !== undefined);
    if (given !== undefined) return given;
    if (depth > DEEPEST) return null;
    const alternatives = resolved.oneOf ?? resolved.anyOf;
    if (alternatives) return this.example(alternatives.find((one) => one.type !== "null") ?? alternatives[0], depth + 1);
    const type = [resolved.type].flat().find((one) => one !== "null");
    if (type === "array") return [this.example(resolved.items, depth + 1)];
    if (type === "object" || resolved.properties || resolved.allOf) {
      const { properties } = this.fields(resolved);
      return Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, this.example(field, depth + 1)]));
    }
    if (type === "integer" || type === "number") return resolved.minimum ?? 1;
    if (type === "boolean") return true;
    return text(resolved.format);
  }
}

function text(format) {
  const known = { "date-time": "2025-10-20T10:00:00Z", date: "2025-10-20", email: "ana@kaia.ai", uri: "https://kaia.ai", uuid: "7f1c3a52-93b5-4a0e-8a54-0d6b2f6f6a11" };
  return known[format] ?? "texto";
}

function limits(schema) {
  const known = [
    schema.enum && `uno de: ${schema.enum.join(", ")}`,
    schema.minLength === 1 && "no vacío",
    schema.minLength > 1 && `al menos ${schema.minLength} caracteres`,
    schema.maxLength !== undefined && `a lo sumo ${schema.maxLength} caracteres`,
    schema.minimum !== undefined && `mínimo ${schema.minimum}`,
    schema.maximum !== undefined && `máximo ${schema.maximum}`,
    schema.default !== undefined && `si falta: ${JSON.stringify(schema.default)}`,
  ];
  return known.filter(Boolean).join("; ");
}

/** A row about one field or parameter. */
export function row(name, type, required, about) {
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, element("code", {}, name)),
    element("td", {}, type),
    element("td", {}, required ? "sí" : "no"),
    element("td", {}, inline(about.filter(Boolean).join(" · "))),
  );
}

export function fieldTable(label, rows) {
  const heads = ["Nombre", "Tipo", "Obligatorio", "Qué es"].map((head) => element("th", { scope: "col" }, head));
  const table = element("table", {}, element("thead", {}, element("tr", {}, heads)), element("tbody", {}, rows));
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);
}

export { limits };
