//! From the tree to the project.

use std::{
    path::{Component, PathBuf},
    time::Duration,
};

use indexmap::IndexMap;

use crate::{
    backup,
    costs::{self, Placement},
    cross_checks,
    diagnostic::{Diagnostic, Severity},
    format::{self, Key},
    mobile,
    model::{
        App, BuildLimits, Code, DataSource, Environment, Form, Health, Kind, Persistence, Postgres, Project, Redis,
        Role, Service, Site, seed_file,
    },
    monitoring,
    name::{EnvironmentName, ProjectName, ServiceName},
    notifications, policy, providers,
    reader::{Reader, shown},
    syntax::{self, Entry, Item, Node},
    tls, urls,
    variables::{self, wanted},
};

/// What a text declares, or what is wrong with it.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The project; `Some` exactly where no diagnostic is an error.
    pub project: Option<Project>,
    /// Everything that was found, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the text of an `ambit.toml` and checks all of it: a mistake never hides another one.
#[must_use]
pub fn parse(text: &str) -> Parsed {
    let (root, mut found) = syntax::read(text);
    let mut reader = Reader { environments: Vec::new(), found: Vec::new() };
    let project = project(&mut reader, &root);
    if let Some(project) = &project {
        cross_checks::check(&mut reader, &root, project);
    }
    found.append(&mut reader.found);
    found.sort_by_key(|d| d.span.as_ref().map_or(usize::MAX, |s| s.start));
    // An environment's reading and the checks of the whole may come upon the same mistake.
    found.dedup();
    let failed = found.iter().any(|d| d.severity == Severity::Error);
    Parsed { project: project.filter(|_| !failed), diagnostics: found }
}

fn project(reader: &mut Reader, root: &Node) -> Option<Project> {
    let entries = root.table()?;
    let roots: Vec<&str> =
        format::TOP.iter().map(|k| k.name).chain(format::ROOTS.iter().map(|(name, _)| *name)).collect();
    for entry in entries.iter().filter(|e| !roots.contains(&e.key.as_str())) {
        reader.unknown(&entry.key_span, &format!("unknown key `{}`", shown(&entry.key)), &entry.key, &roots);
    }
    let name = match root.get("project") {
        Some(node) => reader.words(node, "project").and_then(|text| match text.parse::<ProjectName>() {
            Ok(name) => Some(name),
            Err(error) => {
                reader.error(&node.span, error.to_string());
                None
            }
        }),
        None => {
            reader.tell(
                Diagnostic::nowhere("the project has no name").help("begin the file with: project = \"my-project\""),
            );
            None
        }
    };
    let domain = root.get("domain").and_then(|node| {
        let text = reader.words(node, "domain")?.to_ascii_lowercase();
        if let Err(error) = urls::check_host(&text) {
            reader.error(&node.span, error);
            return None;
        }
        Some(text)
    });
    let names = environment_names(reader, root);
    reader.environments = names.iter().map(|(name, _)| name.to_string()).collect();
    // Where the name is wrong, the rest is read under another, so that its mistakes are told too.
    let read_as = name.clone().or_else(|| "project".parse().ok())?;
    let mut environments = IndexMap::new();
    for (environment, node) in names {
        let read = read_environment(reader, root, node, &environment, &read_as, domain.as_deref());
        if let Some(read) = read {
            environments.insert(environment, read);
        }
    }
    only_tables(reader, root);
    let acme = tls::read(reader, root);
    let names: Vec<EnvironmentName> = environments.keys().cloned().collect();
    let providers = providers::read(reader, root, &names);
    for environment in environments.values_mut() {
        environment.provider_tokens = providers.secrets();
    }
    let costs = costs::read(reader, root);
    Some(Project { name: name.unwrap_or(read_as), domain, environments, acme, providers, costs })
}

fn only_tables(reader: &mut Reader, root: &Node) {
    for (section, _) in format::ROOTS {
        if let Some(node) = root.get(section)
            && node.table().is_none()
        {
            reader.error(&node.span, format!("`{section}` takes a table, not {}", node.kind()));
        }
    }
}

