//! What starts a workflow. GitHub's patterns are its own (`*` stops at a slash, `?` and `+` repeat what stands before
//! them), so what is declared in git's is said anew, or refused where it cannot be said.

use ambit_spec::Code;

use super::{
    CiError, Pipeline, Target,
    yaml::{Yaml, map},
};

/// A pattern that GitHub has no words for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("GitHub cannot say the pattern `{pattern}`: {why}")]
pub struct Unsayable {
    /// As declared.
    pub pattern: String,
    /// What of it.
    pub why: &'static str,
}

/// The part `on` of a workflow.
pub(super) fn events(pipeline: &Pipeline<'_>) -> Result<Yaml, CiError> {
    let environment = pipeline.environment;
    let filter = |text: &str| {
        self::filter(text).map_err(|unsayable| CiError::Unsayable { environment: environment.name.clone(), unsayable })
    };
    let mut branches = Vec::new();
    let mut tags = Vec::new();
    match &environment.code {
        // Nothing is between the push and Railway that would stop it, as Ambit does on its own machine.
        Code::Branch(_) if by_hand(pipeline) => {}
        Code::Branch(branch) => branches.push(Yaml::Text(literal(branch))),
        Code::Tag { pattern, .. } => tags.push(Yaml::Text(filter(pattern)?)),
        Code::WorkingTree => {}
    }
    if let Some(hotfix) = &environment.policy.hotfix {
        branches.push(Yaml::Text(filter(hotfix)?));
    }
    let mut push = Vec::new();
    for (key, list) in [("branches", branches), ("tags", tags)] {
        if !list.is_empty() {
            push.push((key.to_owned(), Yaml::List(list)));
        }
    }
    let mut events = Vec::new();
    if !push.is_empty() {
        events.push(("push".to_owned(), Yaml::Map(push)));
    }
    if by_hand(pipeline) {
        events.push(("workflow_dispatch".to_owned(), map([])));
    }
    Ok(Yaml::Map(events))
}

/// Whether a person starts it.
pub(super) fn by_hand(pipeline: &Pipeline<'_>) -> bool {
    let by_branch = matches!(pipeline.environment.code, Code::Branch(_));
    pipeline.target == Target::Railway && by_branch && !pipeline.environment.auto_deploy
}

/// A branch's very name.
fn literal(name: &str) -> String {
    name.chars().fold(String::new(), |mut out, c| {
        if "!+*?[]\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

/// A glob of git's as one of GitHub's.
fn filter(pattern: &str) -> Result<String, Unsayable> {
    let unsayable = |why| Unsayable { pattern: pattern.to_owned(), why };
    // Where slashes are expected, any number of them is.
    let star = if pattern.contains('/') { "**" } else { "*" };
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' if out.ends_with('*') => {}
            '*' => out.push_str(star),
            '?' => return Err(unsayable("it has no `?` for any one character")),
            '[' => {
                let class: String = chars.by_ref().take_while(|c| *c != ']').collect();
                if class.is_empty() || !class.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                    return Err(unsayable("its classes hold letters and digits alone"));
                }
                out.push_str(&format!("[{class}]"));
            }
            c if c.is_control() || c == ' ' => return Err(unsayable("names hold no blanks")),
            '!' | '+' | '\\' | ']' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    if !chars.as_str().is_empty() || out.is_empty() {
        return Err(unsayable("it is no pattern"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_said_in_githubs_words_or_refused() {
        for (declared, said) in [
            ("v*", "v*"),
            ("hotfix/*", "hotfix/**"),
            ("v[0-9]*", "v[0-9]*"),
            ("a**", "a*"),
            ("c++", "c\\+\\+"),
            ("v1.2", "v1.2"),
        ] {
            assert_eq!(filter(declared).unwrap(), said);
        }
        for declared in ["v?", "v[!a-z]", "v[]", "a b", ""] {
            assert!(filter(declared).is_err(), "{declared}");
        }
        assert_eq!(literal("c++/x!"), "c\\+\\+/x\\!");
    }
}
