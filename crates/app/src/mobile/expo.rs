//! Builds as Expo has them: listed, waited for, and fetched, to be published like any other.

use std::{
    fs::File,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use ambit_cloud::expo::{BASE, Expo};
use ambit_domain::{
    Failure, FailureKind,
    expo::{Build, BuildState},
    mobile::Variant,
    spec::EnvironmentName,
};
use ambit_source::apk::MAX_SIZE;
use serde::Serialize;

use super::declared::required;
use crate::{declaration::Declaration, outside::Tokens, progress::Progress};

/// Pauses between looks at a build that is being made: they grow from one to the other.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(20));
/// Expo ends a build that takes longer than two hours; before, it may have waited for its turn.
const LONGEST: Duration = Duration::from_secs(4 * 3600);
/// How often it is told how much of a file came.
const TOLD: u64 = 10 << 20;

/// A build at Expo and the environment that it is for.
#[derive(Debug, Clone, Serialize)]
pub struct ExpoBuild {
    /// The environment whose profile it is built by.
    pub environment: EnvironmentName,
    /// The build.
    #[serde(flatten)]
    pub build: Build,
}

/// Which build is meant.
#[derive(Debug, Clone)]
pub enum Which {
    /// By Expo's id.
    Id(String),
    /// The newest for Android that was not taken back.
    Latest,
}

/// A way to Expo, and the project there.
pub(crate) fn expo_client(declaration: &Declaration, tokens: &Tokens) -> Result<(Expo, String), Failure> {
    let declared = declaration.project.providers.expo.as_ref().ok_or_else(|| {
        Failure::new(FailureKind::NotFound, format!("{} declares no project at Expo", declaration.project.name))
            .hint("add to ambit.toml: [providers.expo] project = \"@owner/slug\"")
    })?;
    let door = declaration.door(("expo", "Expo"), &declared.access, BASE, tokens)?;
    Ok((Expo::new(&door.base, &door.token, &declared.project)?, declared.project.clone()))
}

/// Expo's builds by the profiles of one environment or of all, the newest first.
pub async fn expo_builds(
    declaration: &Declaration,
    tokens: &Tokens,
    environment: Option<&EnvironmentName>,
) -> Result<Vec<ExpoBuild>, Failure> {
    let (client, _) = expo_client(declaration, tokens)?;
    let app = required(declaration)?.app;
    let mut all = Vec::new();
    for variant in app.variants.iter().filter(|v| environment.is_none_or(|name| v.environment == *name)) {
        for build in of(&client, variant).await? {
            all.push(ExpoBuild { environment: variant.environment.clone(), build });
        }
    }
    all.sort_by(|a, b| b.build.created.cmp(&a.build.created));
    Ok(all)
}

async fn of(client: &Expo, variant: &Variant) -> Result<Vec<Build>, Failure> {
    let mut all = Vec::new();
    for profile in &variant.profiles {
        all.extend(client.builds(profile).await?);
    }
    all.sort_by(|a, b| b.created.cmp(&a.created));
    Ok(all)
}

/// A build of an environment, whatever its state. One that is not by its profiles is refused.
pub(super) async fn expo_build(
    declaration: &Declaration,
    tokens: &Tokens,
    environment: &EnvironmentName,
    which: &Which,
) -> Result<Build, Failure> {
    let (client, _) = expo_client(declaration, tokens)?;
    let variant = variant(declaration, environment)?;
    let build = match which {
        Which::Id(id) => client.build(id).await?,
        Which::Latest => {
            let all = of(&client, &variant).await?;
            all.into_iter().find(|b| b.android && b.state != BuildState::Canceled).ok_or_else(|| {
                let profiles = variant.profiles.join(", ");
                Failure::new(FailureKind::NotFound, format!("Expo has no build for Android by {profiles}"))
                    .hint_if(variant.profiles.first().map(|p| format!("ambit mobile build --profile {p}")))
            })?
        }
    };
    if !build.is_by(&variant.profiles) {
        let by = build.profile.as_deref().unwrap_or("no profile").escape_debug().to_string();
        return Err(Failure::new(
            FailureKind::User,
            format!("the build is not one for {environment}: it is built by {by}"),
        )
        .because(format!("the profiles of {environment} are {}", variant.profiles.join(", "))));
    }
    if !build.android {
        return Err(Failure::new(FailureKind::User, "the build is not for Android")
            .hint("what is for iPhones is handed out by TestFlight: eas submit --platform ios"));
    }
    Ok(build)
}

pub(super) fn variant(declaration: &Declaration, environment: &EnvironmentName) -> Result<Variant, Failure> {
    let app = required(declaration)?.app;
    app.variants.into_iter().find(|v| v.environment == *environment).ok_or_else(|| {
        Failure::new(FailureKind::NotFound, format!("no profile of [mobile] is built for {environment}"))
    })
}

/// Waits until a build is made, and writes its file into an empty one. Gives the build back as it ended.
pub async fn fetch_expo_build(
    declaration: &Declaration,
    tokens: &Tokens,
    environment: &EnvironmentName,
    which: &Which,
    to: &mut File,
    progress: &Progress,
) -> Result<Build, Failure> {
    let (client, _) = expo_client(declaration, tokens)?;
    let found = expo_build(declaration, tokens, environment, which).await?;
    let progress = progress.environment(environment);
    let wait = async {
        let build = finished(&client, found, &progress).await?;
        let said = build.version.clone().unwrap_or_else(|| build.id.clone());
        Ok((build, format!("{said} is built at Expo"), true))
    };
    let build = progress.step("expo", wait).await?;
    let url = build.file.clone().ok_or_else(|| {
        let failure = Failure::new(FailureKind::NotFound, format!("build {} has no file", build.id));
        match &build.expires {
            Some(at) => failure.because(format!("Expo keeps it until {at}")).hint("build it anew: ambit mobile build"),
            None => failure,
        }
    })?;
    let next = AtomicU64::new(TOLD);
    let told = |size: u64, of: Option<u64>| {
        if size >= next.load(Ordering::Relaxed) {
            next.store(size + TOLD, Ordering::Relaxed);
            let of = of.map(|of| format!(" of {}", of >> 20)).unwrap_or_default();
            progress.notice("fetch", format!("{}{of} MB", size >> 20));
        }
    };
    let fetch = async {
        let size = ambit_cloud::download(&url, to, MAX_SIZE, &told).await?;
        Ok(((), format!("{} MB", size >> 20), true))
    };
    progress.step("fetch", fetch).await?;
    Ok(build)
}

/// Waits until nothing comes of a build any more; one that did not become a file is a failure.
async fn finished(client: &Expo, found: Build, progress: &Progress) -> Result<Build, Failure> {
    let (began, mut pause, mut build) = (Instant::now(), PAUSES.0, found);
    let mut said = None;
    while !build.state.is_final() {
        if began.elapsed() > LONGEST {
            let failure = Failure::new(FailureKind::Machine, format!("build {} is {} still", build.id, build.state));
            return Err(failure.hint(format!("repeat the command later: ambit mobile fetch {}", build.id)));
        }
        let position = build.position.filter(|_| build.state == BuildState::Queued);
        if said != Some((build.state, position)) {
            let place = position.map(|n| format!(", number {n} in the queue")).unwrap_or_default();
            progress.notice("expo", format!("{}{place}", build.state));
            said = Some((build.state, position));
        }
        tokio::time::sleep(pause).await;
        pause = pause.mul_f64(1.5).min(PAUSES.1);
        build = client.build(&build.id).await?;
    }
    let failure = match build.state {
        BuildState::Canceled => Failure::new(FailureKind::User, format!("build {} was taken back at Expo", build.id)),
        BuildState::Failed => {
            let failure = Failure::new(FailureKind::App, format!("build {} failed at Expo", build.id));
            match &build.error {
                Some(error) => failure
                    .because(format!("{} ({})", error.message, error.code))
                    .hint_if(error.docs.as_ref().map(|docs| format!("what to do about it: {docs}"))),
                None => failure.hint("its log is at expo.dev"),
            }
        }
        _ => return Ok(build),
    };
    Err(failure)
}
