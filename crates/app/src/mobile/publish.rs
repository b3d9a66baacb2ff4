//! `mobile publish`: a build that was made elsewhere is looked at, put on the downloads site and told to QA.
//!
//! The file is copied beside what is handed out, looked at there, and takes its place by a rename; then its row is written
//! with what is told of it, in one transaction; the list comes last. *Before the row* a crash leaves a folder that nobody is
//! led to and that the next start deletes; *after it* the build is published, and the next start writes the list.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use ambit_domain::{
    Actor, Deployment, EnvironmentId, EnvironmentRecord, Failure, FailureKind, ReleaseId,
    audit::Note,
    mobile::{MobileBuild, Standing, TestBuildId, standing},
    spec::{EnvironmentName, Kind, Mobile, Occasion},
};
use ambit_source::{
    apk::{self, Apk, ApkError, Scheme},
    git::Repository,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    builds::{MobileBuildView, cannot, make_folder},
    declared::{Declared, declared},
    routes::site,
};
use crate::{
    ambit::{Ambit, now, store_failure},
    approve::is_among,
    changelog,
    code::source_failure,
    declaration::Declaration,
    fault,
    progress::Progress,
};

/// A build to be published.
#[derive(Clone, Serialize, Deserialize)]
pub struct PublishBuild {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// The environment that it was built against.
    pub environment: EnvironmentName,
    /// The APK; absolute.
    pub file: PathBuf,
    /// What it was built from: a branch, a tag or a commit; what the environment runs where nothing is said.
    pub commit: Option<String>,
    /// What changed.
    pub changes: Changes,
    /// Who asks.
    pub actor: Actor,
}

/// Where it is said what changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Changes {
    /// In the commits since the build before.
    Commits,
    /// In the changelog, under the version.
    Changelog,
    /// Here, a line each.
    Text(String),
}

/// A build that is published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublishedBuild {
    /// The build and where it is found.
    #[serde(flatten)]
    pub view: MobileBuildView,
    /// Whether it is new; otherwise the same file was published before.
    pub new: bool,
    /// What testers will stumble over.
    pub warnings: Vec<String>,
}

/// How many lines of changes are kept, and how many characters of each.
const LINES: usize = 100;
const LONGEST_LINE: usize = 300;

/// A file that was copied to where it is going to be handed out from.
struct Staged {
    folder: tempfile::TempDir,
    apk: Apk,
    sha256: String,
    size: u64,
}

const STAGED: &str = "app.apk";

