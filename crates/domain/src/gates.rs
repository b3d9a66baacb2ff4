//! The checklist before a deployment, and what it shows.

use serde::{Deserialize, Serialize};

use crate::{actor::Actor, spec::Gate};

/// What a gate shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateResult {
    /// The gate.
    pub gate: Gate,
    /// Passed, failed or waiting.
    pub verdict: Verdict,
    /// What was found, for people.
    pub evidence: String,
    /// When it was found, in milliseconds since the Unix epoch.
    pub at: i64,
    /// What to do about it, where it did not pass.
    pub next: Option<String>,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed,
    /// A person has not spoken yet.
    Waiting,
    /// It is not, and a person took responsibility.
    Waived,
}

/// A gate that a person took responsibility for, or signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// The gate.
    pub gate: Gate,
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
}

/// Puts waivers on what did not pass. A gate that passes needs none.
#[must_use]
pub fn with_waivers(results: Vec<GateResult>, waivers: &[Waiver]) -> Vec<GateResult> {
    results
        .into_iter()
        .map(|mut result| {
            let waiver = waivers.iter().rev().find(|w| w.gate == result.gate);
            if let Some(waiver) = waiver.filter(|_| result.verdict != Verdict::Passed) {
                result.evidence =
                    format!("{} (waived by {}: \"{}\")", result.evidence, waiver.actor.who, waiver.reason);
                result.verdict = Verdict::Waived;
                result.next = None;
            }
            result
        })
        .collect()
}

/// The gates that a deployment may not go through.
pub fn closed(results: &[GateResult]) -> impl Iterator<Item = &GateResult> {
    results.iter().filter(|r| !matches!(r.verdict, Verdict::Passed | Verdict::Waived))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(gate: Gate, verdict: Verdict) -> GateResult {
        GateResult { gate, verdict, evidence: "seen".into(), at: 1, next: Some("do".into()) }
    }

    #[test]
    fn a_waiver_opens_its_own_gate_and_stays_in_the_record() {
        let waiver = Waiver {
            gate: Gate::Docs,
            actor: Actor { who: "lead@kaia.ai".into(), from: "cli".into() },
            reason: "nothing to document".into(),
            at: 2,
        };
        let results = vec![result(Gate::Docs, Verdict::Failed), result(Gate::Qa, Verdict::Waiting)];
        assert!(closed(&results).next().is_some());
        let results = with_waivers(results, &[waiver]);
        assert_eq!(results[0].verdict, Verdict::Waived);
        assert!(results[0].evidence.contains("lead@kaia.ai") && results[0].evidence.contains("nothing to document"));
        assert_eq!(results[1].verdict, Verdict::Waiting);
        assert!(closed(&results).next().is_some());
        let passed = with_waivers(vec![result(Gate::Docs, Verdict::Passed)], &[]);
        assert!(closed(&passed).next().is_none());
    }
}
