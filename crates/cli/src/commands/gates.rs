//! `ambit gates`

use std::{path::Path, process::ExitCode};

use ambit_app::Waive;
use ambit_domain::{
    Deployment, Failure, FailureKind,
    gates::{GateResult, Verdict},
    spec::Gate,
};

use super::print_json;
use crate::{
    context,
    screen::{Paint, ago, columns, plain},
};

pub(crate) async fn run(
    folder: &Path,
    environment: &str,
    waive: Option<Vec<String>>,
    sign: Option<Vec<String>>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    for (words, signed) in [(waive, false), (sign, true)] {
        let Some([gate, reason]) = words.as_deref() else { continue };
        let gate = Gate::named(gate).ok_or_else(|| {
            let known: Vec<&str> = Gate::ALL.iter().map(|g| g.name()).collect();
            Failure::new(FailureKind::User, format!("there is no gate `{}`", gate.escape_debug()))
                .hint(format!("there are: {}", known.join(", ")))
        })?;
        let request = Waive {
            project: id.project.clone(),
            environment: id.environment.clone(),
            gate,
            sign: signed,
            reason: reason.clone(),
            actor: context::actor(folder),
        };
        let _: Deployment = context::daemon().await?.work("/v1/waive", &request, |_| {}).await?;
    }
    // The keys are those of the person who looks.
    let ambit = context::ambit()?;
    let deployment = ambit.gated_deployment(&id.project, &id.environment)?;
    let results = ambit.look_at_gates(&deployment).await?;
    if json {
        print_json(
            &serde_json::json!({ "deployment": deployment.number, "version": deployment.version, "gates": results }),
        );
    } else {
        show(&deployment, &results, &ambit.approvers_of(&deployment));
    }
    let open = results.iter().any(|r| matches!(r.verdict, Verdict::Failed | Verdict::Waiting));
    Ok(if open { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

pub(crate) fn show(deployment: &Deployment, results: &[GateResult], approvers: &[String]) {
    let paint = Paint::stdout();
    let count = |verdict: Verdict| results.iter().filter(|r| r.verdict == verdict).count();
    let mut counts = vec![format!("{} passed", count(Verdict::Passed))];
    for (verdict, word) in [(Verdict::Waived, "waived"), (Verdict::Failed, "failed"), (Verdict::Waiting, "waiting")] {
        if count(verdict) > 0 {
            counts.push(format!("{} {word}", count(verdict)));
        }
    }
    println!(
        "{} → {} · deployment {} · {}\n",
        paint.strong(&plain(&deployment.version)),
        deployment.environment.environment,
        deployment.number,
        counts.join(" · ")
    );
    let mut rows: Vec<Vec<String>> = results
        .iter()
        .map(|r| {
            let mark = match r.verdict {
                Verdict::Passed => "✓",
                Verdict::Failed => "✗",
                Verdict::Waiting => "…",
                Verdict::Waived => "~",
            };
            let next = r.next.as_deref().map_or_else(|| format!("seen {} ago", ago(r.at)), plain);
            vec![mark.to_owned(), r.gate.name().to_owned(), plain(&r.evidence), next]
        })
        .collect();
    if !approvers.is_empty() {
        let (mark, said) = match deployment.approvals.iter().rev().find(|a| a.yes) {
            Some(yes) => ("✓", format!("{}: \"{}\"", plain(&yes.actor.who), plain(&yes.reason))),
            None => ("…", approvers.iter().map(|a| plain(a)).collect::<Vec<_>>().join(", ")),
        };
        let next =
            if mark == "…" { format!("ambit approve {} --reason \"…\"", deployment.number) } else { String::new() };
        rows.push(vec![mark.to_owned(), "approval".to_owned(), said, next]);
    }
    for row in columns(&rows, "  ") {
        println!("{}", paint.mark(&row));
    }
}
