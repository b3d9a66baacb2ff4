//! Measures what `docs/secrets.md` states: `cargo run --release -p ambit-secrets --example measure -- FOLDER`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{fs, path::Path, time::Instant};

use ambit_secrets::{Identities, Recipients, SecretsFile, generate::random_text, keys, scan::scan};

fn main() {
    let key = keys::generate();
    let others: Vec<String> = (0..4).map(|_| keys::recipient_of(&keys::generate())).collect();
    let recipients = Recipients::parse(&[&others[..], &[keys::recipient_of(&key)]].concat()).unwrap();
    let identities = Identities::from(key);
    let environment = "prod".parse().unwrap();
    let mut file = SecretsFile::default();
    for number in 0..30 {
        file.set(&environment, &format!("SECRET_{number}"), &random_text(40).unwrap(), &recipients).unwrap();
    }
    let text = file.to_text();
    let start = Instant::now();
    let file = SecretsFile::parse(&text).unwrap();
    for name in file.names(&environment) {
        file.get(&environment, name, &identities).unwrap().unwrap();
    }
    println!("30 secrets, 5 recipients each, read and decrypted: {:.1?}", start.elapsed());

    for folder in std::env::args().skip(1) {
        let mut files = Vec::new();
        collect(Path::new(&folder), &mut files);
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let start = Instant::now();
        let findings = scan(files.iter().map(|(path, bytes)| (path, bytes)));
        let seconds = start.elapsed().as_secs_f64();
        for finding in &findings {
            println!(
                "{}:{}:{} {} {}",
                finding.path.display(),
                finding.line,
                finding.column,
                finding.what,
                finding.excerpt
            );
        }
        println!(
            "{folder}: {} files, {:.0} MB, {:.0} MB/s, {} findings",
            files.len(),
            bytes as f64 / 1e6,
            bytes as f64 / 1e6 / seconds,
            findings.len()
        );
    }
}

fn collect(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_symlink() || entry.file_name() == ".git" || entry.file_name() == "target" {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if let Ok(bytes) = fs::read(&path) {
            files.push((path.display().to_string(), bytes));
        }
    }
}
