//! Long work on the screen: one line for each thing done.

use ambit_domain::{Event, Outcome};

use crate::screen::{Paint, plain, seconds};

/// Prints events as they come.
pub(crate) struct Lines {
    json: bool,
    paint: Paint,
    verbose: bool,
}

impl Lines {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::stderr(), verbose: !Paint::stderr().on() }
    }

    pub(crate) fn show(&self, event: &Event) {
        if self.json {
            eprintln!("{}", serde_json::to_string(event).unwrap_or_default());
            return;
        }
        let environment = event.environment.as_ref().map_or("", |e| e.as_str());
        let service = event.service.as_ref().map_or("", |s| s.as_str());
        let what = if service.is_empty() || service == event.step {
            event.step.clone()
        } else {
            format!("{service} {}", event.step)
        };
        let line = |mark: &str, detail: &str, time: &str| {
            eprintln!("  {mark} {environment:<5} {what:<20} {detail:<52} {}", self.paint.dim(time));
        };
        match &event.outcome {
            Outcome::Started if event.step == "build" => line("…", "building", ""),
            Outcome::Output { line } if event.step == "build" && self.verbose => {
                eprintln!("    {environment} {service} | {}", plain(line));
            }
            Outcome::Started | Outcome::Output { .. } => {}
            Outcome::Done { detail, changed: true, millis } => {
                line(&self.paint.good("✓"), &plain(detail), &seconds(*millis));
            }
            Outcome::Done { .. } => {}
            Outcome::Failed { failure } => line(&self.paint.bad("✗"), &plain(&failure.message), ""),
            Outcome::Notice { text } => line(&self.paint.strong("!"), &plain(text), ""),
        }
    }
}
