//! Rust: the program of a package, or the programs of a workspace.

use std::{collections::BTreeSet, fs, path::Path};

use serde::Deserialize;

use crate::{
    detect::{Recipe, recipe},
    error::Error,
};

#[derive(Deserialize)]
struct Manifest {
    package: Option<Package>,
    workspace: Option<Workspace>,
    #[serde(default)]
    bin: Vec<Bin>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(rename = "default-run")]
    default_run: Option<String>,
}

#[derive(Deserialize)]
struct Workspace {
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Deserialize)]
struct Bin {
    name: Option<String>,
}

pub(crate) fn detect(tree: &Path) -> Result<Recipe, Error> {
    let manifest = read(tree, Path::new(""))?;
    let default = manifest.package.as_ref().and_then(|p| p.default_run.clone());
    let mut programs = programs(tree, &manifest);
    if let Some(workspace) = &manifest.workspace {
        for member in members(tree, workspace) {
            if let Ok(found) = read(tree, Path::new(&member)) {
                programs.extend(self::programs(&tree.join(&member), &found));
            }
        }
    }
    if let Some(default) = default {
        programs = BTreeSet::from([default]);
    }
    let programs: Vec<String> = programs.into_iter().collect();
    if programs.is_empty() {
        return Err(Error::Refused { path: "Cargo.toml".into(), why: "declares no program, only a library".into() });
    }
    let locked = if tree.join("Cargo.lock").is_file() { " --locked" } else { "" };
    let bins: String = programs.iter().map(|p| format!(" --bin {p}")).collect();
    let built: String = programs.iter().map(|p| format!(" \"$AMBIT_CACHE/target/release/{p}\"")).collect();
    let mut recipe = recipe("Rust");
    recipe.build = vec![
        format!("CARGO_TARGET_DIR=\"$AMBIT_CACHE/target\" cargo build --release{locked}{bins}"),
        format!("mkdir -p bin && cp{built} bin/"),
    ];
    if let [one] = programs.as_slice() {
        recipe.run = Some(format!("exec bin/{one}"));
    }
    recipe.test = Some(format!("CARGO_TARGET_DIR=\"$AMBIT_CACHE/target\" cargo test --release{locked}"));
    recipe.needs = vec!["cargo".to_owned()];
    recipe.programs = programs;
    Ok(recipe)
}

fn read(tree: &Path, member: &Path) -> Result<Manifest, Error> {
    let file = member.join("Cargo.toml");
    let text = fs::read_to_string(tree.join(&file)).map_err(Error::io(&file))?;
    toml::from_str(&text).map_err(|e| Error::Refused { path: file, why: format!("cannot be read: {}", e.message()) })
}

/// The programs of one package, as cargo finds them.
fn programs(folder: &Path, manifest: &Manifest) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = manifest.bin.iter().filter_map(|b| b.name.clone()).collect();
    if let Some(package) = &manifest.package
        && names.is_empty()
        && folder.join("src/main.rs").is_file()
    {
        names.insert(package.name.clone());
    }
    for entry in fs::read_dir(folder.join("src/bin")).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        let is_program = path.extension().is_some_and(|e| e == "rs") || path.join("main.rs").is_file();
        if let Some(name) = path.file_stem().and_then(|n| n.to_str()).filter(|_| is_program) {
            names.insert(name.to_owned());
        }
    }
    names
}

/// Folders of a workspace's members; of globs, the usual `folder/*`.
fn members(tree: &Path, workspace: &Workspace) -> Vec<String> {
    let mut all = Vec::new();
    for member in &workspace.members {
        let Some(folder) = member.strip_suffix("/*").or_else(|| member.strip_suffix('*').filter(|f| f.is_empty()))
        else {
            all.push(member.clone());
            continue;
        };
        let below = fs::read_dir(tree.join(folder)).into_iter().flatten().filter_map(Result::ok);
        let names =
            below.filter(|e| e.path().join("Cargo.toml").is_file()).filter_map(|e| e.file_name().into_string().ok());
        all.extend(names.map(|name| if folder.is_empty() { name } else { format!("{folder}/{name}") }));
    }
    all.retain(|m| !workspace.exclude.contains(m));
    all
}