/// Whether a node is a table with known keys only.
pub(crate) fn section(reader: &mut Reader, node: &Node, keys: &[Key], name: &str) -> bool {
    match node.table() {
        Some(entries) => {
            reader.known_keys(entries, keys, name);
            true
        }
        None => {
            reader.error(&node.span, format!("{name} takes a table, not {}", node.kind()));
            false
        }
    }
}

fn environment_names<'n>(reader: &mut Reader, root: &'n Node) -> Vec<(EnvironmentName, &'n Node)> {
    let declared = root.get("environments").and_then(Node::table).unwrap_or_default();
    if declared.is_empty() {
        reader.tell(Diagnostic::nowhere("the project declares no environment").help("add: [environments.dev]"));
    }
    declared
        .iter()
        .filter_map(|entry| {
            let keys = format::VARIABLE.iter().chain(format::SECRET).chain(format::COSTS);
            let taken = keys.into_iter().any(|k| k.name == entry.key);
            // Those are Ambit's own: the servers that tests run against.
            let taken = taken || entry.key.starts_with("ambit-");
            match entry.key.parse() {
                Ok(_) if taken => {
                    reader.error(&entry.key_span, format!("an environment cannot be called `{}`", entry.key));
                    None
                }
                Ok(name) => Some((name, &entry.node)),
                Err(error) => {
                    let error: crate::name::InvalidName = error;
                    reader.error(&entry.key_span, error.to_string());
                    None
                }
            }
        })
        .collect()
}

