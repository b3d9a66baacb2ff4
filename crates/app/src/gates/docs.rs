//! The documentation was touched since what serves now.

use std::path::Path;

use ambit_domain::Failure;

use super::{Evidence, Finding};
use crate::code::source_failure;

pub(super) fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    let next = format!(
        "describe the change in docs/ or README.md, or: ambit gates {} --waive docs \"why\"",
        at.deployment.environment.environment
    );
    let (Some(from), Some(to)) = (at.live_commit(), at.commit()) else {
        return Ok(Finding::failed("it is not known what changed", next));
    };
    if from == to {
        return Ok(Finding::passed("the code is the same"));
    }
    let changed = at.repository.changed_files(from, to).map_err(|e| source_failure(&e))?;
    let touched: Vec<String> =
        changed.iter().filter(|p| is_documentation(p)).map(|p| p.display().to_string()).take(3).collect();
    Ok(if touched.is_empty() {
        Finding::failed(format!("{} files changed, none of them documentation", changed.len()), next)
    } else {
        Finding::passed(format!("touched: {}", touched.join(", ")))
    })
}

fn is_documentation(path: &Path) -> bool {
    let text = path.to_string_lossy().to_lowercase();
    let name = text.rsplit('/').next().unwrap_or_default();
    let folder = text.split('/').any(|part| matches!(part, "docs" | "doc" | "documentation"));
    let file = [".md", ".mdx", ".rst", ".adoc"].iter().any(|e| name.ends_with(e));
    (folder || file) && !name.starts_with("changelog")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changelog_alone_is_no_documentation() {
        for yes in ["README.md", "docs/api.html", "backend/docs/x.txt", "guide.rst"] {
            assert!(is_documentation(Path::new(yes)), "{yes}");
        }
        for no in ["CHANGELOG.md", "src/main.rs", "docsy/x.rs"] {
            assert!(!is_documentation(Path::new(no)), "{no}");
        }
    }
}
