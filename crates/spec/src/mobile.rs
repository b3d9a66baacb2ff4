//! `[mobile]` of one environment: the app as built for it.

use crate::{
    format,
    model::{Environment, Form, Mobile},
    name::ServiceName,
    project::{key, path, section},
    reader::{Reader, shown},
    syntax::Node,
    variables::undeclared_secret,
};

const KEEP: usize = 10;

pub(crate) fn read(reader: &mut Reader, root: &Node, environment: &str) -> Option<Mobile> {
    let node = root.get("mobile")?;
    if !section(reader, node, format::MOBILE, "[mobile]") {
        return None;
    }
    let source = node.get("source").and_then(|n| path(reader, n, "source")).unwrap_or_else(|| "mobile".into());
    let mut profiles = Vec::new();
    for entry in node.get("profiles").and_then(Node::table).unwrap_or_default() {
        let Some(target) = reader.words(&entry.node, "profiles") else { continue };
        if !reader.environments.contains(&target) {
            let known = reader.environments.clone();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            reader.unknown(&entry.node.span, &format!("unknown environment `{}`", shown(&target)), &target, &known);
        } else if target == environment {
            profiles.push(entry.key.clone());
        }
    }
    let api = service(reader, node, "api");
    let downloads = service(reader, node, "downloads");
    let keep = node.get("keep").and_then(|n| reader.whole(n, "keep", 1..=1000)).and_then(|n| usize::try_from(n).ok());
    let token = node.get("token").and_then(|n| reader.words(n, "token"));
    let (at, _) = reader.pick(node, known("package"), environment)?;
    let package = reader.words(at, "package")?;
    if !is_package(&package) {
        reader.error(&at.span, format!("`{}` is not the name of a package, such as com.example.app", shown(&package)));
        return None;
    }
    let (at, _) = reader.pick(node, known("name"), environment)?;
    let name = reader.words(at, "name")?;
    Some(Mobile {
        source,
        package,
        name,
        profiles,
        api,
        downloads: downloads.or_else(|| "downloads".parse().ok())?,
        keep: keep.unwrap_or(KEEP),
        token,
    })
}

fn known(name: &str) -> &'static format::Key {
    key(format::MOBILE, name)
}

fn service(reader: &mut Reader, node: &Node, key: &str) -> Option<ServiceName> {
    let node = node.get(key)?;
    let text = reader.words(node, key)?;
    let name = text.parse().ok();
    if name.is_none() {
        reader.error(&node.span, format!("`{}` is not the name of a service", shown(&text)));
    }
    name
}

/// What both Android and iOS accept: <https://developer.android.com/build/configure-app-module> allows letters, digits and
/// underscores, of which iOS knows no underscore; that one is left to its own tools.
fn is_package(text: &str) -> bool {
    let segment = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic()) && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    text.len() <= 150 && text.contains('.') && text.split('.').all(segment)
}

/// Services and the secret that are named have to be there.
pub(crate) fn check(reader: &mut Reader, root: &Node, environment: &Environment) {
    let (Some(node), Some(mobile)) = (root.get("mobile"), &environment.mobile) else { return };
    for (key, name, is_app) in [("api", mobile.api.as_ref(), true), ("downloads", Some(&mobile.downloads), false)] {
        let (Some(at), Some(name)) = (node.get(key), name) else { continue };
        let fits = |form: &Form| matches!(form, Form::App(_)) == is_app;
        if !environment.services.get(name).is_some_and(|s| fits(&s.form) && !s.urls.is_empty()) {
            let what = if is_app { "app" } else { "site" };
            let message = format!("`{key}` names `{name}`, which is no {what} with a URL in {}", environment.name);
            reader.error(&at.span, message);
        }
    }
    if let (Some(at), Some(token)) = (node.get("token"), &mobile.token)
        && !mobile.profiles.is_empty()
        && !environment.has_secret(token)
    {
        reader.tell(undeclared_secret("token", token, at.span.clone(), environment));
    }
}