pub(crate) fn key(keys: &'static [Key], name: &str) -> &'static Key {
    keys.iter().find(|k| k.name == name).expect("the name stands in the format")
}

fn read_environment(
    reader: &mut Reader,
    root: &Node,
    node: &Node,
    name: &EnvironmentName,
    project: &ProjectName,
    domain: Option<&str>,
) -> Option<Environment> {
    let title = format!("[environments.{name}]");
    if !section(reader, node, format::ENVIRONMENT, &title) {
        return None;
    }
    let kind = read_kind(reader, node, name)?;
    let code = read_code(reader, node);
    let own = |key: &str| node.get(key);
    let auto_deploy = match own("deploy").and_then(|n| reader.one_of(n, "deploy", &["auto", "manual"])) {
        Some(deploy) => deploy == "auto",
        None => kind != Kind::Production,
    };
    let seed = own("seed").and_then(|n| reader.bool(n, "seed")).unwrap_or(false);
    if seed
        && kind == Kind::Production
        && let Some(node) = own("seed")
    {
        reader.error(&node.span, "production is never seeded");
    }
    let clean = own("clean").and_then(|n| reader.duration(n, "clean"));
    if clean.is_some()
        && kind == Kind::Production
        && let Some(node) = own("clean")
    {
        reader.error(&node.span, "production is never reset");
    }
    let data = own("data").and_then(|n| read_data(reader, n, name, kind));
    let backup = own("backup").and_then(|n| backup::read(reader, n));
    let recipients = reader
        .pick(root, key(format::TOP, "recipients"), name.as_str())
        .and_then(|(n, _)| reader.texts(n, "recipients"))
        .unwrap_or_default();
    let mut environment = Environment {
        name: name.clone(),
        kind,
        code,
        auto_deploy,
        policy: policy::read(reader, node, kind),
        seed,
        clean,
        data,
        backup,
        recipients,
        services: IndexMap::new(),
        postgres: None,
        redis: None,
        variables: variables::read(reader, root, name.as_str()),
        monitoring: monitoring::read(reader, root, name.as_str()),
        notifications: notifications::read(reader, root, name.as_str()),
        mobile: mobile::read(reader, root, name.as_str()),
        provider_tokens: Vec::new(),
        on: read_place(reader, node),
        railway: providers::railway(reader, root, name.as_str()),
    };
    read_services(reader, root, &mut environment, project, domain);
    Some(environment)
}

fn read_place(reader: &mut Reader, node: &Node) -> Option<Placement> {
    let names = Placement::ALL.map(Placement::name);
    let name = node.get("on").and_then(|n| reader.one_of(n, "on", &names))?;
    Placement::ALL.into_iter().find(|place| place.name() == name)
}

fn read_kind(reader: &mut Reader, node: &Node, name: &EnvironmentName) -> Option<Kind> {
    let kinds = ["development", "staging", "production"];
    if let Some(node) = node.get("kind") {
        return reader.one_of(node, "kind", &kinds).map(|kind| match kind {
            "production" => Kind::Production,
            "staging" => Kind::Staging,
            _ => Kind::Development,
        });
    }
    match name.as_str() {
        "dev" | "development" => Some(Kind::Development),
        "test" | "staging" => Some(Kind::Staging),
        "prod" | "production" => Some(Kind::Production),
        _ => {
            reader.tell(
                Diagnostic::error(node.span.clone(), format!("the environment `{name}` has no kind"))
                    .help("add: kind = \"development\", \"staging\" or \"production\""),
            );
            None
        }
    }
}

fn read_code(reader: &mut Reader, node: &Node) -> Code {
    let branch = node.get("branch").and_then(|n| {
        let text = reader.words(n, "branch")?;
        if !is_ref(&text) {
            reader.error(&n.span, format!("`{}` is not a branch's name", shown(&text)));
            return None;
        }
        Some(text)
    });
    let tag = node.get("tag").and_then(|n| reader.words(n, "tag"));
    match (tag, branch) {
        (Some(pattern), branch) => Code::Tag { pattern, branch: branch.unwrap_or_else(|| "main".into()) },
        (None, Some(branch)) => Code::Branch(branch),
        (None, None) => Code::WorkingTree,
    }
}

/// git-check-ref-format(1), as far as it matters for what is handed to git.
fn is_ref(text: &str) -> bool {
    !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !text.ends_with(".lock")
        && !text.contains("..")
        && !text.contains("@{")
        && !text.contains("//")
        && !text.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
}

fn read_data(reader: &mut Reader, node: &Node, name: &EnvironmentName, kind: Kind) -> Option<DataSource> {
    let crate::format::Takes::Table(keys) = key(format::ENVIRONMENT, "data").takes else { return None };
    if !section(reader, node, keys, "`data`") {
        return None;
    }
    if kind == Kind::Production {
        reader.error(&node.span, "nothing is ever copied into production");
        return None;
    }
    let Some(from) = node.get("from") else {
        reader.error(&node.span, "`data` does not say `from` where");
        return None;
    };
    let text = reader.words(from, "from")?;
    let known = reader.environments.clone();
    if !known.contains(&text) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        reader.unknown(&from.span, &format!("unknown environment `{}`", shown(&text)), &text, &known);
        return None;
    }
    if text == name.as_str() {
        reader.error(&from.span, "an environment is not copied into itself");
        return None;
    }
    let masked = node.get("masked").and_then(|n| reader.bool(n, "masked")).unwrap_or(true);
    Some(DataSource { from: text.parse().ok()?, masked })
}

/// A path below the project's folder.
pub(crate) fn path(reader: &mut Reader, node: &Node, name: &str) -> Option<PathBuf> {
    let text = reader.words(node, name)?;
    let path = PathBuf::from(&text);
    let inside = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !inside {
        reader.tell(
            Diagnostic::error(node.span.clone(), format!("`{name}` leaves the project: `{}`", shown(&text)))
                .help("write it relative to ambit.toml, without `..`"),
        );
        return None;
    }
    Some(path.components().filter(|c| matches!(c, Component::Normal(_))).collect())
}

