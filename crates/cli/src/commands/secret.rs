//! `ambit secret`

use std::{
    collections::BTreeMap,
    fs,
    io::{IsTerminal, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, ExitCode},
};

use ambit_domain::{
    Failure, FailureKind,
    audit::Note,
    spec::{Diagnostic, Environment, EnvironmentName, Project, Severity, Value},
};
use ambit_secrets::{Identities, Recipients, Secret, SecretsFile, dotenv, generate, keys, recipients_edit};

use super::print_json;
use crate::{arguments::SecretCommand, context};

/// What a command on secrets works with. Read without the checks of a whole declaration: secrets are set before they are
/// complete.
struct Vault<'a> {
    folder: &'a Path,
    project: Project,
    file: SecretsFile,
}

impl<'a> Vault<'a> {
    fn open(folder: &'a Path) -> Result<Self, Failure> {
        let declaration = ambit_app::Declaration::open(folder, "")?;
        let file =
            SecretsFile::load(&folder.join("ambit.secrets")).map_err(|e| told(&e, e.hint()))?.unwrap_or_default();
        Ok(Self { folder, project: declaration.project, file })
    }

    fn identities(&self) -> Result<Identities, Failure> {
        let keys = context::keys(&self.project.name)?;
        if keys.trim().is_empty() {
            return Err(Failure::new(FailureKind::Declaration, "you have no key for this project")
                .hint("ambit secret key makes one; a teammate adds its public half to `recipients`"));
        }
        Identities::parse(&keys).map_err(|e| told(&e, e.hint()))
    }

    fn environment(&self, name: &str) -> Result<&Environment, Failure> {
        let found = self.project.environments.values().find(|e| e.name.as_str() == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = self.project.environments.keys().map(EnvironmentName::as_str).collect();
            Failure::new(FailureKind::NotFound, format!("there is no environment `{}`", name.escape_debug()))
                .hint(format!("declared: {}", known.join(", ")))
        })
    }

    fn recipients(&self, environment: &Environment) -> Result<Recipients, Failure> {
        if environment.recipients.is_empty() {
            return Err(Failure::new(
                FailureKind::Declaration,
                format!("nobody is declared who may read the secrets of {}", environment.name),
            )
            .hint("ambit secret key --add makes your key and adds it to `recipients` in ambit.toml"));
        }
        Recipients::parse(&environment.recipients).map_err(|e| told(&e, Some(e.hint())))
    }

    fn set(&mut self, environment: &str, name: &str, value: &Secret) -> Result<(), Failure> {
        let environment = self.environment(environment)?.clone();
        let declared = environment.variables.get(name).is_some_and(|v| v.value == Value::Secret);
        if !declared {
            return Err(Failure::new(
                FailureKind::Declaration,
                format!("{name} is not declared as a secret of {}", environment.name),
            )
            .hint(format!("add to [secrets] in ambit.toml: {name} = {{}}")));
        }
        self.refuse_weak(&environment.name, name, value)?;
        let recipients = self.recipients(&environment)?;
        self.file.set(&environment.name, name, value, &recipients).map_err(|e| told(&e, e.hint()))
    }

    /// Refuses at once what `check` and `up` would refuse later. Without a key that opens the other environments' values it
    /// cannot be known whether one of them is the same.
    fn refuse_weak(&self, environment: &EnvironmentName, name: &str, value: &Secret) -> Result<(), Failure> {
        // Each is opened once: opening one takes a moment, and they are compared with each other.
        let others: BTreeMap<&EnvironmentName, String> = match self.identities() {
            Ok(identities) => {
                let others = self.project.environments.keys().filter(|other| *other != environment);
                let open = |other| Some((other, self.file.get(other, name, &identities).ok()??.expose().to_owned()));
                others.filter_map(open).collect()
            }
            Err(_) => BTreeMap::new(),
        };
        let lookup = |new: Option<&Secret>, other: &EnvironmentName, asked: &str| {
            if asked != name {
                return None;
            }
            if other == environment {
                return new.map(|v| v.expose().to_owned());
            }
            others.get(other).cloned()
        };
        let before = ambit_spec::check_secrets(&self.project, &|e: &EnvironmentName, n: &str| lookup(None, e, n));
        let after = ambit_spec::check_secrets(&self.project, &|e: &EnvironmentName, n: &str| lookup(Some(value), e, n));
        let new = |d: &&Diagnostic| d.severity == Severity::Error && !before.iter().any(|b| b.message == d.message);
        let Some(first) = after.iter().find(new) else { return Ok(()) };
        let failure = Failure::new(FailureKind::Declaration, format!("{}; nothing was stored", first.message));
        Err(failure.hint_if(first.help.clone()))
    }

    /// Writes the file and leaves a line in this machine's audit log: names, never values.
    fn store(&mut self, what: &str, environment: Option<&str>, names: Vec<String>) -> Result<(), Failure> {
        self.file.store(&self.folder.join("ambit.secrets")).map_err(|e| told(&e, e.hint()))?;
        let mut note = Note::new(&context::actor(self.folder), &self.project.name, what);
        note.environment = environment.and_then(|e| e.parse().ok());
        if !names.is_empty() {
            note = note.about("names", names);
        }
        // The secret is set: a state folder that cannot be used is no reason to say that it is not.
        if let Err(failure) = context::ambit().and_then(|ambit| ambit.note(note)) {
            eprintln!("! the audit log was not written: {}", crate::screen::plain(&failure.message));
        }
        Ok(())
    }
}

