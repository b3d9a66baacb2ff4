//! Variables that Expo keeps for builds, updates and jobs of its own, for each of its three environments.
//!
//! Nothing there can be marked as the project's. So only variables with the two names that Ambit writes into `eas.json` too are looked
//! at, none is ever deleted, and one that is the whole account's is left alone.

use crate::{
    mobile::{MobileApp, Variant, is_for_the_store},
    outside::{self, Detail, Said},
    spec::{EnvironmentName, Kind},
};

/// The names.
const NAMES: [&str; 2] = ["EXPO_PUBLIC_API_URL", "EXPO_PUBLIC_ENV"];
/// Expo's environments, each with the kind that it is named for.
const ENVIRONMENTS: [(&str, Kind); 3] =
    [("development", Kind::Development), ("preview", Kind::Staging), ("production", Kind::Production)];

/// A variable as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub value: String,
    /// Expo's environment that it is of.
    pub at: &'static str,
    /// The environment whose app reads it.
    pub environment: EnvironmentName,
}

/// A variable as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// By what Expo knows it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it says; `None` where nobody may read it.
    pub value: Option<String>,
    /// Expo's environments that it is of.
    pub environments: Vec<String>,
    /// Whether it is the whole account's.
    pub shared: bool,
}

impl Present {
    fn is_of(&self, environment: &str) -> bool {
        self.environments.iter().any(|name| name.eq_ignore_ascii_case(environment))
    }
}

/// The variables that an app needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// In the order of Expo's environments.
    pub variables: Vec<Variable>,
    /// Of what there is none: what it is and why.
    pub unmet: Vec<(String, String)>,
}

impl Wanted {
    /// The names that are looked at.
    #[must_use]
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A variable that is not there.
    Create(Variable),
    /// One that says something else, in this environment of Expo's alone.
    Change(Present, Variable),
    /// One that says something else in others too: there it stays as it is, and here a new one is made.
    Split(Present, Variable),
}

/// What there is beside what is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What would be done.
    pub changes: Vec<Change>,
    /// What cannot be done: what it is about and why.
    pub untouched: Vec<(String, String)>,
    /// How many are as they should be.
    pub kept: usize,
}

/// The variables of an app. Expo takes those of `production` for builds for the store, those of `development` for development clients, and those of
/// `preview` for all others, where the profile names no environment. Where profiles of several environments share one of Expo's, it
/// has the values of the one that it is named for.
#[must_use]
pub fn wanted(app: &MobileApp) -> Wanted {
    let mut found = Wanted::default();
    for (at, kind) in ENVIRONMENTS {
        let builds_there = |v: &&Variant| v.profiles.iter().any(|profile| place(profile, v.kind) == at);
        let all: Vec<&Variant> = app.variants.iter().filter(builds_there).collect();
        let mut named: Vec<&Variant> = all.iter().copied().filter(|v| v.kind == kind).collect();
        let chosen = match (&all[..], named.pop()) {
            ([only], _) => only,
            (_, Some(only)) if named.is_empty() => only,
            ([], _) => continue,
            _ => {
                let names: Vec<&str> = all.iter().map(|v| v.environment.as_str()).collect();
                let why = format!(
                    "builds of {} share it, and each asks its own API: what eas.json says counts",
                    names.join(", ")
                );
                found.unmet.push((format!("Expo's environment {at}"), why));
                continue;
            }
        };
        let values = [chosen.api_url.clone(), app.label(chosen)];
        found.variables.extend(NAMES.into_iter().zip(values).map(|(name, value)| Variable {
            name,
            value,
            at,
            environment: chosen.environment.clone(),
        }));
    }
    found
}

/// Expo's environment of a profile that names none (docs.expo.dev/eas/environment-variables/usage).
fn place(profile: &str, kind: Kind) -> &'static str {
    match kind {
        Kind::Development => "development",
        kind if is_for_the_store(profile, kind) => "production",
        _ => "preview",
    }
}

