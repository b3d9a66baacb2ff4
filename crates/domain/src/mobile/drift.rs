//! What in the app's folder is not as `ambit.toml` has it: also in an `eas.json` that Ambit did not write.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    APP_CONFIG, EAS, Files, MobileApp,
    eas::{API_URL, ENVIRONMENT},
    json_lines::line_of,
};

/// A place that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The file, by its name in the app's folder.
    pub file: String,
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What is expected there.
    pub expected: String,
}

/// Keys of the seed's time that EAS refuses in a build profile, and where they belong.
const REFUSED: &[(&str, &str, &str)] = &[
    ("android", "applicationId", "it belongs in app.config.js, as android.package"),
    ("android", "versionCode", "\"autoIncrement\": true in the profile"),
    ("ios", "bundleIdentifier", "it belongs in app.config.js"),
];

/// Compares what lies in the folder with what would be written; the files themselves are given as far as they are there.
#[must_use]
pub fn drift(app: &MobileApp, wanted: &Files, eas: Option<&str>, app_config: Option<&str>) -> Vec<Drift> {
    let mut found = Vec::new();
    match eas {
        None => found.push(missing(EAS)),
        Some(text) => match serde_json::from_str::<Value>(text) {
            Err(error) => found.push(Drift {
                file: EAS.to_owned(),
                line: Some(error.line()),
                message: format!("is not JSON: {error}"),
                expected: "what `ambit mobile sync` writes".to_owned(),
            }),
            Ok(file) => {
                found.extend(profiles(app, &file, text));
                if found.is_empty() {
                    found.extend(edited(EAS, text, &wanted.eas));
                }
            }
        },
    }
    match app_config {
        None => found.push(missing(APP_CONFIG)),
        Some(text) => found.extend(edited(APP_CONFIG, text, &wanted.app_config)),
    }
    found
}

fn missing(file: &str) -> Drift {
    Drift {
        file: file.to_owned(),
        line: None,
        message: "is not there".to_owned(),
        expected: "what `ambit mobile sync` writes".to_owned(),
    }
}

fn profiles(app: &MobileApp, file: &Value, text: &str) -> Vec<Drift> {
    let mut found = Vec::new();
    let build = &file["build"];
    for (profile, variant) in app.profiles() {
        let mut tell = |path: &[&str], message: String, expected: String| {
            let whole = [&["build", profile], path].concat();
            // Up to the nearest place that is there.
            let line = (0..=whole.len()).rev().find_map(|n| line_of(text, whole.get(..n)?));
            found.push(Drift { file: EAS.to_owned(), line, message, expected });
        };
        let there = build.get(profile).filter(|p| p.is_object());
        let Some(there) = there else {
            tell(&[], format!("has no profile `{profile}`"), format!("a profile for {}", variant.environment));
            continue;
        };
        for (variable, expected) in [(API_URL, variant.api_url.clone()), (ENVIRONMENT, app.label(variant))] {
            let said = inherited(build, there, variable);
            if said != Some(expected.as_str()) {
                let said = said.map_or_else(|| "is missing".to_owned(), |said| format!("is {said:?}"));
                let message = format!("{variable} of the profile `{profile}` {said}");
                tell(&["env", variable], message, format!("{expected:?}, that of {}", variant.environment));
            }
        }
        for (platform, key, instead) in REFUSED {
            if there.get(*platform).and_then(|p| p.get(*key)).is_some() {
                let message = format!("EAS refuses `{platform}.{key}` in the profile `{profile}`");
                tell(&[platform, key], message, (*instead).to_owned());
            }
        }
    }
    found
}

/// A variable of a profile, or of the one that it extends; EAS allows a few steps.
fn inherited<'a>(build: &'a Value, profile: &'a Value, variable: &str) -> Option<&'a str> {
    let mut at = profile;
    for _ in 0..8 {
        if let Some(value) = at.get("env").and_then(|env| env.get(variable)) {
            return value.as_str();
        }
        at = build.get(at.get("extends")?.as_str()?)?;
    }
    None
}

