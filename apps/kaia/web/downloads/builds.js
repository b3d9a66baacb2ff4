// Reads `builds/index.json`. Whoever publishes a build decides what stands in it, so nothing in it is believed:
// every field becomes text, a number or a path below builds/, or is left out.

const FOLDER = new URL("builds/", document.baseURI);
const text = (value) => (typeof value === "string" ? value : "");
const number = (value) => (Number.isFinite(value) && value >= 0 ? value : null);

/** A file of a build, or null where it would lead out of builds/. */
function below(path) {
  const segments = text(path).split("/");
  const leadsOut = segments.some((segment) => ["", ".", ".."].includes(segment) || segment.includes("\\"));
  return leadsOut ? null : new URL(segments.map(encodeURIComponent).join("/"), FOLDER).href;
}

function verdict(value) {
  if (value === null || typeof value !== "object") return null;
  if (value.state !== "approved" && value.state !== "rejected") return null;
  return { approved: value.state === "approved", by: text(value.by), note: text(value.note), at: text(value.at) };
}

function build(value) {
  return {
    id: String(value.id ?? ""),
    name: text(value.name),
    package: text(value.package),
    version: text(value.version) || "sin versión",
    versionCode: number(value.version_code),
    commit: text(value.commit),
    publishedAt: text(value.published_at),
    publishedBy: text(value.published_by),
    size: number(value.size),
    sha256: /^[0-9a-f]{64}$/i.test(text(value.sha256)) ? value.sha256.toLowerCase() : null,
    file: below(value.file),
    fileName: text(value.file).split("/").at(-1),
    qr: below(value.qr),
    changes: Array.isArray(value.changes) ? value.changes.filter((change) => typeof change === "string") : [],
    verdict: verdict(value.verdict),
  };
}

/** The builds of this environment, newest first; none where nothing was ever published. */
export async function load(ask) {
  const answer = await ask(new URL("index.json", FOLDER), { cache: "no-cache" });
  if (answer.status === 404) return [];
  if (!answer.ok) throw new Error(`builds/index.json: ${answer.status}`);
  const index = await answer.json();
  if (!Array.isArray(index?.builds)) throw new Error("builds/index.json has no list of builds");
  return index.builds.filter((value) => value !== null && typeof value === "object").map(build);
}
