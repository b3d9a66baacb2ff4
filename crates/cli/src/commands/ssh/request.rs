//! What may be asked for over SSH, and nothing else. No shell ever sees it.

use ambit_domain::spec::{EnvironmentName, ProjectName};

/// Longer commands are nobody's.
const LONGEST: usize = 4096;

/// A command that came in with somebody's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// `git push`.
    Receive(ProjectName),
    /// `git fetch`.
    Upload(ProjectName),
    /// `status [PROJECT]`
    Status(Option<ProjectName>),
    /// `deployments [PROJECT]`
    Deployments(Option<ProjectName>),
    /// `deployment [PROJECT/]ENVIRONMENT COMMIT`
    Deployment(Option<ProjectName>, EnvironmentName, String),
    /// `gates [PROJECT/]ENVIRONMENT`
    Gates(Option<ProjectName>, EnvironmentName),
    /// `approve NUMBER --reason WHY`
    Approve(u64, String),
    /// `reject NUMBER --reason WHY`
    Reject(u64, String),
}

/// Reads a command; `None` where it is none of those.
pub(crate) fn read(command: &str) -> Option<Request> {
    let command = command.trim();
    if command.len() > LONGEST || command.contains(char::is_control) {
        return None;
    }
    let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
    let rest = rest.trim();
    match word {
        "git-receive-pack" => repository(rest).map(Request::Receive),
        "git-upload-pack" => repository(rest).map(Request::Upload),
        "status" => project(rest).map(Request::Status),
        "deployments" => project(rest).map(Request::Deployments),
        "deployment" => {
            let (at, commit) = rest.split_once(' ')?;
            let hash = (40..=64).contains(&commit.len()) && commit.chars().all(|c| c.is_ascii_hexdigit());
            let (project, environment) = environment(at)?;
            hash.then(|| Request::Deployment(project, environment, commit.to_owned()))
        }
        "gates" => environment(rest).map(|(project, environment)| Request::Gates(project, environment)),
        "approve" => decision(rest).map(|(number, reason)| Request::Approve(number, reason)),
        "reject" => decision(rest).map(|(number, reason)| Request::Reject(number, reason)),
        _ => None,
    }
}

/// `'kaia.git'`, as git writes it: quoted once, with a slash in front where the address was a URL.
fn repository(text: &str) -> Option<ProjectName> {
    let text = text.strip_prefix('\'').map_or(Some(text), |t| t.strip_suffix('\''))?;
    let text = text.strip_prefix('/').unwrap_or(text);
    text.strip_suffix(".git").unwrap_or(text).parse().ok()
}

/// `[PROJECT/]ENVIRONMENT`
fn environment(text: &str) -> Option<(Option<ProjectName>, EnvironmentName)> {
    match text.split_once('/') {
        Some((project, environment)) => Some((Some(project.parse().ok()?), environment.parse().ok()?)),
        None => Some((None, text.parse().ok()?)),
    }
}

fn project(text: &str) -> Option<Option<ProjectName>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

/// The shell of the one who types has taken the quotes away: everything after `--reason` is the reason.
fn decision(text: &str) -> Option<(u64, String)> {
    let (number, rest) = text.split_once(' ')?;
    if !number.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let reason = rest.trim_start().strip_prefix("--reason")?;
    let reason = reason.strip_prefix([' ', '='])?.trim();
    let quoted = |q: char| reason.strip_prefix(q).and_then(|r| r.strip_suffix(q)).filter(|r| !r.contains(q));
    let reason = quoted('"').or_else(|| quoted('\'')).unwrap_or(reason).trim();
    if reason.is_empty() { None } else { Some((number.parse().ok()?, reason.to_owned())) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn git_and_a_few_commands_are_understood() {
        let kaia: ProjectName = "kaia".parse().unwrap();
        for text in ["git-receive-pack 'kaia.git'", "git-receive-pack '/kaia.git'", "git-receive-pack kaia"] {
            assert_eq!(read(text), Some(Request::Receive(kaia.clone())), "{text}");
        }
        assert_eq!(read("git-upload-pack 'kaia'"), Some(Request::Upload(kaia.clone())));
        assert_eq!(read("status"), Some(Request::Status(None)));
        assert_eq!(read("deployments kaia"), Some(Request::Deployments(Some(kaia.clone()))));
        assert_eq!(read("gates prod"), Some(Request::Gates(None, "prod".parse().unwrap())));
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let asked = Request::Deployment(Some(kaia.clone()), "prod".parse().unwrap(), hash.to_owned());
        assert_eq!(read(&format!("deployment kaia/prod {hash}")), Some(asked));
        assert_eq!(read("gates kaia/prod"), Some(Request::Gates(Some(kaia), "prod".parse().unwrap())));
        for text in [
            "approve 41 --reason release 1.2",
            "approve 41 --reason=\"release 1.2\"",
            "approve 41 --reason 'release 1.2'",
        ] {
            assert_eq!(read(text), Some(Request::Approve(41, "release 1.2".to_owned())), "{text}");
        }
        assert_eq!(read("reject 7 --reason it's late; $(no)"), Some(Request::Reject(7, "it's late; $(no)".to_owned())));
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "sh",
            "bash -i",
            "git-receive-pack",
            "git-receive-pack '../kaia.git'",
            "git-receive-pack 'kaia.git'; id",
            "git-receive-pack 'kaia.git' --x",
            "git-receive-pack '--upload-pack=x'",
            "git-receive-pack \"kaia\"",
            "git-receive-pack '//kaia'",
            "git-receive-pack '/etc/kaia.git'",
            "git-receive-pack 'ka''ia'",
            "git receive-pack 'kaia'",
            "git-upload-archive 'kaia'",
            "git-receive-pack 'kaia.git' 'x'",
            "status; id",
            "status kaia extra",
            "status --json",
            "gates",
            "gates -x",
            "gates a/b/c",
            "deployment prod",
            "deployment prod HEAD",
            "deployment prod --json",
            "deployment prod 0123456789abcdef0123456789abcdef01234567 x",
            "approve",
            "approve 41",
            "approve 41 --reason",
            "approve 41 --reason  ",
            "approve -1 --reason x",
            "approve 41; id --reason x",
            "approve 99999999999999999999 --reason x",
            "approve 1\n2 --reason x",
            "deploy prod",
            "up",
            "destroy prod",
            "daemon",
            "hook pre-receive kaia",
            "scp -t /",
            "internal-sftp",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_name_anything_but_a_project(text in ".{0,60}", path in "[ -~]{0,30}") {
            let _ = read(&text);
            if let Some(Request::Receive(name)) = read(&format!("git-receive-pack '{path}'")) {
                let within = path.trim_start_matches('/').trim_end_matches(".git");
                prop_assert_eq!(name.as_str(), within);
            }
        }
    }
}
