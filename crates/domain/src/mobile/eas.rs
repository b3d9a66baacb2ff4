//! `eas.json`: one profile for each that is declared, with what the team's own `eas.base.json` adds. Where both say
//! something, what Ambit knows counts.

use ambit_spec::Kind;
use serde_json::{Map, Value, json};

use super::{FilesError, MobileApp, Variant};

pub(super) const API_URL: &str = "EXPO_PUBLIC_API_URL";
pub(super) const ENVIRONMENT: &str = "EXPO_PUBLIC_ENV";

pub(super) fn text(app: &MobileApp, base: Option<&str>) -> Result<String, FilesError> {
    let mut file = own(app);
    if let Some(base) = base {
        let wrong = |why: String| FilesError::Base { why };
        let base: Value = serde_json::from_str(base).map_err(|e| wrong(e.to_string()))?;
        let Value::Object(base) = base else { return Err(wrong("an object is expected".to_owned())) };
        add(&mut file, base);
    }
    let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
    text.push('\n');
    Ok(text)
}

fn own(app: &MobileApp) -> Map<String, Value> {
    let mut build = Map::new();
    let mut submit = Map::new();
    for (profile, variant) in app.profiles() {
        build.insert(profile.to_owned(), self::profile(app, profile, variant));
        if is_for_the_store(profile, variant.kind) {
            submit.insert(profile.to_owned(), json!({}));
        }
    }
    // Version codes are counted by Expo: two people who build never choose the same one.
    let cli = json!({ "version": ">= 5.0.0", "appVersionSource": "remote" });
    Map::from_iter([
        ("cli".to_owned(), cli),
        ("build".to_owned(), Value::Object(build)),
        ("submit".to_owned(), Value::Object(submit)),
    ])
}

fn profile(app: &MobileApp, profile: &str, variant: &Variant) -> Value {
    let mut map = Map::new();
    let mut say = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
    if variant.kind == Kind::Development {
        say("developmentClient", json!(true));
    }
    let store = is_for_the_store(profile, variant.kind);
    say("distribution", json!(if store { "store" } else { "internal" }));
    if variant.kind != Kind::Development {
        // A phone takes no update whose version code is not larger, and so does `ambit mobile publish`.
        say("autoIncrement", json!(true));
    }
    say("env", json!({ API_URL: variant.api_url, ENVIRONMENT: app.label(variant) }));
    if variant.kind != Kind::Development {
        // An APK, which testers and the downloads site can hand out, and not a bundle that only a store takes.
        say("android", json!({ "buildType": "apk" }));
    }
    Value::Object(map)
}

/// A production build goes to the store, unless its profile is there for a look at it first.
pub(crate) fn is_for_the_store(profile: &str, kind: Kind) -> bool {
    kind == Kind::Production && !profile.starts_with("preview")
}

fn add(to: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (to.get_mut(&key), value) {
            (None, value) => drop(to.insert(key, value)),
            (Some(Value::Object(known)), Value::Object(more)) => add(known, more),
            (Some(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::kaia, *};

    #[test]
    fn the_seeds_profiles_in_the_form_that_eas_takes() {
        let text = text(&kaia(), None).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let build = &file["build"];
        let profiles: Vec<&String> = build.as_object().unwrap().keys().collect();
        assert_eq!(profiles, ["development", "preview-test", "preview", "production"]);
        assert_eq!(build["development"]["developmentClient"], true);
        for (profile, distribution, api, word) in [
            ("development", "internal", "https://api-dev.kaia.ai", "development"),
            ("preview-test", "internal", "https://api-test.kaia.ai", "test"),
            ("preview", "internal", "https://api.kaia.ai", "production"),
            ("production", "store", "https://api.kaia.ai", "production"),
        ] {
            assert_eq!(build[profile]["distribution"], distribution, "{profile}");
            assert_eq!(build[profile]["env"][API_URL], api, "{profile}");
            assert_eq!(build[profile]["env"][ENVIRONMENT], word, "{profile}");
            assert_eq!(build[profile]["autoIncrement"] == true, profile != "development", "{profile}");
        }
        assert_eq!(build["preview-test"]["android"]["buildType"], "apk");
        assert_eq!(file["submit"]["production"], json!({}));
        assert_eq!(text, self::text(&kaia(), None).unwrap());
    }

    #[test]
    fn what_the_team_adds_stays_and_never_replaces_what_is_declared() {
        let base = r#"{ "cli": { "requireCommit": true },
            "build": { "preview-test": { "node": "20.11.0", "env": { "EXPO_PUBLIC_API_URL": "https://evil.example", "EXTRA": "1" } },
                       "simulator": { "ios": { "simulator": true } } } }"#;
        let file: Value = serde_json::from_str(&text(&kaia(), Some(base)).unwrap()).unwrap();
        assert_eq!(file["cli"]["requireCommit"], true);
        let test = &file["build"]["preview-test"];
        assert_eq!(test["node"], "20.11.0");
        assert_eq!(test["env"][API_URL], "https://api-test.kaia.ai");
        assert_eq!(test["env"]["EXTRA"], "1");
        assert_eq!(file["build"]["simulator"]["ios"]["simulator"], true);
        for bad in ["[]", "{", "1"] {
            assert!(text(&kaia(), Some(bad)).is_err(), "{bad}");
        }
    }
}
