//! Node.js: npm, pnpm or yarn as the lockfile says, Prisma, and pages that a bundler makes.

use std::{fs, path::Path};

use ambit_domain::ci::PackageManager;
use serde_json::Value;

use crate::{
    detect::{Recipe, quote, recipe},
    error::Error,
};

/// Servers for developers and the folder in which the same tool leaves its pages: a `start` that runs one of them means a
/// site, not an app.
const PAGES: &[(&str, &str)] = &[
    ("vite", "dist"),
    ("astro", "dist"),
    ("react-scripts start", "build"),
    ("vue-cli-service serve", "dist"),
    ("parcel", "dist"),
    ("gatsby develop", "public"),
];

pub(crate) fn detect(tree: &Path) -> Result<Recipe, Error> {
    let file = tree.join("package.json");
    let text = fs::read_to_string(&file).map_err(Error::io(&file))?;
    let manifest: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|e| Error::Refused { path: "package.json".into(), why: format!("cannot be read: {e}") })?;
    let has = |name: &str| tree.join(name).is_file();
    let depends =
        |name: &str| ["dependencies", "devDependencies"].iter().any(|group| manifest[*group].get(name).is_some());
    let script = |name: &str| manifest["scripts"][name].as_str().filter(|s| !s.trim().is_empty());
    let manager = manager(tree, &manifest);
    let mut recipe = recipe("Node.js");
    recipe.needs = vec!["node".to_owned(), "npm".to_owned()];
    if let Some(package) = &manager.package {
        let name = manager.name;
        recipe.build.push(format!(
            "command -v {name} > /dev/null || npm install --global --prefix .ambit --no-audit --no-fund {package}"
        ));
        recipe.manager = Some(PackageManager { program: name.to_owned(), package: package.clone() });
    }
    recipe.build.push(manager.install.to_owned());
    if has("prisma/schema.prisma") {
        recipe.build.push("npx prisma generate".to_owned());
        recipe.migrate = Some("npx prisma migrate deploy".to_owned());
        if manifest["prisma"]["seed"].is_string() {
            recipe.seed = Some("npx prisma db seed".to_owned());
        }
    }
    recipe.installs = recipe.build.len();
    if script("build").is_some() {
        recipe.build.push(format!("{} run build", manager.name));
    }
    let start = script("start");
    let pages = |text: &str| {
        PAGES.iter().find(|(server, _)| {
            let rest = text.trim().strip_prefix("npx ").unwrap_or(text.trim()).strip_prefix(server);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    };
    if is_expo(&manifest) {
        // An app for phones: its `start` serves the developer who works on it, and nobody else.
    } else if let Some((_, folder)) = start.and_then(pages).filter(|_| script("build").is_some()) {
        recipe.site = Some((*folder).to_owned());
    } else if start.is_some() {
        recipe.run = Some(format!("exec {} start", manager.name));
    } else if let Some(main) = manifest["main"].as_str().filter(|m| has(m)) {
        recipe.run = Some(format!("exec node {}", quote(main)));
    } else {
        let usual = ["server.js", "index.js", "app.js", "src/server.js", "src/index.js", "server.mjs", "index.mjs"];
        recipe.run = usual.iter().find(|f| has(f)).map(|f| format!("exec node {f}"));
        // A tool's own page in the folder is read before what lies in `src`, which a bundler is there for.
        if depends("vite") && has("index.html") {
            recipe.run = None;
            recipe.site = Some("dist".to_owned());
        }
    }
    // npm's own placeholder tests nothing and always fails.
    if script("test").is_some_and(|t| !t.contains("no test specified")) {
        recipe.test = Some(format!("{} test", manager.name));
    }
    recipe.variables.push(("npm_config_update_notifier".to_owned(), "false".to_owned()));
    // A server that listens on `localhost` would listen on ::1 alone since Node.js 17.
    recipe.variables.push(("NODE_OPTIONS".to_owned(), "--dns-result-order=ipv4first".to_owned()));
    Ok(recipe)
}

/// Whether it is an app for phones, made with Expo.
pub(crate) fn is_expo(manifest: &Value) -> bool {
    let starts = |text: &str| text.trim().trim_start_matches("npx ").starts_with("expo start");
    manifest["dependencies"].get("expo").is_some() && manifest["scripts"]["start"].as_str().is_none_or(starts)
}

struct Manager {
    name: &'static str,
    /// Where the machine may have none: its package of npm.
    package: Option<String>,
    install: &'static str,
}

fn manager(tree: &Path, manifest: &Value) -> Manager {
    let has = |name: &str| tree.join(name).is_file();
    let read = |name: &str| fs::read_to_string(tree.join(name)).unwrap_or_default();
    let wanted = manifest["packageManager"].as_str().and_then(|m| m.split('+').next()?.split_once('@'));
    let version = |of: &str| {
        let (_, version) = wanted.filter(|(name, _)| *name == of)?;
        let plain = version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
        (plain && version.starts_with(|c: char| c.is_ascii_digit())).then(|| version.to_owned())
    };
    if has("pnpm-lock.yaml") {
        let lock = read("pnpm-lock.yaml");
        let format = lock.lines().find_map(|l| l.strip_prefix("lockfileVersion:")).unwrap_or_default();
        // https://github.com/pnpm/spec/tree/master/lockfile
        let fits = match format.trim().trim_matches(['\'', '"']).split('.').next() {
            Some("5") => "7",
            Some("6") => "8",
            _ => "9",
        };
        let version = version("pnpm").unwrap_or_else(|| fits.to_owned());
        let package = Some(format!("pnpm@{version}"));
        return Manager { name: "pnpm", package, install: "pnpm install --frozen-lockfile" };
    }
    if has("yarn.lock") {
        // Yarn 2 and later say so in their lockfile.
        if read("yarn.lock").contains("__metadata:") {
            let version = version("yarn").unwrap_or_else(|| "4".to_owned());
            let package = Some(format!("@yarnpkg/cli-dist@{version}"));
            return Manager { name: "yarn", package, install: "yarn install --immutable" };
        }
        let version = version("yarn").unwrap_or_else(|| "1".to_owned());
        let package = Some(format!("yarn@{version}"));
        return Manager { name: "yarn", package, install: "yarn install --frozen-lockfile" };
    }
    let locked = has("package-lock.json") || has("npm-shrinkwrap.json");
    let install = if locked { "npm ci --no-audit --no-fund" } else { "npm install --no-audit --no-fund" };
    Manager { name: "npm", package: None, install }
}
