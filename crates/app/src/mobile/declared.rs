//! `[mobile]` with what it needs of the environments.

use std::path::{Path, PathBuf};

use ambit_domain::{
    Failure, FailureKind,
    mobile::{MobileApp, Variant},
    spec::{Environment, Form, Kind, Service},
};

use crate::{address::Address, declaration::Declaration};

/// The app and its folder.
pub(super) struct Declared {
    pub(super) app: MobileApp,
    /// Relative to `ambit.toml`.
    pub(super) source: PathBuf,
    /// Absolute.
    pub(super) folder: PathBuf,
}

/// `None` where there is no `[mobile]`.
pub(super) fn declared(declaration: &Declaration) -> Result<Option<Declared>, Failure> {
    let environments = declaration.project.environments.values();
    let built: Vec<_> = environments.filter_map(|e| Some((e, e.mobile.as_ref()?))).collect();
    let Some((_, first)) = built.first() else { return Ok(None) };
    let folder = declaration.folder.join(&first.source);
    if declaration.project.domain.is_none() {
        return Err(Failure::new(
            FailureKind::Declaration,
            "`[mobile]` needs a `domain`: a phone reaches no address of this machine",
        )
        .hint("add to ambit.toml: domain = \"example.org\""));
    }
    let variants = built
        .iter()
        .filter(|(_, mobile)| !mobile.profiles.is_empty())
        .map(|(environment, mobile)| {
            let api = api(environment)?;
            let url = api.urls.first().map(|url| Address::Public.url(url)).unwrap_or_default();
            Ok(Variant {
                environment: environment.name.clone(),
                kind: environment.kind,
                name: mobile.name.clone(),
                package: mobile.package.clone(),
                api_url: url,
                icon: icon(&folder, environment),
                profiles: mobile.profiles.clone(),
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    if variants.is_empty() {
        return Err(Failure::new(FailureKind::Declaration, "`[mobile]` names no profile that is built")
            .hint("add to [mobile]: profiles = { preview-test = \"test\", production = \"prod\" }"));
    }
    Ok(Some(Declared { app: MobileApp { variants }, source: first.source.clone(), folder }))
}

/// The app alone, where one is declared.
pub(crate) fn app_of(declaration: &Declaration) -> Result<Option<MobileApp>, Failure> {
    Ok(declared(declaration)?.map(|declared| declared.app))
}

/// The same, where it is asked for by name.
pub(super) fn required(declaration: &Declaration) -> Result<Declared, Failure> {
    declared(declaration)?.ok_or_else(|| {
        Failure::new(FailureKind::Declaration, format!("{} declares no mobile app", declaration.project.name))
            .hint("add [mobile] to ambit.toml: see docs/mobile.md")
    })
}

/// The app that the mobile app asks.
fn api(environment: &Environment) -> Result<&Service, Failure> {
    let named = environment.mobile.as_ref().and_then(|m| m.api.as_ref());
    let mut apps = environment
        .services
        .values()
        .filter(|s| matches!(s.form, Form::App(_)) && !s.urls.is_empty())
        .collect::<Vec<_>>();
    let wanted = named.map_or("backend", |name| name.as_str());
    if let Some(found) = apps.iter().find(|s| s.name.as_str() == wanted) {
        return Ok(found);
    }
    match (named, apps.pop()) {
        (None, Some(only)) if apps.is_empty() => Ok(only),
        _ => Err(Failure::new(
            FailureKind::Declaration,
            format!("it is not said which app of {} the mobile app asks", environment.name),
        )
        .hint("add to [mobile] the name of an app with a `url` there: api = \"backend\"")),
    }
}

/// The icon of an environment, where the team drew one.
fn icon(folder: &Path, environment: &Environment) -> Option<String> {
    let name = match environment.kind {
        Kind::Production => "icon.png".to_owned(),
        _ => format!("icon-{}.png", environment.name),
    };
    folder.join("assets").join(&name).is_file().then(|| format!("./assets/{name}"))
}
