//! `ambit webhook`

use std::{path::Path, process::ExitCode};

use ambit_app::{AddWebhook, AddedWebhook, ChangeWebhook, WebhookView};
use ambit_domain::Failure;

use super::print_json;
use crate::{
    arguments::WebhookCommand,
    context,
    progress::Lines,
    screen::{Paint, columns, plain},
};

pub(crate) async fn run(folder: &Path, command: WebhookCommand, json: bool) -> Result<ExitCode, Failure> {
    let change =
        || Ok::<_, Failure>(ChangeWebhook { project: context::project(folder)?, actor: context::actor(folder) });
    let lines = Lines::new(json);
    match command {
        WebhookCommand::Add { from: _, fetch } => {
            let keys = context::keys(&context::project(folder)?)?;
            let request = AddWebhook { folder: folder.to_path_buf(), fetch, keys, actor: context::actor(folder) };
            let daemon = context::daemon().await?;
            let added = daemon.work("/v1/webhook/add", &request, |event| lines.show(&event)).await?;
            show(&added, json);
        }
        WebhookCommand::Rotate => {
            let added = context::daemon().await?.work("/v1/webhook/rotate", &change()?, |_| {}).await?;
            show(&added, json);
        }
        WebhookCommand::Remove => {
            let () = context::daemon().await?.work("/v1/webhook/remove", &change()?, |_| {}).await?;
            if json {
                print_json(&serde_json::json!({ "removed": true }));
            } else {
                println!("✓ removed; what is told from now on is refused. Remove it at GitHub, too.");
            }
        }
        WebhookCommand::List => list(&context::ambit()?.webhooks()?, json),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(added: &AddedWebhook, json: bool) {
    if json {
        print_json(added);
        return;
    }
    let AddedWebhook { view, secret } = added;
    let paint = Paint::stdout();
    println!("{} {} is listened to for {}", paint.good("✓"), plain(&view.repository), view.project);
    println!("  commits are fetched from {}", plain(&view.origin));
    println!("\n  enter at GitHub, under Settings · Webhooks:");
    println!("    Payload URL    {}", view.urls.first().map_or("", String::as_str));
    println!("    Content type   application/json");
    match secret {
        Some(secret) => println!("    Secret         {secret}      shown this once"),
        None => println!("    Secret         as before; ambit webhook rotate makes another"),
    }
    println!("    Events         pushes, branch or tag creation, branch or tag deletion, deployment reviews");
    if let [_, others @ ..] = view.urls.as_slice() {
        for url in others {
            println!("  on this machine: {url}");
        }
    }
}

fn list(all: &[WebhookView], json: bool) {
    if json {
        print_json(&all);
        return;
    }
    if all.is_empty() {
        println!("there is none; ambit webhook add github");
    }
    let row = |w: &WebhookView| vec![w.project.to_string(), plain(&w.repository), plain(&w.origin), w.urls.join(" ")];
    for line in columns(&all.iter().map(row).collect::<Vec<_>>(), "") {
        println!("{line}");
    }
}
