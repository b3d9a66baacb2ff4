//! Builds of the mobile app as they are handed out, and what QA says of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    ids::{EnvironmentId, ReleaseId},
    release::QaVerdict,
    spec::{EnvironmentName, ServiceName},
};

/// The environment and the version code, which grows with each build: `test-42`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TestBuildId(pub String);

impl TestBuildId {
    /// The id of a version code in an environment.
    #[must_use]
    pub fn new(environment: &EnvironmentName, version_code: u64) -> Self {
        Self(format!("{environment}-{version_code}"))
    }
}

impl fmt::Display for TestBuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A build of the app that people can install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MobileBuild {
    /// Its id.
    pub id: TestBuildId,
    /// The environment that it was built against.
    pub environment: EnvironmentId,
    /// The site that hands it out.
    pub site: ServiceName,
    /// Name under the icon.
    pub name: String,
    /// Android package.
    pub package: String,
    /// What people call its version.
    pub version: String,
    /// What Android orders versions by.
    pub version_code: u64,
    /// The commit that it was built from, where that is known.
    pub commit: Option<String>,
    /// The release of that commit, where one was made.
    pub release: Option<ReleaseId>,
    /// When it was published, in milliseconds since the Unix epoch.
    pub published: i64,
    /// Who published it.
    pub actor: Actor,
    /// Bytes.
    pub size: u64,
    /// Digest of the file, in hex digits.
    pub sha256: String,
    /// Digest of the certificate that it is signed by, in hex digits, where the signature tells.
    pub certificate: Option<String>,
    /// Name of the file in the build's folder.
    pub file: String,
    /// What changed since the build before.
    pub changes: Vec<String>,
    /// What QA said last.
    pub verdict: Option<BuildVerdict>,
}

/// What a person of QA said of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildVerdict {
    /// Yes or no.
    pub yes: bool,
    /// Who.
    pub actor: Actor,
    /// In their words.
    pub note: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
}

/// What the downloads site shows: `builds/index.json`.
pub struct Index<'a> {
    /// The environment.
    pub environment: &'a EnvironmentId,
    /// Its builds, the newest first.
    pub builds: &'a [MobileBuild],
    /// Writes a moment down.
    pub moment: fn(i64) -> String,
}

impl Index<'_> {
    /// As JSON. Paths in it are relative to it.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "project": self.environment.project,
            "environment": self.environment.environment,
            "builds": self.builds.iter().map(|b| self.build(b)).collect::<Vec<_>>(),
        })
    }

    fn build(&self, build: &MobileBuild) -> Value {
        let verdict = build.verdict.as_ref().map(|verdict| {
            json!({
                "state": if verdict.yes { "approved" } else { "rejected" },
                "by": verdict.actor.who,
                "note": verdict.note,
                "at": (self.moment)(verdict.at),
            })
        });
        json!({
            "id": build.id,
            "name": build.name,
            "package": build.package,
            "version": build.version,
            "version_code": build.version_code,
            "commit": build.commit,
            "published_at": (self.moment)(build.published),
            "published_by": build.actor.who,
            "size": build.size,
            "sha256": build.sha256,
            "file": format!("{}/{}", build.id, build.file),
            "qr": format!("{}/qr.svg", build.id),
            "changes": build.changes,
            "verdict": verdict,
        })
    }
}

/// The builds that are kept no longer: beyond the newest `keep`, except what belongs to a release that production runs.
#[must_use]
pub fn expired<'a>(newest_first: &'a [MobileBuild], keep: usize, live: &[ReleaseId]) -> Vec<&'a MobileBuild> {
    let is_live = |b: &MobileBuild| b.release.as_ref().is_some_and(|release| live.contains(release));
    newest_first.iter().skip(keep).filter(|build| !is_live(build)).collect()
}

/// How QA stands to a release.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Nobody spoke.
    Silent,
    /// Somebody said yes or no to the release itself.
    Release(&'a QaVerdict),
    /// Somebody said yes or no to the newest build of it in an environment.
    Build(&'a MobileBuild, &'a BuildVerdict),
}

