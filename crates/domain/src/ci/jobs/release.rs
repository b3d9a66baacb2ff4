//! GitHub's release of a tag: what the changelog says of the version, and GitHub's own list of what was merged.

use ambit_spec::Code;

use super::{Job, Pipeline, Yaml, checkout, deploy, map, script};
use crate::ci::Target;

const MINUTES: u32 = 10;

/// `None` where no tag is deployed.
pub(super) fn job(pipeline: &Pipeline<'_>) -> Option<Job> {
    if !matches!(pipeline.environment.code, Code::Tag { .. }) {
        return None;
    }
    let changelog = pipeline.sources.changelog.as_ref().map(|file| pipeline.path(file).display().to_string());
    let state = match pipeline.target {
        Target::Host => Yaml::expression("needs.deploy.outputs.state"),
        // Where it failed, nothing is released.
        Target::Railway => Yaml::text("succeeded"),
    };
    let needed = vec![
        ("GH_TOKEN", Yaml::expression("github.token")),
        ("CHANGELOG", Yaml::Text(changelog.unwrap_or_default())),
        ("STATE", state),
    ];
    let steps = vec![checkout(false), script("Release", needed, include_str!("../scripts/release.sh"))];
    let rest = vec![("permissions", map([("contents", Yaml::text("write"))])), ("steps", Yaml::List(steps))];
    let condition = Some("github.ref_type == 'tag'".to_owned());
    Some((
        "release".to_owned(),
        super::job("Release at GitHub".to_owned(), MINUTES, &[deploy::job_id()], condition, rest),
    ))
}
