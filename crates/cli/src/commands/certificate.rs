//! `ambit certificate`: of the whole machine, so no project is needed.

use std::{fs, path::Path, process::ExitCode};

use ambit_app::{AddCertificate, CertificateStatus, Certificates, RemoveCertificate, Source};
use ambit_domain::{Failure, FailureKind};
use ambit_proxy::certificates::Summary;

use super::print_json;
use crate::{
    arguments::CertificateCommand,
    context,
    screen::{Paint, columns, moment, plain},
};

pub(crate) fn run(command: CertificateCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        CertificateCommand::List => super::wait(list(json)),
        CertificateCommand::Add { host, cert, key } => super::wait(add(host, &cert, &key, json)),
        CertificateCommand::Remove { host } => super::wait(remove(host, json)),
    }
}

async fn add(host: String, certificate: &Path, key: &Path, json: bool) -> Result<ExitCode, Failure> {
    let request = AddCertificate {
        host: host.to_ascii_lowercase(),
        certificate: read(certificate)?,
        key: read(key)?,
        actor: context::actor(Path::new(".")),
    };
    let summary: Summary = context::daemon().await?.work("/v1/certificates/add", &request, |_| {}).await?;
    if json {
        print_json(&summary);
        return Ok(ExitCode::SUCCESS);
    }
    let names = plain(&summary.names.join(", "));
    println!("{} {names} · from {} · expires {}", tick(), plain(&summary.issuer), moment(summary.not_after));
    if context::ambit()?.listen_tls()?.is_none() {
        println!("  the proxy does not take TLS yet: ambit up --listen-tls 0.0.0.0:443");
    }
    Ok(ExitCode::SUCCESS)
}

async fn remove(host: String, json: bool) -> Result<ExitCode, Failure> {
    let request = RemoveCertificate { host: host.to_ascii_lowercase(), actor: context::actor(Path::new(".")) };
    let () = context::daemon().await?.work("/v1/certificates/remove", &request, |_| {}).await?;
    if json {
        print_json(&serde_json::json!({ "removed": request.host }));
    } else {
        println!("{} {} is no longer served", tick(), plain(&request.host));
    }
    Ok(ExitCode::SUCCESS)
}

fn tick() -> String {
    Paint::stdout().good("✓")
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|e| {
        let failure = Failure::new(FailureKind::User, format!("cannot read {}", file.display())).because(e.to_string());
        match e.kind() {
            std::io::ErrorKind::InvalidData => {
                failure.hint("it has to be PEM: openssl x509 -inform der -in FILE, openssl pkey -inform der -in FILE")
            }
            _ => failure,
        }
    })
}

async fn list(json: bool) -> Result<ExitCode, Failure> {
    let all = context::ambit()?.certificates().await?;
    if json {
        print_json(&all);
    } else {
        print(&all);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(all: &Certificates) {
    let paint = Paint::stdout();
    match all.listen_tls {
        Some(address) => println!("The proxy takes TLS on {address}."),
        None => println!("The proxy does not take TLS: ambit up --listen-tls 0.0.0.0:443"),
    }
    if all.certificates.is_empty() {
        println!("There is no certificate, and no public host that needs one.");
        return;
    }
    let heads = ["host", "", "source", "issuer", "expires", "renewed"].map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(heads).chain(all.certificates.iter().map(row)).collect();
    println!();
    for (n, row) in columns(&rows, "  ").iter().enumerate() {
        println!("{}", if n == 0 { paint.dim(row) } else { paint.dots(row) });
    }
    for certificate in &all.certificates {
        if let Some(trouble) = &certificate.trouble {
            println!("\n  {} {}: {}", paint.bad("✗"), plain(&certificate.host), plain(trouble));
        }
    }
    if all.certificates.iter().any(|c| c.source == Source::None) {
        println!("\n  next: ambit certificate add HOST --cert FILE --key FILE, or `acme` in [tls] of ambit.toml");
    }
}

fn row(status: &CertificateStatus) -> Vec<String> {
    let good = status.certificate.is_some() && status.trouble.is_none();
    let source = match status.source {
        Source::File => "file",
        Source::Acme => "acme",
        Source::None => "–",
    };
    let of_certificate = |text: fn(&Summary) -> String| status.certificate.as_ref().map_or("–".to_owned(), text);
    vec![
        plain(&status.host),
        if good { "●" } else { "✗" }.to_owned(),
        source.to_owned(),
        of_certificate(|c| plain(&c.issuer)),
        of_certificate(|c| moment(c.not_after)),
        status.next_order.map_or("–".to_owned(), |at| if at <= 0 { "at once".to_owned() } else { moment(at) }),
    ]
}
