//! Builds of the mobile app at Expo. Beside the deployment and not after it, so that GitHub asks the reviewers of an
//! environment once for both.

use ambit_spec::Kind;

use super::{Job, Pipeline, Yaml, checkout, commands, environment, pins, program, reads, script, tools, within};
use crate::mobile::is_for_the_store;

/// A build is asked for and not waited for.
const MINUTES: u32 = 30;

/// `None` where no app is built for the environment. In development nobody waits for a build of each push; whoever needs
/// one asks for it.
pub(super) fn job(pipeline: &Pipeline<'_>, needs: &[String]) -> Option<Job> {
    let source = pipeline.sources.mobile.as_ref()?;
    let declared = pipeline.environment.mobile.as_ref()?;
    let kind = pipeline.environment.kind;
    // In production what goes to the store, where there is such a profile; the others are a look at it beforehand.
    let (store, others): (Vec<&String>, Vec<&String>) =
        declared.profiles.iter().partition(|profile| is_for_the_store(profile, kind));
    let profiles = if store.is_empty() { others } else { store };
    if kind == Kind::Development || profiles.is_empty() {
        return None;
    }
    let folder = pipeline.path(&source.folder);
    let within = |step: Yaml| within(&folder, step);
    let mut steps = vec![checkout(false)];
    steps.extend(tools(&source.tools, &folder));
    if !source.install.is_empty() {
        steps.push(within(commands("Install", &source.tools, &source.install)));
    }
    steps.push(program("Expo's command line", pins::EAS_CLI, false));
    for profile in profiles {
        let needed = vec![
            ("EXPO_TOKEN", Yaml::expression("secrets.EXPO_TOKEN")),
            ("ENVIRONMENT", Yaml::text(pipeline.environment.name.as_str())),
            ("EAS_CLI", Yaml::text(pins::EAS_CLI)),
            ("PROFILE", Yaml::text(profile)),
        ];
        steps.push(within(script(&format!("Build {profile}"), needed, include_str!("../scripts/eas-build.sh"))));
    }
    let rest = vec![reads(), environment(pipeline), ("steps", Yaml::List(steps))];
    let name = format!("Mobile build for {}", pipeline.environment.name);
    let condition = Some(super::deploy::asked(pipeline));
    Some(("mobile".to_owned(), super::job(name, MINUTES, needs, condition, rest)))
}
