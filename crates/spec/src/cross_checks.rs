//! What can only be seen when everything has been read: references, duplicates, what does not go together.

use std::collections::{BTreeSet, HashMap};

use crate::{
    backup,
    costs::Placement,
    diagnostic::Diagnostic,
    mobile,
    model::{Environment, Form, Piece, Project, Reference, Value},
    monitoring, notifications,
    reader::{Reader, nearest, shown},
    syntax::{Entry, Item, Node},
    text,
    variables::within,
};

pub(crate) fn check(reader: &mut Reader, root: &Node, project: &Project) {
    urls(reader, root, project);
    ports(reader, root, project);
    for environment in project.environments.values() {
        place_of(reader, root, environment);
        references(reader, root, environment);
        cycles(reader, environment);
        exposed(reader, root, environment);
        notifications::check(reader, root, environment);
        mobile::check(reader, root, environment);
        backup::check(reader, root, environment);
        monitoring::check(reader, root, environment);
    }
}

/// One that lives at Railway has a project there.
fn place_of(reader: &mut Reader, root: &Node, environment: &Environment) {
    if environment.on != Some(Placement::Railway) || environment.declared_railway_project().is_some() {
        return;
    }
    let (name, said) = (&environment.name, root.get("environments"));
    let span = said.and_then(|all| all.get(name.as_str())?.get("on")).map_or(0..0, |node| node.span.clone());
    reader.tell(
        Diagnostic::error(span, format!("{name} is said to live at Railway and has no project there"))
            .help(format!("[providers.railway] project = {{ {name} = \"…\" }}")),
    );
}

fn services(root: &Node) -> &[Entry] {
    root.get("services").and_then(Node::table).unwrap_or_default()
}

/// Where a service says a value for an environment: its own, else the one for all.
fn place(root: &Node, service: &str, key: &str, environment: &str) -> std::ops::Range<usize> {
    let value = services(root).iter().find(|e| e.key == service).and_then(|e| e.node.get(key));
    let own = value.and_then(|v| v.get(environment));
    own.or(value).map_or(0..0, |n| n.span.clone())
}

fn urls(reader: &mut Reader, root: &Node, project: &Project) {
    let mut taken: HashMap<(String, String), String> = HashMap::new();
    for environment in project.environments.values() {
        for service in environment.services.values() {
            let mut own = BTreeSet::new();
            for url in &service.urls {
                for host in [&url.host, &url.local_host] {
                    if !own.insert((host.clone(), url.path.clone())) {
                        continue;
                    }
                    let who = format!("{} in {}", service.name, environment.name);
                    let earlier = taken.insert((host.clone(), url.path.clone()), who);
                    if let Some(earlier) = earlier {
                        let span = place(root, service.name.as_str(), "url", environment.name.as_str());
                        let where_ = format!("{host}{}", url.path.trim_end_matches('/'));
                        reader.tell(
                            Diagnostic::error(span, format!("{where_} is declared twice"))
                                .label(format!("{earlier} is reached there too"))
                                .help(
                                    "give each environment a `url` of its own: url = { dev = \"dev.@\", prod = \"@\" }",
                                ),
                        );
                        break;
                    }
                }
            }
        }
    }
}

fn ports(reader: &mut Reader, root: &Node, project: &Project) {
    let mut taken: HashMap<u16, String> = HashMap::new();
    for environment in project.environments.values() {
        let apps = environment.services.values().filter_map(|s| match &s.form {
            Form::App(app) => Some((s.name.as_str(), app.port?)),
            Form::Site(_) => None,
        });
        let servers = [
            environment.postgres.as_ref().and_then(|p| Some(("postgres", p.port?))),
            environment.redis.as_ref().and_then(|r| Some(("redis", r.port?))),
        ];
        for (service, port) in apps.chain(servers.into_iter().flatten()) {
            let who = format!("{service} in {}", environment.name);
            if let Some(earlier) = taken.insert(port, who) {
                reader.tell(
                    Diagnostic::error(
                        place(root, service, "port", environment.name.as_str()),
                        format!("port {port} is declared twice"),
                    )
                    .label(format!("{earlier} has it too")),
                );
            }
        }
    }
}

/// The node of the text that a variable has in an environment.
fn value_node<'n>(root: &'n Node, name: &str, environment: &str) -> Option<&'n Node> {
    let node = root.get("variables")?.get(name)?;
    let node = node.get("value").unwrap_or(node);
    match &node.item {
        Item::Table(_) => node.get(environment),
        _ => Some(node),
    }
}

