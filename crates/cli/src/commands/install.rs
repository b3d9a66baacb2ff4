//! `ambit install`: the daemon as a service of the machine, so no project is needed.

use std::process::ExitCode;

use ambit_app::Service;
use ambit_domain::Failure;
use ambit_server::Client;

use super::print_json;
use crate::{
    context,
    screen::{Paint, plain},
};

pub(crate) async fn run(print: bool, remove: bool, json: bool) -> Result<ExitCode, Failure> {
    let home = context::home()?;
    let program = context::surroundings()?.program;
    let service = Service::new(&program, &home);
    let unit = service.unit().display().to_string();
    if print {
        if json {
            print_json(&serde_json::json!({ "unit": unit, "text": service.text() }));
        } else {
            println!("# {unit}\n{}", service.text());
            println!("# then: systemctl daemon-reload && systemctl enable --now ambit");
        }
        return Ok(ExitCode::SUCCESS);
    }
    service.can_be_installed()?;
    let paint = Paint::stdout();
    if remove {
        let removed = service.remove()?;
        if json {
            print_json(&serde_json::json!({ "unit": unit, "removed": removed }));
        } else if removed {
            println!("{} {unit} is gone; what the daemon started goes on, and all data stays", paint.good("✓"));
            println!("  ambit down stops it · {} holds it", plain(&home.root().display().to_string()));
        } else {
            println!("{} there is no {unit}", paint.good("✓"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    // Makes the state folder, and refuses one that cannot be used before a service does so again and again.
    drop(context::ambit()?);
    let client = Client::new(&home);
    let by_hand = !service.looks_after_home() && client.health().await.is_ok();
    let changed = service.write()?;
    if by_hand {
        context::stop(&client).await?;
    }
    service.start(changed)?;
    if json {
        print_json(&serde_json::json!({ "unit": unit, "changed": changed }));
        return Ok(ExitCode::SUCCESS);
    }
    let told = if changed { "written and started" } else { "as it was" };
    println!("{} {unit}: {told}, with the machine from now on", paint.good("✓"));
    if !["/usr", "/opt"].iter().any(|folder| program.starts_with(folder)) {
        println!("  it starts {}: keep that file there", plain(&program.display().to_string()));
    }
    println!("  let in what has to come in:  ufw allow OpenSSH && ufw allow 80,443/tcp && ufw enable");
    println!("  serve the world:             ambit up --listen 0.0.0.0:80 --listen-tls 0.0.0.0:443");
    Ok(ExitCode::SUCCESS)
}
