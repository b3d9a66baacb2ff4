//! Where names lead to, and what `ambit.toml` says of where an environment lives.

use std::path::Path;

use ambit_domain::{
    Failure, FailureKind, Placement,
    outside::Place,
    spec::{EnvironmentName, Form},
};
use toml_edit::{DocumentMut, Item, Table, value};

use super::{Moving, word};
use crate::{generated, outside::Of};

impl Moving<'_> {
    /// What is left for people to do.
    pub(super) async fn switch_names(&self) -> Result<Vec<String>, Failure> {
        let mut left = Vec::new();
        let name = &self.id.environment;
        if let Err(failure) = write_place(&self.declaration.folder, name, self.relocation.to) {
            let line = format!("write into ambit.toml: [environments.{name}] on = \"{}\"", word(self.relocation.to));
            left.push(format!("{line} ({failure})"));
        } else {
            left.push(format!("commit ambit.toml: [environments.{name}] on = \"{}\"", word(self.relocation.to)));
        }
        if self.declaration.project.providers.cloudflare.is_some() {
            let of = Of { places: vec![Place::Dns], environments: vec![name.clone()] };
            let actor = &self.relocation.actor;
            let work = async {
                let (done, remarks) =
                    self.ambit.make_as_declared(self.declaration, &of, self.tokens, actor, &self.progress).await?;
                Ok((remarks, format!("{done} records changed"), done > 0))
            };
            left.extend(self.progress.step("dns", work).await?);
        } else {
            left.extend(self.records_to_change().await?);
        }
        Ok(left)
    }

    async fn records_to_change(&self) -> Result<Vec<String>, Failure> {
        let apps = self.environment.services.values().filter(|s| matches!(s.form, Form::App(_)));
        let hosts = apps.flat_map(|s| &s.urls).map(|url| url.host.clone());
        if self.relocation.to == Placement::Host {
            return Ok(hosts.map(|host| format!("make {host} lead to this machine: A and AAAA records")).collect());
        }
        let known = self.ambit.railway_hosts(self.declaration, self.tokens).await?;
        let told = hosts.map(|host| match known.get(&host) {
            Some(asked) => format!(
                "make {host} a CNAME for {}, and {} a TXT record of \"{}\"",
                asked.target, asked.proof, asked.token
            ),
            None => format!("{host}: Railway does not say yet what it has to be; ambit plan --only railway"),
        });
        Ok(told.collect())
    }
}

/// Says in `ambit.toml` where an environment lives; everything else of it stays as somebody wrote it.
fn write_place(folder: &Path, name: &EnvironmentName, to: Placement) -> Result<(), Failure> {
    let file = folder.join("ambit.toml");
    let text = generated::read(&file)?
        .ok_or_else(|| Failure::new(FailureKind::NotFound, format!("{} is gone", file.display())))?;
    let new = placed(&text, name, to)?;
    if new == text { Ok(()) } else { generated::rewrite(&file, &new) }
}

fn placed(text: &str, name: &EnvironmentName, to: Placement) -> Result<String, Failure> {
    let mut document: DocumentMut =
        text.parse().map_err(|e: toml_edit::TomlError| Failure::from_error(FailureKind::Declaration, &e))?;
    let environments = document.entry("environments").or_insert(Item::Table(Table::new()));
    let environment = environments.as_table_like_mut().and_then(|all| all.get_mut(name.as_str()));
    let Some(environment) = environment.and_then(Item::as_table_like_mut) else {
        return Err(Failure::new(FailureKind::Declaration, format!("there is no [environments.{name}]")));
    };
    match environment.get_mut("on").and_then(Item::as_value_mut) {
        Some(there) => {
            let around = there.decor().clone();
            *there = word(to).into();
            *there.decor_mut() = around;
        }
        None => drop(environment.insert("on", value(word(to)))),
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_everything_else_stay_as_they_were_written() {
        let name: EnvironmentName = "dev".parse().unwrap();
        let text = "# ours\nproject = \"shop\"\n\n[environments.dev]   # where we try\nbranch = \"develop\"\n\n[environments.prod]\non = \"railway\" # paid\n";
        let moved = placed(text, &name, Placement::Host).unwrap();
        assert_eq!(moved, text.replace("branch = \"develop\"\n", "branch = \"develop\"\non = \"host\"\n"));
        let prod = placed(text, &"prod".parse().unwrap(), Placement::Host).unwrap();
        assert_eq!(prod, text.replace("on = \"railway\" # paid", "on = \"host\" # paid"));
        let inline = "environments = { dev = {} }\n";
        assert_eq!(
            placed(inline, &name, Placement::Railway).unwrap(),
            "environments = { dev = { on = \"railway\" } }\n"
        );
    }
}
