//! The deployment, once every test has passed. Ambit on its own machine is handed the commit and does the rest itself, by
//! the same rules as for any push (docs/ways-in.md); Railway is handed the code.

use ambit_spec::{Code, Form, Service};

use super::{Job, Pipeline, Yaml, checkout, environment, pins, program, reads, script, tools};
use crate::{
    ci::{
        CiError, Target,
        filter::by_hand,
        source::{Tools, Version},
    },
    intake::SKIP,
};

/// The longest that is waited for a deployment; it goes on by itself.
const MINUTES: u32 = 60;

/// The step that knows how it went.
const HAND_OVER: &str = "hand-over";

pub(super) fn job_id() -> String {
    "deploy".to_owned()
}

pub(super) fn job(pipeline: &Pipeline<'_>, needs: &[String]) -> Result<Job, CiError> {
    let branch = match &pipeline.environment.code {
        Code::Tag { branch, .. } => Some(branch.as_str()),
        _ => None,
    };
    // A tag is looked for on its branch, and what is pushed on has to be complete.
    let mut steps = vec![checkout(branch.is_some() || pipeline.target == Target::Host)];
    if let Some(branch) = branch {
        let mut step = script(
            "The tag is on its branch",
            vec![("BRANCH", Yaml::text(branch))],
            include_str!("../scripts/on-branch.sh"),
        );
        // A hotfix comes on a branch of its own.
        if let (Yaml::Map(entries), true) = (&mut step, pipeline.environment.policy.hotfix.is_some()) {
            entries.insert(1, ("if".to_owned(), Yaml::expression("github.ref_type == 'tag'")));
        }
        steps.push(step);
    }
    match pipeline.target {
        Target::Host => steps.push(hand_over(pipeline, branch)),
        Target::Railway => steps.extend(railway(pipeline)?),
    }
    let mut rest = vec![reads(), environment(pipeline)];
    // The release asks.
    if pipeline.target == Target::Host && branch.is_some() {
        let state = Yaml::expression(&format!("steps.{HAND_OVER}.outputs.state"));
        rest.push(("outputs", Yaml::Map(vec![("state".to_owned(), state)])));
    }
    rest.push(("steps", Yaml::List(steps)));
    let name = format!("Deploy to {}", pipeline.environment.name);
    Ok((job_id(), super::job(name, MINUTES, needs, Some(asked(pipeline)), rest)))
}

/// When it is deployed at all.
pub(super) fn asked(pipeline: &Pipeline<'_>) -> String {
    match &pipeline.environment.code {
        // Whoever starts it may choose any branch.
        Code::Branch(branch) if by_hand(pipeline) => {
            format!("github.ref == 'refs/heads/{}'", branch.replace('\'', "''"))
        }
        _ => format!("!contains(github.event.head_commit.message, '{SKIP}')"),
    }
}

fn hand_over(pipeline: &Pipeline<'_>, branch: Option<&str>) -> Yaml {
    let mut needed = vec![
        ("AMBIT_HOST", Yaml::expression("vars.AMBIT_HOST")),
        ("AMBIT_HOST_KEY", Yaml::expression("vars.AMBIT_HOST_KEY")),
        ("AMBIT_SSH_KEY", Yaml::expression("secrets.AMBIT_SSH_KEY")),
        ("PROJECT", Yaml::text(pipeline.project.name.as_str())),
        ("ENVIRONMENT", Yaml::text(pipeline.environment.name.as_str())),
    ];
    if let Some(branch) = branch {
        needed.push(("BRANCH", Yaml::text(branch)));
    }
    let mut step = script("Hand the commit to Ambit", needed, include_str!("../scripts/hand-over.sh"));
    if let Yaml::Map(entries) = &mut step {
        entries.insert(1, ("id".to_owned(), Yaml::text(HAND_OVER)));
    }
    step
}

fn railway(pipeline: &Pipeline<'_>) -> Result<Vec<Yaml>, CiError> {
    let environment = pipeline.environment;
    let name = || environment.name.clone();
    let there = environment.railway.as_ref().ok_or_else(|| CiError::NotAtRailway { environment: name() })?;
    let apps: Vec<&Service> = environment.services.values().filter(|s| matches!(s.form, Form::App(_))).collect();
    let services = match (&there.service, apps.as_slice()) {
        (Some(service), [_] | []) => vec![service.clone()],
        (None, apps) => apps.iter().map(|app| app.name.to_string()).collect(),
        (Some(_), several) => return Err(CiError::SeveralApps { environment: name(), apps: several.len() }),
    };
    let known = |more: Vec<(&'static str, Yaml)>| {
        let mut all = vec![
            ("RAILWAY_TOKEN", Yaml::expression("secrets.RAILWAY_TOKEN")),
            ("RAILWAY_CLI", Yaml::text(pins::RAILWAY_CLI)),
            ("ENVIRONMENT", Yaml::text(environment.name.as_str())),
        ];
        all.extend(more);
        all
    };
    let node = Tools { node: Some(Version::Usual), ..Tools::default() };
    let mut steps = tools(&node, std::path::Path::new(""));
    steps.push(script("The token is there", known(Vec::new()), include_str!("../scripts/railway-token.sh")));
    // Its installation script fetches the program itself.
    steps.push(program("Railway's command line", pins::RAILWAY_CLI, true));
    if let Some(project) = &there.project {
        let expected = known(vec![("EXPECTED", Yaml::text(project))]);
        steps.push(script("The token is this project's", expected, include_str!("../scripts/railway-project.sh")));
    }
    for service in &services {
        let title = format!("Deploy the service {service}");
        let needed = known(vec![("SERVICE", Yaml::text(service))]);
        steps.push(script(&title, needed, include_str!("../scripts/railway-up.sh")));
    }
    Ok(steps)
}
