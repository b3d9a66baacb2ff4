//! Everything of somebody else's that a workflow runs, in one place, each by what cannot be moved: an action by its commit, an
//! image by its digest, a program of npm by its version. Newer ones come with a newer Ambit, and with them a drift that
//! `ambit ci github` mends.

use super::yaml::Yaml;

/// The machine that jobs run on. PostgreSQL's and Redis' images need Linux; a moving `latest` would change under the team.
pub(super) const RUNNER: &str = "ubuntu-24.04";

/// An action, its version for people, and the commit that the version named when it was taken in.
pub(super) struct Action(&'static str, &'static str, &'static str);

pub(super) const CHECKOUT: Action = Action("actions/checkout", "v6.0.2", "de0fac2e4500dabe0009e67214ff5f5447ce83dd");
pub(super) const SETUP_NODE: Action =
    Action("actions/setup-node", "v6.3.0", "53b83947a5a98c8d113130e565377fae1a50d02f");
pub(super) const SETUP_PYTHON: Action =
    Action("actions/setup-python", "v6.2.0", "a309ff8b426b58ec0e2a45f0f869d46889d02405");

impl Action {
    pub(super) fn uses(&self) -> Yaml {
        let Self(name, version, commit) = self;
        Yaml::Noted(format!("{name}@{commit}"), (*version).to_owned())
    }
}

/// PostgreSQL's official images by major version.
const POSTGRES: &[(u32, &str)] = &[
    (14, "156f0b253fd61366d5fc2107ad45955027d5612f695a8436ce20167f3fa79bff"),
    (15, "9b1d34adbce1dd07ee6e94b4a2cf698884b89bd44a6c9c12f5da8f3acbfe4957"),
    (16, "95206741a5b214807675e14165369d05b93a9cf692223b616d07cca227e74b0b"),
    (17, "d74eeac9a635390a49bc21bd49fccd973de707e2a53a76ac49b552b8712ec46f"),
    (18, "4ef4dbc939d61acea57712655ddb4b4ab27419c913f94cca0cd57cb3ea3c2280"),
];

/// The major version where none is declared.
const USUAL_POSTGRES: u32 = 17;

/// The image of a major version; of the usual one where nothing, or one that there is no image of, is declared.
pub(super) fn postgres(major: Option<u32>) -> String {
    let find = |wanted: u32| POSTGRES.iter().find(|(known, _)| *known == wanted);
    let found = major.and_then(find).or_else(|| find(USUAL_POSTGRES));
    found.map_or_else(String::new, |(major, digest)| format!("postgres:{major}@sha256:{digest}"))
}

/// Redis' official image.
pub(super) const REDIS: &str = "redis:7@sha256:71da9275c5f3fcb97d0fa0c8c5b36cc995327265420f17a04bfd544f458059f7";

/// Where a tree does not say which Node.js it needs.
pub(super) const NODE: &str = "22";
/// Where a tree does not say which Python it needs.
pub(super) const PYTHON: &str = "3.12";

/// Expo's command line.
pub(super) const EAS_CLI: &str = "eas-cli@24.8.0";
/// Railway's command line. The exit code of its `up --ci` tells how the deployment went, and not only the build.
pub(super) const RAILWAY_CLI: &str = "@railway/cli@5.63.1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_is_pinned_to_what_cannot_move() {
        let hex = |text: &str, length: usize| text.len() == length && text.chars().all(|c| c.is_ascii_hexdigit());
        for Action(name, version, commit) in [CHECKOUT, SETUP_NODE, SETUP_PYTHON] {
            assert!(hex(commit, 40) && version.starts_with('v'), "{name}");
        }
        for major in [None, Some(9), Some(14), Some(18)] {
            let image = postgres(major);
            assert!(hex(image.rsplit(':').next().unwrap(), 64), "{image}");
        }
        assert!(postgres(Some(15)).starts_with("postgres:15@") && postgres(None).starts_with("postgres:17@"));
    }
}
