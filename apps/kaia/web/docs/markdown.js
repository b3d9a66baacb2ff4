// The part of Markdown that our guides are written in, as elements: headings, paragraphs, lists, tables, code, links, emphasis.
// Nothing becomes markup that was not made here.
import { element } from "./site.js";

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)|<(https?:[^>\s]+)>/g;

/** Other guides are pages of this site; of other addresses only those of the web are links. */
function target(address) {
  const guide = /^([\w-]+)\.md(?:#.*)?$/.exec(address);
  if (guide) return `#${guide[1]}`;
  return /^https?:\/\//.test(address) ? address : null;
}

function link(text, address) {
  const href = target(address);
  return href ? element("a", { href }, text) : text;
}

/** One paragraph or less, such as a description in the API. */
export function inline(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    parts.push(text.slice(end, found.index));
    const [all, code, strong, label, address, bare] = found;
    if (code) parts.push(element("code", {}, code));
    else if (strong) parts.push(element("strong", {}, inline(strong)));
    else if (label) parts.push(link(label, address));
    else parts.push(link(bare, bare));
    end = found.index + all.length;
  }
  parts.push(text.slice(end));
  return parts;
}

const cells = (line) => line.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function table(lines) {
  const [head, , ...body] = lines.map(cells);
  const row = (kind, attributes) => (line) => element("tr", {}, line.map((cell) => element(kind, attributes, inline(cell))));
  const made = element("table", {}, element("thead", {}, row("th", { scope: "col" })(head)), element("tbody", {}, body.map(row("td"))));
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": head.join(", ") }, made);
}

const ITEM = /^(?:[-*]|(\d+)\.) +(.*)$/;

function list(lines) {
  const items = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item) items.push(item[2]);
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  return element(/^\d/.test(lines[0]) ? "ol" : "ul", {}, items.map((item) => element("li", {}, inline(item))));
}

/** The name of a heading's place: `Después de un push` is at `despues-de-un-push`. */
function place(text) {
  return text.normalize("NFD").toLowerCase().replace(/[^a-z0-9 -]/g, "").trim().replace(/ +/g, "-");
}

/** The elements for a text; the ids of its headings begin with `headings`. */
export function render(text, { headings = "" } = {}) {
  const lines = text.split("\n");
  const made = [];
  const take = (belongs) => {
    const taken = [];
    while (lines.length > 0 && belongs(lines[0])) taken.push(lines.shift());
    return taken;
  };
  while (lines.length > 0) {
    const line = lines[0];
    const heading = /^(#{1,4}) +(.*)$/.exec(line);
    if (line.trim() === "") {
      lines.shift();
    } else if (line.startsWith("```")) {
      lines.shift();
      const code = take((line) => !line.startsWith("```"));
      lines.shift();
      made.push(element("pre", { tabindex: 0 }, element("code", {}, code.join("\n"))));
    } else if (heading) {
      lines.shift();
      made.push(element(`h${heading[1].length}`, { id: headings + place(heading[2]) }, inline(heading[2])));
    } else if (line.startsWith("|")) {
      made.push(table(take((line) => line.startsWith("|"))));
    } else if (ITEM.test(line)) {
      made.push(list(take((line) => ITEM.test(line) || /^ {2,}\S/.test(line))));
    } else {
      made.push(element("p", {}, inline(take((line) => line.trim() !== "" && !line.startsWith("```")).join(" "))));
    }
  }
  return made;
}