/// What counts, of the newest word on a release and of the builds made from it: a no to either blocks, a yes to either is
/// enough, and of several builds in an environment only the newest has a say.
#[must_use]
pub fn standing<'a>(release: Option<&'a QaVerdict>, builds: &'a [MobileBuild]) -> Standing<'a> {
    let newest = builds.iter().filter(|build| {
        let same = builds.iter().filter(|other| other.environment == build.environment);
        same.map(|other| other.version_code).max() == Some(build.version_code)
    });
    let spoken: Vec<_> = newest.filter_map(|build| Some((build, build.verdict.as_ref()?))).collect();
    if let Some(no) = release.filter(|verdict| !verdict.yes) {
        return Standing::Release(no);
    }
    if let Some((build, no)) = spoken.iter().find(|(_, verdict)| !verdict.yes) {
        return Standing::Build(build, no);
    }
    match (spoken.first(), release) {
        (Some((build, yes)), _) => Standing::Build(build, yes),
        (None, Some(yes)) => Standing::Release(yes),
        (None, None) => Standing::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(yes: bool) -> BuildVerdict {
        BuildVerdict { yes, actor: Actor::cli("ana", 1), note: "x".into(), at: 1 }
    }

    fn build(environment: &str, version_code: u64, verdict: Option<bool>) -> MobileBuild {
        let environment = EnvironmentId { project: "kaia".parse().unwrap(), environment: environment.parse().unwrap() };
        MobileBuild {
            id: TestBuildId::new(&environment.environment, version_code),
            site: "downloads".parse().unwrap(),
            name: "Kaia".into(),
            package: "ai.kaia".into(),
            version: "1.0".into(),
            version_code,
            commit: None,
            release: Some(ReleaseId(format!("r{version_code}"))),
            published: 0,
            actor: Actor::cli("ana", 1),
            size: 1,
            sha256: String::new(),
            certificate: None,
            file: "kaia.apk".into(),
            changes: Vec::new(),
            environment,
            verdict: verdict.map(said),
        }
    }

    fn of_release(yes: bool) -> QaVerdict {
        let environment = EnvironmentId { project: "kaia".parse().unwrap(), environment: "test".parse().unwrap() };
        let release = ReleaseId("r".into());
        QaVerdict { environment, release, actor: Actor::cli("ana", 1), yes, comment: "x".into(), at: 1 }
    }

    fn word(release: Option<bool>, builds: &[MobileBuild]) -> Option<bool> {
        match standing(release.map(of_release).as_ref(), builds) {
            Standing::Silent => None,
            Standing::Release(verdict) => Some(verdict.yes),
            Standing::Build(_, verdict) => Some(verdict.yes),
        }
    }

    #[test]
    fn a_no_to_release_or_newest_build_blocks_and_a_yes_to_either_is_enough() {
        let builds = |verdict| [build("test", 2, verdict), build("test", 1, Some(false))];
        for (release, newest, expected) in [
            (None, None, None),
            (Some(true), None, Some(true)),
            (None, Some(true), Some(true)),
            (Some(true), Some(false), Some(false)),
            (Some(false), Some(true), Some(false)),
            (Some(false), None, Some(false)),
        ] {
            assert_eq!(word(release, &builds(newest)), expected, "{release:?} {newest:?}");
        }
        let two = [build("test", 1, Some(true)), build("dev", 9, Some(false))];
        assert_eq!(word(None, &two), Some(false), "each environment's newest has a say");
    }

    #[test]
    fn the_newest_builds_are_kept_and_those_that_production_runs() {
        let all: Vec<_> = (1..=5).rev().map(|n| build("test", n, None)).collect();
        let gone = |keep, live: &[&str]| {
            let live: Vec<_> = live.iter().map(|r| ReleaseId((*r).to_owned())).collect();
            expired(&all, keep, &live).iter().map(|b| b.version_code).collect::<Vec<_>>()
        };
        assert_eq!(gone(3, &[]), [2, 1]);
        assert_eq!(gone(3, &["r1"]), [2]);
        assert_eq!(gone(9, &[]), Vec::<u64>::new());
    }

    #[test]
    fn the_index_is_what_the_downloads_site_reads() {
        let one = build("test", 7, Some(false));
        let index =
            Index { environment: &one.environment, builds: std::slice::from_ref(&one), moment: |at| at.to_string() };
        let json = index.json();
        assert_eq!(json["environment"], "test");
        assert_eq!(json["builds"][0]["id"], "test-7");
        assert_eq!(json["builds"][0]["file"], "test-7/kaia.apk");
        assert_eq!(json["builds"][0]["qr"], "test-7/qr.svg");
        assert_eq!(json["builds"][0]["verdict"]["state"], "rejected");
        assert_eq!(json["builds"][0]["commit"], Value::Null);
    }
}