impl Ambit {
    /// Publishes a build.
    pub async fn publish_build(&self, request: &PublishBuild, progress: &Progress) -> Result<PublishedBuild, Failure> {
        let declaration = Declaration::open(&request.folder, "")?;
        let name = declaration.select(&[request.environment.to_string()])?.remove(0);
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let mobile = declaration.project.environments[&name].mobile.clone().ok_or_else(|| {
            Failure::new(FailureKind::Declaration, format!("{} declares no mobile app", id.project))
                .hint("add [mobile] to ambit.toml: see docs/mobile.md")
        })?;
        let others = declaration.project.environments.values().filter(|e| e.name != name);
        let others: Vec<_> =
            others.filter_map(|e| Some((e.name.clone(), e.mobile.as_ref()?.package.clone()))).collect();

        let _one = self.publishing.lock().await;
        let record = self.store.environment(&id).map_err(|e| store_failure(&e))?.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{name} was not brought up yet"))
                .hint(format!("ambit up {name}"))
        })?;
        if site(&record, mobile.downloads.as_str()).is_none() {
            return Err(no_site(&mobile, &name));
        }
        let progress = progress.environment(&name);
        let look = async {
            let folder = self.home.mobile_builds(&id);
            let file = request.file.clone();
            let staged = tokio::task::spawn_blocking(move || stage(&file, &folder)).await;
            let staged = staged.map_err(|e| Failure::from_error(FailureKind::Internal, &e))??;
            let manifest = &staged.apk.manifest;
            let said = format!("{} {} ({})", manifest.package, manifest.version_name, manifest.version_code);
            Ok((staged, said, true))
        };
        let staged = progress.step("look", look).await?;
        let known = self.store.mobile_builds(&id).map_err(|e| store_failure(&e))?;
        if let Some(same) = known.iter().find(|b| b.sha256 == staged.sha256) {
            // Somebody repeats a command that was cut off: what may be missing is done again.
            self.write_index(&id)?;
            self.publish_routes_if_served().await?;
            return Ok(PublishedBuild { view: self.view(same.clone())?, new: false, warnings: Vec::new() });
        }
        check_package(&staged.apk, &mobile, &name, &others)?;
        check_version(&staged.apk, &name, known.first())?;
        check_api(&declaration, &name, &staged)?;
        let warnings = check_signature(&staged.apk, &record, known.first())?;
        let live = self.live_deployment(&id)?;
        let repository = Repository::find(&request.folder).map_err(|e| source_failure(&e))?;
        let commit = commit(request, repository.as_ref(), live.as_ref())?;
        let release = self.release_of_commit(&id, live.as_ref(), commit.as_deref())?;
        if record.kind == Kind::Production {
            self.check_production(&staged.apk, request, live.as_ref(), commit.as_deref(), release.as_ref())?;
        }
        let changes = changes(
            request,
            repository.as_ref(),
            &staged.apk,
            commit.as_deref(),
            known.first().and_then(|b| b.commit.as_deref()),
        )?;
        let manifest = staged.apk.manifest.clone();
        let build = MobileBuild {
            id: TestBuildId::new(&name, manifest.version_code),
            site: mobile.downloads.clone(),
            name: mobile.name.clone(),
            package: manifest.package,
            file: file_name(&id, &manifest.version_name, manifest.version_code),
            version: manifest.version_name,
            version_code: manifest.version_code,
            commit,
            release,
            published: now(),
            actor: request.actor.clone(),
            size: staged.size,
            sha256: staged.sha256.clone(),
            certificate: staged.apk.signature.certificate.clone(),
            changes,
            verdict: None,
            environment: id.clone(),
        };
        let store = async {
            self.place(staged, &build)?;
            fault::point("before publish record");
            let told = self.told_of(&build, Occasion::BuildPublished)?;
            self.store.put_mobile_build(&build, Some(&told)).map_err(|e| store_failure(&e))?;
            self.announced.notify_one();
            self.note_quietly(note(&build, "mobile.published").about("by", build.actor.who.as_str()));
            fault::point("after publish record");
            self.write_index(&id)?;
            fault::point("after publish index");
            self.publish_routes_if_served().await?;
            Ok(((), format!("{} as {}", build.file, build.id), true))
        };
        progress.step("publish", store).await?;
        if let Err(failure) = self.prune_mobile_builds(&id, mobile.keep) {
            tracing::warn!(causes = ?failure.causes, "{id}: old mobile builds were not deleted: {failure}");
        }
        Ok(PublishedBuild { view: self.view(build)?, new: true, warnings })
    }

    /// The release that a commit stands for, where one was made of it.
    fn release_of_commit(
        &self,
        id: &EnvironmentId,
        live: Option<&Deployment>,
        commit: Option<&str>,
    ) -> Result<Option<ReleaseId>, Failure> {
        let Some(commit) = commit else { return Ok(None) };
        let is_it = |d: &&Deployment| d.commit.as_ref().is_some_and(|c| c.id == commit) && d.release.is_some();
        if let Some(live) = live.filter(is_it) {
            return Ok(live.release.clone());
        }
        let deployments = self.store.deployments(&id.project, None, 1000).map_err(|e| store_failure(&e))?;
        Ok(deployments.iter().find(is_it).and_then(|d| d.release.clone()))
    }

    /// What users install comes after what they talk to: the release has to run already, and who may let it in may hand
    /// its app out.
    fn check_production(
        &self,
        apk: &Apk,
        request: &PublishBuild,
        live: Option<&Deployment>,
        commit: Option<&str>,
        release: Option<&ReleaseId>,
    ) -> Result<(), Failure> {
        let name = &request.environment;
        let refuse = |why: String| Failure::new(FailureKind::User, why);
        if apk.manifest.debuggable {
            return Err(refuse(format!("the build is debuggable and is not handed out in {name}"))
                .hint("build it by a profile of production: ambit mobile build --profile production"));
        }
        let nothing = || {
            Failure::new(FailureKind::NotFound, format!("nothing was deployed to {name} yet"))
                .hint(format!("ambit deploy -e {name}"))
        };
        let live = live.ok_or_else(nothing)?;
        let approvers = self.approvers_of(live);
        if !approvers.is_empty() && !is_among(&approvers, &request.actor) {
            return Err(refuse(format!("{} may not publish builds in {name}", request.actor.who))
                .because(format!("approvers are {}", approvers.join(", ")))
                .hint("who you are is taken from AMBIT_USER, else from git's user.email in the project"));
        }
        let same = live.commit.as_ref().map(|c| c.id.as_str()) == commit
            || (release.is_some() && live.release.as_ref() == release);
        if !same {
            let commit = commit.unwrap_or("nothing that is known");
            return Err(refuse(format!("{name} runs {}, and the build is made from {commit:.7}", live.version))
                .hint(format!("deploy that first: ambit deploy -e {name} --ref {commit:.7}")));
        }
        let Some(release) = live.release.as_ref() else { return Ok(()) };
        let verdicts = self.store.qa_verdicts(&live.environment.project, release).map_err(|e| store_failure(&e))?;
        let builds = self.builds_of_release(live, release)?;
        let rejected = match standing(verdicts.first(), &builds) {
            Standing::Release(verdict) if !verdict.yes => Some((&verdict.actor.who, &verdict.comment)),
            Standing::Build(_, verdict) if !verdict.yes => Some((&verdict.actor.who, &verdict.note)),
            _ => None,
        };
        match rejected {
            Some((who, why)) => Err(refuse(format!("{} was rejected by QA", live.version))
                .because(format!("{who}: {why}"))
                .hint("mend it, and have it tried again")),
            None => Ok(()),
        }
    }

    /// The builds that were tried of a release: by its id, and by the commit where no release was known when they came.
    pub(crate) fn builds_of_release(
        &self,
        deployment: &Deployment,
        release: &ReleaseId,
    ) -> Result<Vec<MobileBuild>, Failure> {
        let project = &deployment.environment.project;
        let mut commits: Vec<String> = deployment.commit.iter().map(|c| c.id.clone()).collect();
        let known = self.store.release(project, release).map_err(|e| store_failure(&e))?;
        commits.extend(known.and_then(|r| r.commit).map(|c| c.id));
        let all = self.store.mobile_builds_of(project).map_err(|e| store_failure(&e))?;
        let is_of = |b: &MobileBuild| {
            b.release.as_ref() == Some(release) || b.commit.as_ref().is_some_and(|commit| commits.contains(commit))
        };
        Ok(all.into_iter().filter(is_of).collect())
    }

    /// Puts what was looked at in its place, with its QR code.
    fn place(&self, staged: Staged, build: &MobileBuild) -> Result<(), Failure> {
        let url = self.view(build.clone())?.url.unwrap_or_default();
        let from = staged.folder.path().to_path_buf();
        let parent = self.home.mobile_builds(&build.environment);
        let to = parent.join(&build.id.0);
        let place = || -> io::Result<()> {
            fs::rename(from.join(STAGED), from.join(&build.file))?;
            let mut qr = OpenOptions::new().write(true).create_new(true).mode(0o640).open(from.join("qr.svg"))?;
            qr.write_all(qr_code(&url)?.as_bytes())?;
            qr.sync_all()?;
            make_folder(&from)?;
            File::open(&from)?.sync_all()?;
            if to.exists() {
                // Of a publication that was cut off before its row: nobody was led there.
                fs::remove_dir_all(&to)?;
            }
            fs::rename(&from, &to)?;
            File::open(&parent)?.sync_all()
        };
        place().map_err(|e| cannot("lay out", &to, &e))?;
        let _moved = staged.folder.keep();
        Ok(())
    }
}

