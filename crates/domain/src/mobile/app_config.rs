//! `app.config.js`: what differs between environments, laid over what the team keeps in `app.json`, which Expo hands to it as
//! `config`. Evaluated with another API's URL than the environment's it throws, so that no such app is ever built; in
//! development an address of somebody's own machine is fine.

use ambit_spec::Kind;
use serde_json::{Value, json};

use super::{MobileApp, mark};

const WRITTEN: &str = "// Written by `ambit mobile sync` from ambit.toml; what is edited here is refused by `ambit mobile sync --check`.\n\
                       // Settings that are the same everywhere belong in app.json, those of EAS in eas.base.json.\n";
const MARKS: &str = "// marks: ";

const LOGIC: &str = r#"
module.exports = ({ config }) => {
  const label = process.env.EXPO_PUBLIC_ENV || defaultLabel;
  if (!Object.hasOwn(environments, label)) {
    throw new Error(`EXPO_PUBLIC_ENV is "${label}"; it is one of ${Object.keys(environments).join(', ')}`);
  }
  const { name, package: identifier, icon, apiUrl: declared, anyApi } = environments[label];
  const apiUrl = process.env.EXPO_PUBLIC_API_URL || declared;
  if (apiUrl !== declared && !anyApi) {
    throw new Error(`EXPO_PUBLIC_API_URL is "${apiUrl}"; the API of ${label} is "${declared}"`);
  }
  return {
    ...config,
    name,
    ...(icon && { icon }),
    android: { ...config.android, package: identifier },
    ios: { ...config.ios, bundleIdentifier: identifier },
    extra: { ...config.extra, apiUrl, environment: label },
  };
};
"#;

pub(super) struct Marks {
    pub(super) app_config: String,
    pub(super) eas: String,
}

impl Marks {
    pub(super) fn read(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|l| l.strip_prefix(MARKS))?;
        let (app_config, eas) = line.trim().split_once(' ')?;
        Some(Self { app_config: app_config.to_owned(), eas: eas.to_owned() })
    }
}

pub(super) fn text(app: &MobileApp, eas: &str) -> String {
    let body = format!("{WRITTEN}{}", code(app));
    format!("{MARKS}{} {}\n{body}", mark(&body), mark(eas))
}

/// Everything but the line of the marks, wherever somebody moved it.
pub(super) fn body(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with(MARKS) => rest,
        _ => text,
    }
}

fn code(app: &MobileApp) -> String {
    let entries = app.variants.iter().map(|variant| {
        let development = variant.kind == Kind::Development;
        let facts = json!({
            "name": variant.name,
            "package": variant.package,
            "icon": variant.icon,
            "apiUrl": variant.api_url,
            "anyApi": development.then_some(true),
        });
        let Value::Object(facts) = facts else { return String::new() };
        let facts = facts.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| format!("    {k}: {v},\n"));
        // JSON is a part of JavaScript (ECMA-262, 25.5), so that no value can end its own string.
        format!("  {}: {{\n{}  }},\n", json!(app.label(variant)), facts.collect::<String>())
    });
    let entries: String = entries.collect();
    let first = app.variants.iter().find(|v| v.kind == Kind::Development).or_else(|| app.variants.first());
    let first = json!(first.map(|v| app.label(v)));
    format!("const environments = {{\n{entries}}};\nconst defaultLabel = {first};\n{LOGIC}")
}
