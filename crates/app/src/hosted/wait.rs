//! Waiting for a deployment at a service elsewhere.

use std::time::Duration;

use ambit_domain::{Failure, FailureKind, Hosted, hosted::HostedState, spec::ServiceName};

use crate::progress::Progress;

/// How long it is waited before it is asked again how a deployment stands there: twice as long each time, since a free account takes
/// 100 requests an hour.
const SOON: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(15);
/// How long a build and its start may take there.
const LONGEST: Duration = Duration::from_secs(3600);

/// Waits until a deployment of an app serves; fails where it is over, with the last words that it said.
pub(crate) async fn until_it_serves(
    hosted: &dyn Hosted,
    app: &ServiceName,
    id: &str,
    progress: &Progress,
) -> Result<(), Failure> {
    let told = progress.service(app);
    let begin = tokio::time::Instant::now();
    let (mut said, mut pause) = (String::new(), SOON);
    loop {
        progress.go_on()?;
        match hosted.state(id).await? {
            HostedState::Serves => return Ok(()),
            HostedState::Over(word) => {
                let words = hosted.last_words(id).await.unwrap_or_default();
                let what = format!("{app} does not serve: its deployment at {} is {word}", hosted.describe());
                return Err(words.into_iter().fold(Failure::new(FailureKind::App, what), Failure::because));
            }
            HostedState::UnderWay(word) if word != said => {
                told.notice("health", word.clone());
                said = word;
            }
            HostedState::UnderWay(_) => {}
        }
        if begin.elapsed() > LONGEST {
            return Err(Failure::new(FailureKind::App, format!("{app} did not come to serve within an hour"))
                .hint(format!("look there: {}", hosted.describe())));
        }
        tokio::time::sleep(pause).await;
        pause = SELDOM.min(pause * 2);
    }
}