/// Compares what is there with what is wanted.
#[must_use]
pub fn compare(wanted: &Wanted, there: &[Present]) -> Comparison {
    let mut found = Comparison::default();
    for variable in &wanted.variables {
        let mut alike = there.iter().filter(|p| p.name == variable.name && p.is_of(variable.at));
        // One of the project's own counts before one of the account's.
        let present = alike.clone().find(|p| !p.shared).or_else(|| alike.next());
        match present {
            None => found.changes.push(Change::Create(variable.clone())),
            Some(present) if present.value.as_ref() == Some(&variable.value) => found.kept += 1,
            Some(present) if present.shared => {
                let why = format!(
                    "the whole account has it with another value; it is not touched (unlink it at expo.dev, or set it to {})",
                    variable.value
                );
                found.untouched.push((variable.called(), why));
            }
            Some(present) if present.environments.len() > 1 => {
                found.changes.push(Change::Split(present.clone(), variable.clone()));
            }
            Some(present) => found.changes.push(Change::Change(present.clone(), variable.clone())),
        }
    }
    found
}

impl Variable {
    fn called(&self) -> String {
        format!("{} in {}", self.name, self.at)
    }
}

impl Change {
    /// As it is shown.
    #[must_use]
    pub fn shown(&self) -> outside::Change {
        let new = |variable: &Variable| Some(Said::text(&*variable.value));
        match self {
            Self::Create(variable) => {
                outside::Change::create(variable.called(), vec![Detail::new("", None, new(variable))])
                    .of(&variable.environment)
            }
            Self::Change(present, variable) | Self::Split(present, variable) => {
                let old = present.value.as_deref().map_or(Said::Secret(String::new()), Said::text);
                outside::Change::replace(variable.called(), vec![Detail::new("", Some(old), new(variable))])
                    .of(&variable.environment)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mobile::tests::kaia;

    fn lines(wanted: &Wanted) -> Vec<String> {
        wanted.variables.iter().map(|v| format!("{} {}={}", v.at, v.name, v.value)).collect()
    }

    fn present(id: &str, name: &str, value: &str, environments: &[&str]) -> Present {
        Present {
            id: id.into(),
            name: name.into(),
            value: Some(value.into()),
            environments: environments.iter().map(|e| (*e).to_owned()).collect(),
            shared: false,
        }
    }

    fn as_wanted() -> Vec<Present> {
        let wanted = wanted(&kaia());
        wanted.variables.iter().enumerate().map(|(n, v)| present(&n.to_string(), v.name, &v.value, &[v.at])).collect()
    }

    #[test]
    fn each_environment_of_expo_has_the_values_of_the_one_that_it_is_named_for() {
        assert_eq!(
            lines(&wanted(&kaia())),
            [
                "development EXPO_PUBLIC_API_URL=https://api-dev.kaia.ai",
                "development EXPO_PUBLIC_ENV=development",
                "preview EXPO_PUBLIC_API_URL=https://api-test.kaia.ai",
                "preview EXPO_PUBLIC_ENV=test",
                "production EXPO_PUBLIC_API_URL=https://api.kaia.ai",
                "production EXPO_PUBLIC_ENV=production",
            ]
        );
        let mut app = kaia();
        app.variants.remove(1);
        assert!(lines(&wanted(&app)).contains(&"preview EXPO_PUBLIC_API_URL=https://api.kaia.ai".to_owned()));
        let mut app = kaia();
        let second = Variant { environment: "test2".parse().unwrap(), ..app.variants[1].clone() };
        app.variants.push(second);
        let found = wanted(&app);
        assert_eq!(found.variables.len(), 4);
        assert!(found.unmet[0].0.contains("preview") && found.unmet[0].1.contains("test2"), "{:?}", found.unmet);
    }

    #[test]
    fn what_is_there_is_kept_and_what_says_something_else_is_shown_with_old_and_new() {
        assert_eq!(compare(&wanted(&kaia()), &as_wanted()).kept, 6);
        assert_eq!(compare(&wanted(&kaia()), &[]).changes.len(), 6);
        let mut there = as_wanted();
        there[2].value = Some("https://evil.example".into());
        there[3].value = None;
        there[4].environments = vec!["PRODUCTION".into()];
        there.push(present("x", "EXPO_PUBLIC_MAPS", "k", &["production"]));
        let found = compare(&wanted(&kaia()), &there);
        let shown: Vec<outside::Change> = found.changes.iter().map(Change::shown).collect();
        let line = |c: &outside::Change| {
            format!("{}: {} → {}", c.key, c.details[0].old.as_ref().unwrap(), c.details[0].new.as_ref().unwrap())
        };
        assert_eq!(
            shown.iter().map(line).collect::<Vec<_>>(),
            [
                "EXPO_PUBLIC_API_URL in preview: https://evil.example → https://api-test.kaia.ai",
                "EXPO_PUBLIC_ENV in preview: (secret) → test",
            ]
        );
    }

    #[test]
    fn one_that_several_environments_share_stays_in_the_others_and_the_accounts_own_is_left_alone() {
        let shared = present("1", "EXPO_PUBLIC_API_URL", "https://api.kaia.ai", &["preview", "production", "mine"]);
        let found = compare(&wanted(&kaia()), std::slice::from_ref(&shared));
        assert!(found.changes.iter().any(|c| matches!(c, Change::Split(p, v) if p.id == "1" && v.at == "preview")));
        assert_eq!(found.kept, 1);
        let accounts = Present { shared: true, ..shared };
        let found = compare(&wanted(&kaia()), &[accounts]);
        assert_eq!((found.untouched.len(), found.kept, found.changes.len()), (1, 1, 4));
    }

    proptest! {
        #[test]
        fn carrying_it_out_leaves_nothing_to_do_and_other_environments_as_they_were(
            there in proptest::collection::vec((0usize..3, 0usize..4, 0u8..16, any::<bool>()), 0..6)
        ) {
            let names = ["EXPO_PUBLIC_API_URL", "EXPO_PUBLIC_ENV", "OTHER"];
            let places = ["development", "preview", "production", "mine"];
            let mut free = [[true; 4]; 3];
            let there: Vec<Present> = there.into_iter().enumerate().map(|(n, (name, value, of, shared))| {
                // Expo has one variable of a name in an environment.
                let of: Vec<&str> = (0..4).filter(|p| of & (1 << p) != 0 && std::mem::take(&mut free[name][*p])).map(|p| places[p]).collect();
                Present { shared, ..present(&n.to_string(), names[name], places[value], &of) }
            }).collect();
            let mut after = there.clone();
            let found = compare(&wanted(&kaia()), &there);
            for (n, change) in found.changes.iter().enumerate() {
                let made = |v: &Variable| present(&format!("new{n}"), v.name, &v.value, &[v.at]);
                match change {
                    Change::Create(variable) => after.push(made(variable)),
                    Change::Change(old, variable) => {
                        prop_assert!(!old.shared && old.environments.len() == 1);
                        after.iter_mut().find(|p| p.id == old.id).unwrap().value = Some(variable.value.clone());
                    }
                    Change::Split(old, variable) => {
                        prop_assert!(!old.shared);
                        after.iter_mut().find(|p| p.id == old.id).unwrap().environments.retain(|e| e != variable.at);
                        after.push(made(variable));
                    }
                }
            }
            prop_assert_eq!(compare(&wanted(&kaia()), &after).changes, vec![]);
            let of = |all: &[Present], name: &str, at: &str| {
                all.iter().filter(|p| p.name == name && p.is_of(at)).map(|p| p.value.clone()).collect::<Vec<_>>()
            };
            for name in names {
                prop_assert_eq!(of(&there, name, "mine"), of(&after, name, "mine"));
            }
        }
    }
}