/// The first place in which two texts differ.
fn edited(file: &str, there: &str, wanted: &str) -> Option<Drift> {
    if there == wanted {
        return None;
    }
    let mut lines = wanted.lines();
    let mut read = there.lines();
    let mut number = 0;
    let (said, expected) = loop {
        number += 1;
        match (read.next(), lines.next()) {
            (None, None) => break (None, None),
            (a, b) if a != b => break (a, b),
            _ => {}
        }
    };
    // Marks alone differ where something below them was changed and changed back, or the other file was edited.
    let said = said.map_or_else(|| "ends".to_owned(), |line| format!("says {:?}", line.trim()));
    let expected = expected.map_or_else(|| "the end of the file".to_owned(), |line| format!("{:?}", line.trim()));
    Some(Drift {
        file: file.to_owned(),
        line: Some(number),
        message: format!("{said}, which ambit.toml does not"),
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::kaia, *};

    fn look(eas: &str, app_config: &str) -> Vec<String> {
        let wanted = kaia().files(None).unwrap();
        let found = drift(&kaia(), &wanted, Some(eas), Some(app_config));
        found.iter().map(|d| format!("{}:{} {} → {}", d.file, d.line.unwrap_or(0), d.message, d.expected)).collect()
    }

    #[test]
    fn what_was_written_has_not_drifted() {
        let Files { eas, app_config } = kaia().files(None).unwrap();
        assert!(look(&eas, &app_config).is_empty());
        assert_eq!(drift(&kaia(), &kaia().files(None).unwrap(), None, None).len(), 2);
    }

    #[test]
    fn a_wrong_api_is_told_with_its_place_and_what_is_expected() {
        let Files { eas, app_config } = kaia().files(None).unwrap();
        let wrong = eas.replace("https://api-test.kaia.ai", "https://api.kaia.ai");
        let line = wrong.lines().position(|l| l.contains("api.kaia.ai")).unwrap() + 1;
        let told = look(&wrong, &app_config);
        assert_eq!(
            told,
            [format!(
                "eas.json:{line} EXPO_PUBLIC_API_URL of the profile `preview-test` is \"https://api.kaia.ai\" → \
                 \"https://api-test.kaia.ai\", that of test"
            )]
        );
        let edited = app_config.replace("com.adrianpuche.kaia.test", "com.adrianpuche.other");
        let told = look(&eas, &edited);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("com.adrianpuche.other") && told[0].contains("kaia.test"), "{told:?}");
    }

    #[test]
    fn a_file_of_somebody_elses_is_looked_at_for_what_matters() {
        let by_hand = r#"{
  "build": {
    "base": { "env": { "EXPO_PUBLIC_API_URL": "https://api-dev.kaia.ai", "EXPO_PUBLIC_ENV": "development" } },
    "development": { "extends": "base", "developmentClient": true },
    "preview-test": {
      "env": { "EXPO_PUBLIC_API_URL": "https://api-test.kaia.ai",
               "EXPO_PUBLIC_ENV": "test" },
      "android": { "applicationId": "com.adrianpuche.kaia.test" },
      "ios": { "bundleIdentifier": "com.adrianpuche.kaia.test" }
    },
    "preview": { "env": { "EXPO_PUBLIC_ENV": "production" } }
  }
}"#;
        let told = look(by_hand, &kaia().files(None).unwrap().app_config);
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(told[0].starts_with("eas.json:8 EAS refuses `android.applicationId`"));
        assert!(told[1].starts_with("eas.json:9 EAS refuses `ios.bundleIdentifier`"));
        assert!(told[2].starts_with("eas.json:11 EXPO_PUBLIC_API_URL of the profile `preview` is missing"));
        assert!(told[3].contains("has no profile `production`"));
    }

    #[test]
    fn nonsense_is_told_and_never_a_panic() {
        for eas in
            ["", "[]", "null", "{\"build\":[]}", "{\"build\":{\"development\":{\"extends\":\"development\"}}}", "{"]
        {
            assert!(!look(eas, "").is_empty(), "{eas}");
        }
    }
}
