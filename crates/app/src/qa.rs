//! QA's word: on the release that an environment runs, on another release, or on a build of the mobile app. A no says why and
//! is told to the team.

use ambit_domain::{
    Actor, Announcement, EnvironmentId, Failure, FailureKind, Release,
    audit::Note,
    mobile::{BuildVerdict, MobileBuild, TestBuildId},
    release::QaVerdict,
    spec::{EnvironmentName, Kind, Occasion, ProjectName},
};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, nearest, now, store_failure},
    approve::require_reason,
    mobile,
};

/// What QA says.
#[derive(Clone, Serialize, Deserialize)]
pub struct QaSay {
    /// The project.
    pub project: ProjectName,
    /// The environment in which it was tried. A build says it by itself.
    pub environment: Option<EnvironmentName>,
    /// What it is about: the id of a build or of a release; the release that the environment runs where nothing is said.
    pub about: Option<String>,
    /// Yes or no.
    pub yes: bool,
    /// In their words. A no needs some.
    pub comment: String,
    /// Who.
    pub actor: Actor,
}

/// What was said, as it is remembered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum QaSaid {
    /// Of a release.
    Release(QaVerdict),
    /// Of a build.
    Build(Box<MobileBuild>),
}

impl Ambit {
    /// Notes what QA says.
    pub async fn qa(&self, request: &QaSay) -> Result<QaSaid, Failure> {
        if !request.yes {
            require_reason(&request.comment)?;
        }
        // What is said twice at once is said one after the other.
        let _one = self.publishing.lock().await;
        let Some(about) = &request.about else {
            return self.of_what_runs(request).map(QaSaid::Release);
        };
        let build = TestBuildId(about.clone());
        if let Some(build) = self.store.mobile_build(&request.project, &build).map_err(|e| store_failure(&e))? {
            return self.of_build(request, build).map(|build| QaSaid::Build(Box::new(build)));
        }
        let releases = self.releases(&request.project)?;
        let mut named = releases.iter().filter(|(r, _)| about.len() >= 4 && r.id.0.starts_with(about.as_str()));
        match (named.next(), named.next()) {
            (Some((release, _)), None) => self.of_release(request, release).map(QaSaid::Release),
            (Some(_), Some(_)) => Err(Failure::new(
                FailureKind::User,
                format!("more than one release begins with `{}`", about.escape_debug()),
            )
            .hint("ambit releases shows them")),
            (None, _) => self.unknown(request, about),
        }
    }

    fn unknown(&self, request: &QaSay, about: &str) -> Result<QaSaid, Failure> {
        let builds = self.store.mobile_builds_of(&request.project).map_err(|e| store_failure(&e))?;
        let near = nearest(about, builds.iter().map(|b| b.id.0.as_str()));
        Err(Failure::new(FailureKind::NotFound, format!("there is no build and no release `{}`", about.escape_debug()))
            .hint_if(near.map(|near| format!("did you mean `{near}`?")))
            .hint("ambit mobile builds and ambit releases show what there is"))
    }

    fn of_what_runs(&self, request: &QaSay) -> Result<QaVerdict, Failure> {
        let environment = request.environment.clone().ok_or_else(|| {
            Failure::new(FailureKind::User, "it is not said what was tried")
                .hint("name a build or a release, or the environment that runs it: -e test")
        })?;
        let nothing = || Failure::new(FailureKind::NotFound, format!("nothing was deployed to {environment} yet"));
        let id = EnvironmentId { project: request.project.clone(), environment: environment.clone() };
        let live = self.live_deployment(&id)?.ok_or_else(nothing)?;
        let release = live.release.clone().ok_or_else(nothing)?;
        self.say(request, id, &release, &live.version, Some(live.number.0))
    }

    /// Tried where it was said, else in the staging environment that ran it last.
    fn of_release(&self, request: &QaSay, release: &Release) -> Result<QaVerdict, Failure> {
        let deployments = self.store.deployments(&request.project, None, 1000).map_err(|e| store_failure(&e))?;
        let of_it = || deployments.iter().filter(|d| d.release.as_ref() == Some(&release.id) && d.has_served());
        let staging = |id: &EnvironmentId| {
            let record = self.store.environment(id).ok().flatten();
            record.is_some_and(|record| record.kind == Kind::Staging)
        };
        let ran = match &request.environment {
            Some(name) => of_it().find(|d| d.environment.environment == *name),
            None => of_it().find(|d| staging(&d.environment)),
        };
        let ran = ran.ok_or_else(|| {
            let place = request.environment.as_ref().map_or("a staging environment", |name| name.as_str());
            Failure::new(FailureKind::NotFound, format!("the release {} never ran in {place}", release.id.short()))
                .hint("ambit releases shows where each runs")
        })?;
        self.say(request, ran.environment.clone(), &release.id, &ran.version, Some(ran.number.0))
    }

    fn say(
        &self,
        request: &QaSay,
        id: EnvironmentId,
        release: &ambit_domain::ReleaseId,
        version: &str,
        deployment: Option<u64>,
    ) -> Result<QaVerdict, Failure> {
        let verdict = QaVerdict {
            environment: id.clone(),
            release: release.clone(),
            actor: request.actor.clone(),
            yes: request.yes,
            comment: request.comment.clone(),
            at: now(),
        };
        self.store.add_qa_verdict(&verdict).map_err(|e| store_failure(&e))?;
        let note = Note::new(&request.actor, &id.project, what(request.yes)).environment(&id.environment);
        let note = match deployment {
            Some(number) => note.about("deployment", number),
            None => note,
        };
        self.note_quietly(
            note.about("version", version)
                .about("release", release.0.as_str())
                .about("comment", request.comment.as_str()),
        );
        if !request.yes {
            self.announce(
                &id,
                Announcement {
                    author: Some(request.actor.who.clone()),
                    reason: Some(request.comment.clone()),
                    ..Announcement::new(Occasion::QaRejected, None, version)
                },
            );
        }
        Ok(verdict)
    }

    fn of_build(&self, request: &QaSay, build: MobileBuild) -> Result<MobileBuild, Failure> {
        if let Some(name) = request.environment.as_ref().filter(|name| **name != build.environment.environment) {
            return Err(Failure::new(
                FailureKind::User,
                format!("{} is a build of {} and not of {name}", build.id, build.environment.environment),
            ));
        }
        let verdict =
            BuildVerdict { yes: request.yes, actor: request.actor.clone(), note: request.comment.clone(), at: now() };
        let build = MobileBuild { verdict: Some(verdict), ..build };
        let told = if request.yes { None } else { Some(self.told_of(&build, Occasion::QaRejected)?) };
        self.store.put_mobile_build(&build, told.as_ref()).map_err(|e| store_failure(&e))?;
        self.announced.notify_one();
        let note = mobile::note(&build, what(request.yes)).about("comment", request.comment.as_str());
        self.note_quietly(Note { actor: request.actor.clone(), ..note });
        self.write_index(&build.environment)?;
        Ok(build)
    }
}

fn what(yes: bool) -> &'static str {
    if yes { "qa.approved" } else { "qa.rejected" }
}