fn no_site(mobile: &Mobile, name: &EnvironmentName) -> Failure {
    let site = &mobile.downloads;
    Failure::new(FailureKind::NotFound, format!("{name} has no site `{site}` that hands builds out"))
        .hint(format!("add to ambit.toml [services.{site}] with `static` and `url`, or name another in [mobile]: downloads = \"…\""))
        .hint(format!("where it is declared already: ambit up {name}"))
}

pub(crate) fn note(build: &MobileBuild, what: &str) -> Note {
    let note = Note::new(&build.actor, &build.environment.project, what)
        .environment(&build.environment.environment)
        .about("build", build.id.0.as_str())
        .about("version", build.version.as_str())
        .about("sha256", build.sha256.as_str());
    match &build.commit {
        Some(commit) => note.about("commit", commit.as_str()),
        None => note,
    }
}

/// Copies the file beside what is handed out and looks at the copy, which nobody else can change.
fn stage(file: &Path, folder: &Path) -> Result<Staged, Failure> {
    let unreadable = |error: &io::Error| {
        let kind = if error.kind() == io::ErrorKind::NotFound { FailureKind::NotFound } else { FailureKind::User };
        Failure::new(kind, format!("cannot read {}", file.display()))
            .because(error.to_string())
            .hint("name the APK as it lies on this machine")
    };
    // Not blocking: what is named may be a pipe.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut from = OpenOptions::new().read(true).custom_flags(nonblocking).open(file).map_err(|e| unreadable(&e))?;
    let metadata = from.metadata().map_err(|e| unreadable(&e))?;
    if !metadata.is_file() {
        return Err(Failure::new(FailureKind::User, format!("{} is not a file", file.display()))
            .hint("name the APK as it lies on this machine"));
    }
    if metadata.len() > apk::MAX_SIZE {
        let error = ApkError::NotApk(format!("it is larger than {} MB", apk::MAX_SIZE >> 20));
        return Err(refused(file, &error));
    }
    let failed = |e: io::Error| cannot("copy the build into", folder, &e);
    make_folder(folder).map_err(failed)?;
    let place = tempfile::Builder::new().prefix(".new-").tempdir_in(folder).map_err(failed)?;
    let copy = place.path().join(STAGED);
    let mut to = OpenOptions::new().read(true).write(true).create_new(true).mode(0o640).open(&copy).map_err(failed)?;
    to.set_permissions(Permissions::from_mode(0o640)).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(&error)),
        };
        size += read as u64;
        if size > apk::MAX_SIZE {
            return Err(refused(file, &ApkError::NotApk("it grows while it is read".to_owned())));
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(failed)?;
    }
    to.sync_all().map_err(failed)?;
    let apk = apk::read(&to).map_err(|e| refused(file, &e))?;
    let sha256 = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok(Staged { folder: place, apk, sha256, size })
}