fn read_services(
    reader: &mut Reader,
    root: &Node,
    environment: &mut Environment,
    project: &ProjectName,
    domain: Option<&str>,
) {
    let name = environment.name.clone();
    for entry in root.get("services").and_then(Node::table).unwrap_or_default() {
        let title = format!("[services.{}]", shown(&entry.key));
        match entry.key.as_str() {
            "postgres" => {
                if section(reader, &entry.node, format::POSTGRES, &title) && wanted(reader, &entry.node, name.as_str())
                {
                    environment.postgres = Some(read_postgres(reader, &entry.node, &name, project));
                }
            }
            "redis" => {
                if section(reader, &entry.node, format::REDIS, &title) && wanted(reader, &entry.node, name.as_str()) {
                    environment.redis = Some(read_redis(reader, &entry.node, &name, environment.kind));
                }
            }
            "environment" | "services" => {
                reader.error(&entry.key_span, format!("a service cannot be called `{}`", entry.key));
            }
            _ => {
                if let Some(service) = read_service(reader, entry, &title, &name, project, domain) {
                    environment.services.insert(service.name.clone(), service);
                }
            }
        }
    }
}

fn port(reader: &mut Reader, node: &Node, keys: &'static [Key], environment: &EnvironmentName) -> Option<u16> {
    let (node, _) = reader.pick(node, key(keys, "port"), environment.as_str())?;
    reader.whole(node, "port", 1..=65_535).and_then(|n| u16::try_from(n).ok())
}

fn memory(reader: &mut Reader, node: &Node, keys: &'static [Key], environment: &EnvironmentName) -> Option<u64> {
    let (node, _) = reader.pick(node, key(keys, "memory"), environment.as_str())?;
    reader.size(node, "memory")
}

fn read_postgres(reader: &mut Reader, node: &Node, name: &EnvironmentName, project: &ProjectName) -> Postgres {
    let version = reader
        .pick(node, key(format::POSTGRES, "version"), name.as_str())
        .and_then(|(n, _)| reader.whole(n, "version", 14..=18))
        .and_then(|n| u32::try_from(n).ok());
    let database = reader
        .pick(node, key(format::POSTGRES, "database"), name.as_str())
        .and_then(|(n, _)| {
            let text = reader.words(n, "database")?;
            // NAMEDATALEN (PostgreSQL manual, 4.1.1).
            if text.len() > 63
                || text.chars().any(char::is_control)
                || text == "postgres"
                || text.starts_with("template")
            {
                reader.error(&n.span, format!("`{}` cannot be the database's name", shown(&text)));
                return None;
            }
            Some(text)
        })
        .unwrap_or_else(|| format!("{project}-{name}"));
    let mut settings = IndexMap::new();
    for entry in node.get("settings").and_then(Node::table).unwrap_or_default() {
        let managed =
            ["port", "listen_addresses", "data_directory", "config_file", "hba_file", "unix_socket_directories"];
        if managed.contains(&entry.key.as_str()) {
            reader.error(&entry.key_span, format!("`{}` is set by ambit", entry.key));
        } else if !entry.key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            reader.error(&entry.key_span, format!("`{}` is not a setting's name", shown(&entry.key)));
        } else if let Some(value) = entry.node.scalar() {
            settings.insert(entry.key.clone(), value);
        } else {
            reader.error(&entry.node.span, format!("`{}` takes a text or a number", entry.key));
        }
    }
    Postgres {
        version,
        database,
        port: port(reader, node, format::POSTGRES, name),
        memory: memory(reader, node, format::POSTGRES, name),
        settings,
    }
}

fn read_redis(reader: &mut Reader, node: &Node, name: &EnvironmentName, kind: Kind) -> Redis {
    let persist = reader
        .pick(node, key(format::REDIS, "persist"), name.as_str())
        .and_then(|(n, _)| reader.one_of(n, "persist", &["none", "snapshot", "append-only"]));
    let persist = match (persist, kind) {
        (Some("none"), _) | (None, Kind::Development) => Persistence::None,
        (Some("append-only"), _) | (None, Kind::Production) => Persistence::AppendOnly,
        _ => Persistence::Snapshot,
    };
    Redis { persist, port: port(reader, node, format::REDIS, name), memory: memory(reader, node, format::REDIS, name) }
}

