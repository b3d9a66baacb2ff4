//! The mobile app: the files that Expo builds it by, and its builds as they are handed to testers.

mod app_config;
mod build;
mod drift;
mod eas;
mod json_lines;

pub use build::{BuildVerdict, Index, MobileBuild, Standing, TestBuildId, expired, standing};
pub use drift::{Drift, drift};
pub(crate) use eas::is_for_the_store;

use ambit_spec::{EnvironmentName, Kind};
use sha2::{Digest, Sha256};

use self::app_config::Marks;

/// The file of build profiles.
pub const EAS: &str = "eas.json";
/// What else a team wants to stand in it.
pub const EAS_BASE: &str = "eas.base.json";
/// The file that tells one environment's app from another's.
pub const APP_CONFIG: &str = "app.config.js";

/// The app as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MobileApp {
    /// Each environment that it is built for, in the order of the file.
    pub variants: Vec<Variant>,
}

/// The app as built for one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The environment.
    pub environment: EnvironmentName,
    /// Its kind.
    pub kind: Kind,
    /// Name under the icon.
    pub name: String,
    /// Android package and iOS bundle identifier.
    pub package: String,
    /// Where its API is reached.
    pub api_url: String,
    /// The icon, relative to the app's folder; the one of `app.json` where there is none.
    pub icon: Option<String>,
    /// EAS build profiles that are built against it.
    pub profiles: Vec<String>,
}

impl Variant {
    /// The profiles whose builds go to the store.
    #[must_use]
    pub fn store_profiles(&self) -> Vec<&str> {
        self.profiles.iter().map(String::as_str).filter(|profile| is_for_the_store(profile, self.kind)).collect()
    }
}

/// What is written into the app's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `eas.json`
    pub eas: String,
    /// `app.config.js`
    pub app_config: String,
}

/// Why the files cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The team's own part of `eas.json` is not what it should be.
    #[error("{EAS_BASE}: {why}")]
    Base {
        /// What is wrong.
        why: String,
    },
}

impl MobileApp {
    /// The files, the same for the same declaration. `base` is the team's own part of `eas.json`.
    pub fn files(&self, base: Option<&str>) -> Result<Files, FilesError> {
        let eas = eas::text(self, base)?;
        let app_config = app_config::text(self, &eas);
        Ok(Files { eas, app_config })
    }

    /// Whether a file is as it was written, by the marks in the header of `app.config.js`.
    #[must_use]
    pub fn is_untouched(file: &str, text: &str, app_config: Option<&str>) -> bool {
        let Some(config) = app_config else { return false };
        let Some(marks) = Marks::read(config) else { return false };
        match file {
            EAS => marks.eas == mark(text),
            _ => marks.app_config == mark(app_config::body(config)),
        }
    }

    /// What the app finds in `EXPO_PUBLIC_ENV`: `development` and `production` where one environment alone is of that kind,
    /// else the environment's name.
    #[must_use]
    pub fn label(&self, variant: &Variant) -> String {
        let alone = |kind| self.variants.iter().filter(|v| v.kind == kind).count() == 1;
        let taken = |label: &str| {
            self.variants.iter().any(|v| v.environment != variant.environment && v.environment.as_str() == label)
        };
        let label = match variant.kind {
            Kind::Development if alone(Kind::Development) && !taken("development") => "development",
            Kind::Production if alone(Kind::Production) && !taken("production") => "production",
            _ => variant.environment.as_str(),
        };
        label.to_owned()
    }

    fn profiles(&self) -> impl Iterator<Item = (&str, &Variant)> {
        self.variants.iter().flat_map(|v| v.profiles.iter().map(move |profile| (profile.as_str(), v)))
    }
}

/// Beginning of a digest: a mistake is to be found, not an attack.
fn mark(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn kaia() -> MobileApp {
        let variant = |name: &str, kind, app: &str, package: &str, api: &str, icon: &str, profiles: &[&str]| Variant {
            environment: name.parse().unwrap(),
            kind,
            name: app.into(),
            package: package.into(),
            api_url: api.into(),
            icon: Some(icon.into()),
            profiles: profiles.iter().map(|p| (*p).to_owned()).collect(),
        };
        MobileApp {
            variants: vec![
                variant(
                    "dev",
                    Kind::Development,
                    "Kaia (Dev)",
                    "com.adrianpuche.kaia",
                    "https://api-dev.kaia.ai",
                    "./assets/icon-dev.png",
                    &["development"],
                ),
                variant(
                    "test",
                    Kind::Staging,
                    "Kaia (Test)",
                    "com.adrianpuche.kaia.test",
                    "https://api-test.kaia.ai",
                    "./assets/icon-test.png",
                    &["preview-test"],
                ),
                variant(
                    "prod",
                    Kind::Production,
                    "Kaia",
                    "com.adrianpuche.kaia",
                    "https://api.kaia.ai",
                    "./assets/icon.png",
                    &["preview", "production"],
                ),
            ],
        }
    }

    #[test]
    fn the_words_for_environments_are_those_that_apps_know_and_never_the_same() {
        let mut app = kaia();
        let labels = |app: &MobileApp| app.variants.iter().map(|v| app.label(v)).collect::<Vec<_>>();
        assert_eq!(labels(&app), ["development", "test", "production"]);
        app.variants[1].kind = Kind::Production;
        assert_eq!(labels(&app), ["development", "test", "prod"]);
        app.variants[1].kind = Kind::Staging;
        app.variants[1].environment = "production".parse().unwrap();
        assert_eq!(labels(&app), ["development", "production", "prod"]);
    }

    #[test]
    fn what_somebody_edited_is_told_from_what_was_written() {
        let Files { eas, app_config } = kaia().files(None).unwrap();
        assert!(MobileApp::is_untouched(EAS, &eas, Some(&app_config)));
        assert!(MobileApp::is_untouched(APP_CONFIG, &app_config, Some(&app_config)));
        let edited = app_config.replace("api-test.", "api.");
        assert!(!MobileApp::is_untouched(APP_CONFIG, &edited, Some(&edited)));
        assert!(!MobileApp::is_untouched(EAS, &eas.replace("api-test.", "api."), Some(&app_config)));
        assert!(!MobileApp::is_untouched(EAS, &eas, None));
        assert!(!MobileApp::is_untouched(APP_CONFIG, "", Some("// by hand\n")));
    }
}