fn refused(file: &Path, error: &ApkError) -> Failure {
    let name = file.file_name().map_or_else(|| file.display().to_string(), |n| n.to_string_lossy().into_owned());
    Failure::new(FailureKind::User, format!("{} was not published", name.escape_debug()))
        .because(error.to_string())
        .hint_if(error.hint())
}

fn check_package(
    apk: &Apk,
    mobile: &Mobile,
    name: &EnvironmentName,
    others: &[(EnvironmentName, String)],
) -> Result<(), Failure> {
    let package = &apk.manifest.package;
    if *package == mobile.package {
        return Ok(());
    }
    let failure =
        Failure::new(FailureKind::User, format!("the build is {package}, and that of {name} is {}", mobile.package));
    let of: Vec<&str> = others.iter().filter(|(_, p)| p == package).map(|(name, _)| name.as_str()).collect();
    Err(match of.as_slice() {
        [] => failure.hint("is it a build of this app? [mobile] in ambit.toml says its packages"),
        of => failure.hint(format!("it was built for {}: ambit mobile publish … -e {}", of.join(" or "), of[0])),
    })
}

/// An app that asks another environment's API is the mistake that packages do not tell where two have the same one.
fn check_api(declaration: &Declaration, name: &EnvironmentName, staged: &Staged) -> Result<(), Failure> {
    let Some(Declared { app, .. }) = declared(declaration)? else { return Ok(()) };
    let Some(own) = app.variants.iter().find(|v| v.environment == *name) else { return Ok(()) };
    let others: Vec<_> = app.variants.iter().filter(|v| v.api_url != own.api_url).collect();
    let urls: Vec<&str> = [own].into_iter().chain(others.iter().copied()).map(|v| v.api_url.as_str()).collect();
    let apk = File::open(staged.folder.path().join(STAGED)).map_err(|e| cannot("read", staged.folder.path(), &e))?;
    let found = apk::mentions(&apk, &urls).map_err(|e| refused(Path::new(STAGED), &e))?;
    let (Some(false), Some(at)) = (found.first(), found.iter().skip(1).position(|found| *found)) else { return Ok(()) };
    let other = others[at];
    Err(Failure::new(FailureKind::User, format!("the build asks {}, the API of {}", other.api_url, other.environment))
        .because(format!("that of {name} is {}, which is not in it", own.api_url))
        .hint(match own.profiles.first() {
            Some(profile) => format!("build it by its own profile: ambit mobile build --profile {profile}"),
            None => "build it by a profile of its own".to_owned(),
        }))
}

fn check_version(apk: &Apk, name: &EnvironmentName, newest: Option<&MobileBuild>) -> Result<(), Failure> {
    let code = apk.manifest.version_code;
    let Some(newest) = newest.filter(|newest| newest.version_code >= code) else { return Ok(()) };
    let what = if newest.version_code == code {
        format!("version code {code} is published in {name} already, as {}, with other contents", newest.id)
    } else {
        format!(
            "the build has version code {code}, older than {} ({}), which {name} has",
            newest.version_code, newest.id
        )
    };
    Err(Failure::new(FailureKind::User, what)
        .because("Android installs an app only over one with a smaller version code")
        .hint("build it anew with a larger one; `autoIncrement` does so (ambit mobile sync)"))
}