fn read_service(
    reader: &mut Reader,
    entry: &Entry,
    title: &str,
    environment: &EnvironmentName,
    project: &ProjectName,
    domain: Option<&str>,
) -> Option<Service> {
    let name: ServiceName = match entry.key.parse() {
        Ok(name) => name,
        Err(error) => {
            let error: crate::name::InvalidName = error;
            reader.error(&entry.key_span, error.to_string());
            return None;
        }
    };
    let node = &entry.node;
    let is_site = node.get("static").is_some();
    let keys = if is_site { format::SITE } else { format::APP };
    if !section(reader, node, keys, title) || !wanted(reader, node, environment.as_str()) {
        return None;
    }
    let declared = reader.pick(node, key(keys, "url"), environment.as_str());
    let mut urls = Vec::new();
    if let Some((value, _)) = declared {
        let list: Vec<&Node> = match &value.item {
            Item::List(list) => list.iter().collect(),
            _ => vec![value],
        };
        for one in list {
            let Some(text) = reader.words(one, "url") else { continue };
            match urls::read(&text, domain, project) {
                Ok(url) => urls.push(url),
                Err(why) => reader.tell(
                    Diagnostic::error(one.span.clone(), format!("`{}` is not a place to be reached", shown(&text)))
                        .label(why),
                ),
            }
        }
    }
    let form = if is_site {
        Form::Site(read_site(reader, node, environment)?)
    } else {
        Form::App(read_app(reader, node, environment)?)
    };
    Some(Service { name, form, urls })
}

fn command(
    reader: &mut Reader,
    node: &Node,
    keys: &'static [Key],
    name: &str,
    environment: &EnvironmentName,
) -> Option<String> {
    let (node, _) = reader.pick(node, key(keys, name), environment.as_str())?;
    reader.words(node, name)
}

fn read_site(reader: &mut Reader, node: &Node, environment: &EnvironmentName) -> Option<Site> {
    let folder = path(reader, node.get("static")?, "static")?;
    let source = match node.get("source") {
        Some(source) => path(reader, source, "source")?,
        None => folder.clone(),
    };
    if !folder.starts_with(&source)
        && let Some(node) = node.get("static")
    {
        reader.error(&node.span, "`static` is not below `source`");
    }
    Some(Site {
        build: command(reader, node, format::SITE, "build", environment),
        build_limits: read_build_limits(reader, node),
        expose: node.get("expose").and_then(|n| reader.texts(n, "expose")).unwrap_or_default(),
        single_page: node.get("single-page").and_then(|n| reader.bool(n, "single-page")).unwrap_or(false),
        folder,
        source,
    })
}

/// A command of a build that takes longer is ended.
const BUILD_TIME: Duration = Duration::from_secs(3600);

fn read_build_limits(reader: &mut Reader, node: &Node) -> BuildLimits {
    BuildLimits {
        time: node.get("build-time").and_then(|n| reader.duration(n, "build-time")).unwrap_or(BUILD_TIME),
        memory: node.get("build-memory").and_then(|n| reader.size(n, "build-memory")),
    }
}

/// How long requests in flight may take to finish on an instance that is replaced.
const DRAIN: Duration = Duration::from_secs(30);

