//! Who is told. What happens on a machine with Ambit, Ambit tells itself (docs/notifications.md); of what failed before
//! it came there, and of all that happens at Railway, it knows nothing.

use super::{Job, Pipeline, Yaml, map, script};
use crate::ci::Target;

const MINUTES: u32 = 5;

pub(super) fn job(pipeline: &Pipeline<'_>, needs: &[String]) -> Job {
    let condition = match pipeline.target {
        Target::Host => "failure()",
        Target::Railway => "!cancelled() && (contains(needs.*.result, 'failure') || needs.deploy.result == 'success')",
    };
    let needed = vec![
        ("SLACK_WEBHOOK_URL", Yaml::expression("secrets.SLACK_WEBHOOK_URL")),
        ("PROJECT", Yaml::text(pipeline.project.name.as_str())),
        ("ENVIRONMENT", Yaml::text(pipeline.environment.name.as_str())),
        ("RESULT", Yaml::expression("contains(needs.*.result, 'failure') && 'failed' || 'succeeded'")),
    ];
    let steps = vec![script("Tell Slack", needed, include_str!("../scripts/tell.sh"))];
    let rest = vec![("permissions", map([])), ("steps", Yaml::List(steps))];
    ("tell".to_owned(), super::job("Tell the team".to_owned(), MINUTES, needs, Some(condition.to_owned()), rest))
}