/// An app is installed over another only if the same key signed both: people who have the earlier one lose its data.
fn check_signature(
    apk: &Apk,
    record: &EnvironmentRecord,
    newest: Option<&MobileBuild>,
) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    if apk.signature.scheme == Scheme::V1 {
        warnings.push(
            "it is signed by the oldest scheme (v1) alone, which was not checked; Android 11 and later refuse it where the app is made for them"
                .to_owned(),
        );
    }
    let before = newest.and_then(|b| Some((b, b.certificate.as_ref()?)));
    if let (Some((newest, before)), Some(certificate)) = (before, &apk.signature.certificate)
        && before != certificate
    {
        let what = format!("it is signed by another key than {}", newest.id);
        if record.kind == Kind::Production {
            return Err(Failure::new(FailureKind::User, what)
                .because("phones that have the app would refuse it")
                .hint("sign it by the same key: eas credentials"));
        }
        warnings.push(format!("{what}: who has that one installed has to remove it first"));
    }
    Ok(warnings)
}

/// The commit that the build was made from.
fn commit(
    request: &PublishBuild,
    repository: Option<&Repository>,
    live: Option<&Deployment>,
) -> Result<Option<String>, Failure> {
    let Some(word) = &request.commit else {
        return Ok(live.and_then(|d| d.commit.as_ref()).map(|c| c.id.clone()));
    };
    let unknown = || {
        Failure::new(FailureKind::NotFound, format!("there is no branch, tag or commit `{}`", word.escape_debug()))
            .hint("git log --oneline shows what there is")
    };
    let repository = repository.ok_or_else(unknown)?;
    let found = repository.resolve(word).map_err(|e| source_failure(&e))?;
    found.map(|(head, _)| Some(head.id)).ok_or_else(unknown)
}

fn changes(
    request: &PublishBuild,
    repository: Option<&Repository>,
    apk: &Apk,
    commit: Option<&str>,
    before: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let lines: Vec<String> = match &request.changes {
        Changes::Text(text) => text.lines().map(str::to_owned).collect(),
        Changes::Changelog => from_changelog(request, repository, &apk.manifest.version_name, commit)?,
        // What cannot be told, since the commits are not here, is no reason to hand nothing out.
        Changes::Commits => repository.zip(commit).map(|(r, c)| subjects(r, before, c)).unwrap_or_default(),
    };
    let tidy = |line: &String| -> String {
        let line = line.trim().trim_start_matches(['-', '*']).trim_start();
        line.chars().filter(|c| !c.is_control()).take(LONGEST_LINE).collect()
    };
    Ok(lines.iter().map(tidy).filter(|l| !l.is_empty() && !l.starts_with('#')).take(LINES).collect())
}

fn subjects(repository: &Repository, before: Option<&str>, commit: &str) -> Vec<String> {
    let since = before.and_then(|before| repository.changes(Some(before), commit).ok());
    match since {
        Some(changes) => changes.into_iter().map(|c| c.subject).collect(),
        None => repository.commit(commit).map(|head| vec![head.subject]).unwrap_or_default(),
    }
}

fn from_changelog(
    request: &PublishBuild,
    repository: Option<&Repository>,
    version: &str,
    commit: Option<&str>,
) -> Result<Vec<String>, Failure> {
    for name in changelog::FILES {
        let committed = match (repository, commit) {
            (Some(repository), Some(commit)) => {
                repository.file(commit, Path::new(name)).map_err(|e| source_failure(&e))?
            }
            _ => None,
        };
        let Some(bytes) = committed.or_else(|| fs::read(request.folder.join(name)).ok()) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        if let Some(lines) = changelog::entry(&text, version) {
            return Ok(lines.into_iter().map(str::to_owned).collect());
        }
    }
    Err(Failure::new(FailureKind::User, format!("the changelog has no entry for {version}"))
        .hint(format!("add a heading with {version} to CHANGELOG.md, or say what changed: --changes \"…\"")))
}

/// `kaia-test-1.2.0-42.apk`
fn file_name(id: &EnvironmentId, version: &str, code: u64) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let version: String = version.chars().map(plain).take(60).collect();
    format!("{}-{}-{version}-{code}.apk", id.project, id.environment)
}

fn qr_code(url: &str) -> io::Result<String> {
    let code = qrcode::QrCode::new(url).map_err(io::Error::other)?;
    Ok(code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(240, 240).build())
}