fn references(reader: &mut Reader, root: &Node, environment: &Environment) {
    for name in environment.variables.keys() {
        let Some(node) = value_node(root, name, environment.name.as_str()) else { continue };
        let Some(value) = node.scalar() else { continue };
        let Ok(pieces) = text::pieces(&value) else { continue };
        for (piece, at) in pieces {
            let Piece::Reference(reference) = piece else { continue };
            if let Some(why) = missing(root, environment, &reference) {
                reader.tell(
                    Diagnostic::error(
                        within(node, &value, &at),
                        format!("`{name}` refers to what {} does not have", environment.name),
                    )
                    .label(why),
                );
            }
        }
    }
}

fn missing(root: &Node, environment: &Environment, reference: &Reference) -> Option<String> {
    match reference {
        Reference::Postgres(_) if environment.postgres.is_none() => {
            Some("there is no postgres: add [services.postgres]".into())
        }
        Reference::Redis(_) if environment.redis.is_none() => Some("there is no redis: add [services.redis]".into()),
        Reference::Service(name, _) => match environment.services.get(name) {
            Some(service) if service.urls.is_empty() => Some(format!("`{name}` has no url")),
            Some(_) => None,
            None => {
                let known: Vec<&str> = services(root).iter().map(|e| e.key.as_str()).collect();
                Some(match nearest(name.as_str(), &known).filter(|k| *k != name.as_str()) {
                    Some(near) => format!("there is no service `{name}`; did you mean `{near}`?"),
                    None => format!("there is no service `{name}`"),
                })
            }
        },
        Reference::Variable(name) if !environment.variables.contains_key(name) => {
            let known: Vec<&str> = environment.variables.keys().map(String::as_str).collect();
            Some(match nearest(name, &known) {
                Some(near) => format!("there is no variable `{}`; did you mean `{near}`?", shown(name)),
                None => format!("there is no variable `{}`", shown(name)),
            })
        }
        _ => None,
    }
}

fn uses<'e>(environment: &'e Environment, name: &str) -> Vec<&'e str> {
    let Some(Value::Text(pieces)) = environment.variables.get(name).map(|v| &v.value) else { return Vec::new() };
    pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Reference(Reference::Variable(other)) => Some(other.as_str()),
            _ => None,
        })
        .collect()
}

/// Depth first, without recursion: a chain may be as long as the file.
fn cycles(reader: &mut Reader, environment: &Environment) {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in environment.variables.keys() {
        let mut path: Vec<(&str, Vec<&str>)> = vec![(start, uses(environment, start))];
        while let Some((name, left)) = path.last_mut() {
            let name = *name;
            match left.pop() {
                None => {
                    done.insert(name);
                    path.pop();
                }
                Some(next) if done.contains(next) => {}
                Some(next) => {
                    if let Some(begin) = path.iter().position(|(n, _)| *n == next) {
                        let names: Vec<&str> = path.iter().skip(begin).map(|(n, _)| *n).collect();
                        let circle = format!("{} → {next}", names.join(" → "));
                        let span = environment.variables.get(next).map(|v| v.span.clone());
                        reader.tell(
                            Diagnostic::error(span.unwrap_or(0..0), format!("`{next}` refers to itself"))
                                .label(shown_long(&circle)),
                        );
                        // Told once; the others on the circle are the same mistake.
                        done.extend(names);
                    } else {
                        path.push((next, uses(environment, next)));
                    }
                }
            }
        }
    }
}

fn shown_long(text: &str) -> String {
    if text.chars().count() <= 200 {
        text.to_owned()
    } else {
        format!("{}…", text.chars().take(200).collect::<String>())
    }
}

/// What pages may read is public: no secret may reach them, not even inside another variable.
fn exposed(reader: &mut Reader, root: &Node, environment: &Environment) {
    for service in environment.services.values() {
        let Form::Site(site) = &service.form else { continue };
        let node = services(root).iter().find(|e| e.key == service.name.as_str()).and_then(|e| e.node.get("expose"));
        let span = node.map_or(0..0, |n| n.span.clone());
        for name in &site.expose {
            if crate::resolve::holds_secret(environment, name) {
                reader.tell(
                    Diagnostic::error(span.clone(), format!("`{}` holds a secret and cannot be exposed", shown(name)))
                        .label("everybody can read what pages can read"),
                );
            } else if !environment.variables.contains_key(name) && !declared_elsewhere(root, name) {
                let known: Vec<&str> = environment.variables.keys().map(String::as_str).collect();
                reader.unknown(&span, &format!("unknown variable `{}`", shown(name)), name, &known);
            }
        }
    }
}

/// A variable that another environment has is no mistake here.
fn declared_elsewhere(root: &Node, name: &str) -> bool {
    root.get("variables").is_some_and(|v| v.get(name).is_some())
}