fn told(error: &dyn std::error::Error, hint: Option<impl Into<String>>) -> Failure {
    Failure::from_error(FailureKind::Declaration, error).hint_if(hint)
}

pub(crate) fn run(folder: &Path, command: SecretCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        SecretCommand::Key { add } => return key(folder, add, json),
        SecretCommand::Set { name, environment, generate, from } => {
            let mut vault = Vault::open(folder)?;
            let set = match (from, name) {
                (Some(from), _) => set_from(&mut vault, &environment, &from)?,
                (None, Some(name)) => {
                    let value = match generate {
                        Some(length) => random(length)?,
                        None => read_value(&name)?,
                    };
                    vault.set(&environment, &name, &value)?;
                    vec![name]
                }
                (None, None) => Vec::new(),
            };
            vault.store("secret.set", Some(&environment), set.clone())?;
            say(
                json,
                &serde_json::json!({ "set": set, "environment": environment }),
                &format!("✓ set {} in {environment}", set.join(", ")),
            );
        }
        SecretCommand::Get { name, environment } => {
            let vault = Vault::open(folder)?;
            let environment = vault.environment(&environment)?;
            let found =
                vault.file.get(&environment.name, &name, &vault.identities()?).map_err(|e| told(&e, e.hint()))?;
            let Some(value) = found else {
                return Err(Failure::new(
                    FailureKind::NotFound,
                    format!("{} is not set in {}", name.escape_debug(), environment.name),
                )
                .hint("ambit secret list shows what is set"));
            };
            if json {
                print_json(&serde_json::json!({ "value": value.expose() }));
            } else {
                println!("{}", value.expose());
            }
        }
        SecretCommand::List => list(&Vault::open(folder)?, json)?,
        SecretCommand::Rotate { name: Some(name), environment } => {
            let Some(environment) = environment else {
                return Err(Failure::new(FailureKind::User, "which environment?")
                    .hint(format!("ambit secret rotate {name} -e ENV")));
            };
            let mut vault = Vault::open(folder)?;
            vault.set(&environment, &name, &random(48)?)?;
            vault.store("secret.rotated", Some(&environment), vec![name.clone()])?;
            say(
                json,
                &serde_json::json!({ "rotated": name }),
                &format!("✓ {name} in {environment} is a new random one; ambit up {environment} puts it in use"),
            );
        }
        SecretCommand::Rotate { name: None, environment } => {
            let mut vault = Vault::open(folder)?;
            let identities = vault.identities()?;
            let environments: Vec<Environment> = match &environment {
                Some(name) => vec![vault.environment(name)?.clone()],
                None => vault.project.environments.values().cloned().collect(),
            };
            let mut count = 0;
            for environment in environments.iter().filter(|e| !e.recipients.is_empty()) {
                let recipients = vault.recipients(environment)?;
                count +=
                    vault.file.rotate(&environment.name, &identities, &recipients).map_err(|e| told(&e, e.hint()))?;
            }
            vault.store("secret.encrypted-anew", environment.as_deref(), Vec::new())?;
            say(
                json,
                &serde_json::json!({ "encrypted": count }),
                &format!("✓ {count} secrets are encrypted to the present recipients"),
            );
        }
        SecretCommand::Edit { environment } => edit(&mut Vault::open(folder)?, &environment, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn say(json: bool, value: &serde_json::Value, text: &str) {
    if json {
        print_json(value);
    } else {
        println!("{text}");
    }
}

fn random(length: usize) -> Result<Secret, Failure> {
    if !(8..=4096).contains(&length) {
        return Err(Failure::new(FailureKind::User, "--generate takes a length from 8 to 4096"));
    }
    generate::random_text(length).map_err(|e| told(&e, None::<String>))
}

/// A value that was typed or piped in; never an argument, which every user of the machine can read.
fn read_value(name: &str) -> Result<Secret, Failure> {
    let mut text = String::new();
    if std::io::stdin().is_terminal() {
        eprint!("{name}: ");
        let _ = std::io::stderr().flush();
        std::io::stdin().read_line(&mut text).map(drop)
    } else {
        std::io::stdin().read_to_string(&mut text).map(drop)
    }
    .map_err(|e| Failure::new(FailureKind::User, "the value cannot be read").because(e.to_string()))?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() {
        return Err(Failure::new(FailureKind::User, format!("{name} was not set: the value is empty")));
    }
    Ok(Secret::from(value.to_owned()))
}

fn key(folder: &Path, add: bool, json: bool) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let path = context::key_file(&project)?;
    let public = if path.exists() {
        let identities = keys::load(&path).map_err(|e| told(&e, e.hint()))?;
        identities.public_keys().next().unwrap_or_default()
    } else {
        let identity = keys::generate();
        keys::store(&path, &identity).map_err(|e| told(&e, e.hint()))?;
        keys::recipient_of(&identity)
    };
    if add {
        let file = folder.join("ambit.toml");
        let failed = |e: std::io::Error| {
            Failure::new(FailureKind::Machine, format!("cannot change {}", file.display())).because(e.to_string())
        };
        let text = fs::read_to_string(&file).map_err(failed)?;
        if !text.contains(&public) {
            let changed = recipients_edit::add_recipient(&text, &public).map_err(|e| told(&e, e.hint()))?;
            let new = file.with_extension("toml.new");
            fs::write(&new, changed).and_then(|()| fs::rename(&new, &file)).map_err(failed)?;
        }
    }
    say(json, &serde_json::json!({ "public": public, "file": path }), &public);
    Ok(ExitCode::SUCCESS)
}

fn set_from(vault: &mut Vault<'_>, environment: &str, from: &Path) -> Result<Vec<String>, Failure> {
    let text = fs::read_to_string(from).map_err(|e| {
        Failure::new(FailureKind::NotFound, format!("cannot read {}", from.display())).because(e.to_string())
    })?;
    let entries = parse(&text, &from.display().to_string())?;
    let declared = vault.environment(environment)?.clone();
    let mut set = Vec::new();
    for entry in entries {
        let is_secret = declared.variables.get(&entry.name).is_some_and(|v| v.value == Value::Secret);
        if is_secret && !entry.value.expose().is_empty() {
            vault.set(environment, &entry.name, &entry.value)?;
            set.push(entry.name);
        }
    }
    if set.is_empty() {
        return Err(Failure::new(
            FailureKind::User,
            format!("{} holds no declared secret of {environment}", from.display()),
        ));
    }
    Ok(set)
}

fn parse(text: &str, what: &str) -> Result<Vec<dotenv::Entry>, Failure> {
    dotenv::parse(text).map_err(|errors| {
        let mut failure =
            Failure::new(FailureKind::User, format!("{what} cannot be read as a dotenv file; nothing was changed"));
        for error in errors {
            failure = failure.because(error.to_string());
        }
        failure
    })
}

fn list(vault: &Vault<'_>, json: bool) -> Result<(), Failure> {
    let mut names: Vec<&String> = Vec::new();
    for environment in vault.project.environments.values() {
        for (name, _) in environment.variables.iter().filter(|(_, v)| v.value == Value::Secret) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let state = |environment: &Environment, name: &str| {
        if environment.variables.get(name).is_none_or(|v| v.value != Value::Secret) {
            "–"
        } else if vault.file.contains(&environment.name, name) {
            "set"
        } else {
            "missing"
        }
    };
    if json {
        let rows: Vec<_> =
            names
                .iter()
                .flat_map(|name| {
                    vault.project.environments.values().map(
                        move |e| serde_json::json!({ "name": name, "environment": e.name, "state": state(e, name) }),
                    )
                })
                .collect();
        print_json(&rows);
        return Ok(());
    }
    let mut rows = vec![
        std::iter::once(String::new()).chain(vault.project.environments.keys().map(ToString::to_string)).collect(),
    ];
    for name in names {
        rows.push(
            std::iter::once(name.clone())
                .chain(vault.project.environments.values().map(|e| state(e, name).to_owned()))
                .collect(),
        );
    }
    for row in crate::screen::columns(&rows, "") {
        println!("{row}");
    }
    Ok(())
}

fn edit(vault: &mut Vault<'_>, environment: &str, json: bool) -> Result<(), Failure> {
    let identities = vault.identities()?;
    let declared = vault.environment(environment)?.clone();
    let mut values = Vec::new();
    for (name, _) in declared.variables.iter().filter(|(_, v)| v.value == Value::Secret) {
        let value = vault.file.get(&declared.name, name, &identities).map_err(|e| told(&e, e.hint()))?;
        values.push((name.clone(), value.map(|v| v.expose().to_owned()).unwrap_or_default()));
    }
    // In memory where the system has a place for that, so that nothing readable reaches a disk.
    let base = ["/dev/shm", "/tmp"].into_iter().map(Path::new).find(|p| p.is_dir()).unwrap_or(Path::new("."));
    let file = base.join(format!("ambit-secrets-{}.env", std::process::id()));
    let failed =
        |e: std::io::Error| Failure::new(FailureKind::Machine, "the secrets cannot be edited").because(e.to_string());
    let text = ambit_spec::write(ambit_spec::Format::Dotenv, &values);
    let mut open = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).map_err(failed)?;
    let edited = open.write_all(text.as_bytes()).and_then(|()| {
        let editor = std::env::var("VISUAL").or_else(|_| std::env::var("EDITOR")).unwrap_or_else(|_| "vi".into());
        let status = Command::new("/bin/sh").args(["-c", &format!("{editor} \"$0\"")]).arg(&file).status()?;
        if status.success() {
            fs::read_to_string(&file)
        } else {
            Err(std::io::Error::other(format!("{editor}: {status}")))
        }
    });
    fs::remove_file(&file).map_err(failed)?;
    let entries = parse(&edited.map_err(failed)?, "what you wrote")?;
    let mut changed = Vec::new();
    for entry in entries {
        let before = values.iter().find(|(n, _)| *n == entry.name).map(|(_, v)| v.as_str());
        if before != Some(entry.value.expose()) && !entry.value.expose().is_empty() {
            vault.set(environment, &entry.name, &entry.value)?;
            changed.push(entry.name);
        }
    }
    if !changed.is_empty() {
        vault.store("secret.set", Some(environment), changed.clone())?;
    }
    say(json, &serde_json::json!({ "changed": changed }), &format!("✓ {} changed in {environment}", changed.len()));
    Ok(())
}