fn read_app(reader: &mut Reader, node: &Node, environment: &EnvironmentName) -> Option<App> {
    let keys = format::APP;
    let source = match node.get("source") {
        Some(source) => path(reader, source, "source")?,
        None => PathBuf::new(),
    };
    let schedule = node.get("schedule").and_then(|n| {
        let text = reader.words(n, "schedule")?;
        if !is_cron(&text) {
            reader.tell(
                Diagnostic::error(n.span.clone(), format!("`{}` is not a cron expression", shown(&text)))
                    .help("write minute, hour, day, month and weekday: `0 3 * * *`"),
            );
            return None;
        }
        Some(text)
    });
    let kind = node.get("kind").and_then(|n| reader.one_of(n, "kind", &["web", "worker"]));
    let role = match (schedule, kind) {
        (Some(cron), _) => Role::Scheduled(cron),
        (None, Some("worker")) => Role::Worker,
        (None, _) => Role::Web,
    };
    let health = reader.pick(node, key(keys, "health"), environment.as_str()).and_then(|(n, _)| read_health(reader, n));
    let instances = reader
        .pick(node, key(keys, "instances"), environment.as_str())
        .and_then(|(n, _)| reader.whole(n, "instances", 1..=64))
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(1);
    let cpus = reader.pick(node, key(keys, "cpus"), environment.as_str()).and_then(|(n, _)| {
        let cpus = reader.number(n, "cpus")?;
        if !(0.01..=1024.0).contains(&cpus) {
            reader.error(&n.span, "`cpus` takes a number of cores, such as 0.5");
            return None;
        }
        Some(cpus)
    });
    Some(App {
        role,
        source,
        build: command(reader, node, keys, "build", environment),
        build_limits: read_build_limits(reader, node),
        run: command(reader, node, keys, "run", environment),
        migrate: command(reader, node, keys, "migrate", environment),
        seed: read_seed(reader, node, keys, environment),
        test: command(reader, node, keys, "test", environment),
        migrations: node.get("migrations").and_then(|n| path(reader, n, "migrations")),
        drain: reader
            .pick(node, key(keys, "drain"), environment.as_str())
            .and_then(|(n, _)| reader.duration(n, "drain"))
            .unwrap_or(DRAIN),
        health,
        instances,
        port: port(reader, node, keys, environment),
        memory: memory(reader, node, keys, environment),
        cpus,
    })
}

fn read_seed(reader: &mut Reader, node: &Node, keys: &'static [Key], environment: &EnvironmentName) -> Option<String> {
    let (node, _) = reader.pick(node, key(keys, "seed"), environment.as_str())?;
    let seed = reader.words(node, "seed")?;
    let one_word = !seed.contains(char::is_whitespace);
    if one_word && seed.ends_with(".sql") && seed_file(&seed).is_none() {
        reader.error(&node.span, "the seed is a file outside the app's folder");
        return None;
    }
    Some(seed)
}

fn read_health(reader: &mut Reader, node: &Node) -> Option<Health> {
    let mut health =
        Health { path: String::new(), status: 200, successes: 3, deadline: std::time::Duration::from_secs(60) };
    let path = match node.table() {
        None => node,
        Some(entries) => {
            let crate::format::Takes::TextOrTable(keys) = key(format::APP, "health").takes else { return None };
            reader.known_keys(entries, keys, "`health`");
            if let Some(status) = node.get("status") {
                let status = reader.whole(status, "status", 100..=599)?;
                health.status = u16::try_from(status).ok()?;
            }
            if let Some(successes) = node.get("successes") {
                health.successes = u32::try_from(reader.whole(successes, "successes", 1..=100)?).ok()?;
            }
            if let Some(deadline) = node.get("deadline") {
                health.deadline = reader.duration(deadline, "deadline")?;
            }
            match node.get("path") {
                Some(path) => path,
                None => {
                    reader.error(&node.span, "`health` does not say `path`");
                    return None;
                }
            }
        }
    };
    health.path = reader.words(path, "health")?;
    if !health.path.starts_with('/') || health.path.chars().any(|c| c.is_control() || c == ' ' || !c.is_ascii()) {
        reader.error(&path.span, format!("`{}` is not a path: it begins with a slash", shown(&health.path)));
        return None;
    }
    Some(health)
}

fn is_cron(text: &str) -> bool {
    let limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    fields.len() == 5
        && fields.iter().zip(limits).all(|(field, (low, high))| {
            field.split(',').all(|part| {
                let (range, step) = part.split_once('/').map_or((part, Ok(1)), |(r, s)| (r, s.parse::<u32>()));
                let within = |n: &str| n.parse::<u32>().is_ok_and(|n| (low..=high).contains(&n));
                step.is_ok_and(|s| s > 0)
                    && (range == "*"
                        || range.split_once('-').map_or_else(|| within(range), |(a, b)| within(a) && within(b)))
            })
        })
}
