//! Railway's API, as its published schema and its notes describe it.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::{collections::BTreeMap, path::PathBuf};

use ambit_cloud::railway::{Project, Railway};
use ambit_domain::{
    FailureKind,
    railway::{OWNER, Owner, Place, PresentService, Setting},
};
use ambit_simulators::{Fault, GraphQl, Railway as Simulator, contract};

const SCHEMA: &str = "railway/schema.graphql";
const CONFIG: &str = "railway/environment-config.schema.json";

async fn account() -> Option<(Simulator, Railway)> {
    let simulator = Simulator::start(&contract(SCHEMA)?, &contract(CONFIG)?).await;
    let client = Railway::new(&simulator.base(), simulator.token()).unwrap();
    Some((simulator, client))
}

/// A project with one service, and where that is.
async fn project_with(client: &Railway) -> Place {
    let workspace = client.workspaces().await.unwrap()[0].id.clone();
    client.create_project(&workspace, "shop-dev", "ambit:shop/dev", "dev").await.unwrap().unwrap();
    let id = client.projects(&workspace).await.unwrap()[0].id.clone();
    let environment = client.project(&id).await.unwrap().environments["dev"].environment.clone();
    let owner = Owner::new("ambit:shop/dev/api");
    client.create_service(&id, &environment, "api", &owner).await.unwrap().unwrap();
    let service = one(&client.project(&id).await.unwrap()).id.clone();
    Place { project: id, environment, service }
}

fn one(project: &Project) -> &PresentService {
    &project.environments["dev"].services[0]
}

async fn read(client: &Railway, at: &Place) -> PresentService {
    one(&client.project(&at.project).await.unwrap()).clone()
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn every_document_is_one_that_the_published_schema_allows() {
    let Some(schema) = contract(SCHEMA) else { return };
    let schema = GraphQl::read(&schema).unwrap();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/railway/documents");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let document = std::fs::read_to_string(&file).unwrap();
        assert_eq!(schema.check(&document), Ok(()), "{}", file.display());
        checked += 1;
    }
    assert!(checked > 20, "{checked} documents");
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_service_is_told_everything_and_read_again_in_one_request() {
    let Some((simulator, client)) = account().await else { return };
    let at = project_with(&client).await;
    client.write_variables(&at, &[("LEVEL", "debug"), ("URL", "${{api.LEVEL}}")], &[]).await.unwrap().unwrap();
    let settings = BTreeMap::from([
        (Setting::RootDirectory, Some("api".to_owned())),
        (Setting::PreDeployCommand, Some("bin/shop migrate".to_owned())),
        (Setting::HealthcheckTimeout, Some("60".to_owned())),
        (Setting::Replicas, Some("2".to_owned())),
        (Setting::StartCommand, None),
    ]);
    client.write_settings(&at, &settings).await.unwrap().unwrap();
    client.create_host(&at, "api.shop.example", Some(3001)).await.unwrap().unwrap();
    let before = simulator.accepted().len();
    let there = read(&client, &at).await;
    assert_eq!(simulator.accepted().len(), before + 1);
    assert_eq!(there.owner().unwrap().mark, "ambit:shop/dev/api");
    assert_eq!(there.variables["URL"].as_deref(), Some("${{api.LEVEL}}"), "references are not resolved");
    let said: Vec<(Setting, &str)> = there.settings.iter().map(|(s, text)| (*s, text.as_str())).collect();
    let wanted = [
        (Setting::RootDirectory, "api"),
        (Setting::PreDeployCommand, "bin/shop migrate"),
        (Setting::HealthcheckTimeout, "60"),
        (Setting::Replicas, "2"),
    ];
    assert_eq!(said, wanted);
    let host = &there.hosts[0];
    assert_eq!((host.port, host.verified), (Some(3001), false));
    assert!(host.target.as_ref().unwrap().ends_with(".up.railway.app"));
    assert_eq!(host.proof.as_ref().unwrap().0, "_railway-verify.api.shop.example");
    let deployed =
        simulator.account().by_hand(|world| world.projects[0].environments[0].instances[&at.service].deployments.len());
    assert_eq!(deployed, 0);
    client.move_host(&host.id, &at.environment, Some(80)).await.unwrap().unwrap();
    assert_eq!(read(&client, &at).await.hosts[0].port, Some(80));
    client.delete_host(&host.id).await.unwrap().unwrap();
    client.rename_service(&at.service, "backend").await.unwrap().unwrap();
    let there = read(&client, &at).await;
    assert_eq!((there.name.as_str(), there.hosts.len()), ("backend", 0));
    assert_eq!(simulator.refused(), Vec::<String>::new());
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_host_is_verified_by_both_of_its_records_and_by_neither_alone() {
    let Some((simulator, client)) = account().await else { return };
    let at = project_with(&client).await;
    client.create_host(&at, "api.shop.example", None).await.unwrap().unwrap();
    let host = read(&client, &at).await.hosts[0].clone();
    let (target, (proof, token)) = (host.target.unwrap(), host.proof.unwrap());
    let cname = target.clone();
    simulator.account().names(move |kind, _| (kind == "CNAME").then(|| cname.clone()));
    assert!(!read(&client, &at).await.hosts[0].verified);
    simulator.account().names(move |kind, name| match kind {
        "CNAME" => Some(target.clone()),
        _ => (name == proof).then(|| token.clone()),
    });
    assert!(read(&client, &at).await.hosts[0].verified);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn being_connected_deploys_once_and_at_each_push_until_that_is_taken_back() {
    let Some((simulator, client)) = account().await else { return };
    let at = project_with(&client).await;
    client.connect(&at, "shop/shop", "develop").await.unwrap().unwrap();
    let there = read(&client, &at).await;
    assert_eq!((there.repository.as_deref(), there.trigger.unwrap().branch.as_str()), (Some("shop/shop"), "develop"));
    for trigger in client.triggers(&at).await.unwrap() {
        client.delete_trigger(&trigger).await.unwrap().unwrap();
    }
    let there = read(&client, &at).await;
    assert_eq!((there.repository.as_deref(), there.trigger), (Some("shop/shop"), None));
    client.create_trigger(&at, "shop/shop", "main").await.unwrap().unwrap();
    let trigger = read(&client, &at).await.trigger.unwrap();
    client.change_trigger(&trigger.id, "shop/shop", "develop").await.unwrap().unwrap();
    assert_eq!(read(&client, &at).await.trigger.unwrap().branch, "develop");
    let deployments = simulator
        .account()
        .by_hand(|world| world.projects[0].environments[0].instances[&at.service].deployments.clone());
    assert_eq!(deployments.len(), 1);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn variables_go_without_a_deployment_and_without_what_others_staged() {
    let Some((simulator, client)) = account().await else { return };
    let at = project_with(&client).await;
    client.write_variables(&at, &[("A", "1"), ("B", "2")], &[]).await.unwrap().unwrap();
    client.replace_variables(&at, &[("A", None), ("C", Some("3"))], &[]).await.unwrap().unwrap();
    let names: Vec<String> = read(&client, &at).await.variables.into_keys().collect();
    assert_eq!(names, [OWNER, "B", "C"]);
    let staged = serde_json::json!({ "services": { at.service.as_str(): { "deploy": { "numReplicas": 9 } } } });
    simulator.account().by_hand(|world| world.projects[0].environments[0].staged = Some(staged));
    let failure = client.replace_variables(&at, &[("B", None)], &[]).await.unwrap_err();
    assert!(failure.to_string().contains("staged"), "{failure:?}");
    // What an earlier try of ours staged is committed.
    let staged = serde_json::json!({ "services": { at.service.as_str(): { "variables": { "B": null } } } });
    simulator.account().by_hand(|world| world.projects[0].environments[0].staged = Some(staged));
    client.replace_variables(&at, &[("B", None)], &[]).await.unwrap().unwrap();
    let names: Vec<String> = read(&client, &at).await.variables.into_keys().collect();
    assert_eq!(names, [OWNER, "C"]);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_template_is_there_when_its_workflow_is_over() {
    let Some((simulator, client)) = account().await else { return };
    simulator.account().by_hand(|world| world.slow = 2);
    let at = project_with(&client).await;
    let template = client.template("postgres").await.unwrap();
    let mut config = template.serialized_config.clone().unwrap();
    for variable in config["services"]["postgres-service"]["variables"].as_object_mut().unwrap().values_mut() {
        variable["value"] = variable["defaultValue"].clone();
    }
    let workflow = client.deploy_template(&at.project, &at.environment, &template.id, &config).await.unwrap().unwrap();
    let workflow = workflow.unwrap();
    assert!(!client.is_over(&workflow).await.unwrap());
    while !client.is_over(&workflow).await.unwrap() {}
    let project = client.project(&at.project).await.unwrap();
    let postgres = project.environments["dev"].services.iter().find(|s| s.name == "Postgres").unwrap().clone();
    client.schedule_backups(&postgres.volumes[0].instance, &["DAILY", "WEEKLY"]).await.unwrap().unwrap();
    let project = client.project(&at.project).await.unwrap();
    let postgres = project.environments["dev"].services.iter().find(|s| s.name == "Postgres").unwrap().clone();
    assert_eq!(postgres.volumes[0].schedule, ["DAILY", "WEEKLY"]);
    client.delete_volume(&postgres.volumes[0].id).await.unwrap().unwrap();
    client.delete_service(&Place { service: postgres.id, ..at.clone() }).await.unwrap().unwrap();
    assert_eq!(client.project(&at.project).await.unwrap().environments["dev"].services.len(), 1);
    client.change_project(&at.project, Some("shop"), None).await.unwrap().unwrap();
    assert_eq!(client.project(&at.project).await.unwrap().listed.name, "shop");
    client.delete_project(&at.project).await.unwrap().unwrap();
    let failure = client.project(&at.project).await.unwrap_err();
    assert!(failure.causes.join(" ").contains("not there any more"), "{failure:?}");
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn reads_are_repeated_and_of_a_change_nobody_knows() {
    let Some((simulator, client)) = account().await else { return };
    simulator.fail([Fault::Status(500), Fault::Close, Fault::TooMany("0".to_owned())]);
    let workspace = client.workspaces().await.unwrap()[0].id.clone();
    for (fault, there) in [(Fault::Status(503), 0), (Fault::Close, 0), (Fault::CloseAfter, 1)] {
        // One that lost an answer may read once before its next change: the fault is for the change.
        let client = Railway::new(&simulator.base(), simulator.token()).unwrap();
        simulator.fail([fault]);
        let tried = client.create_project(&workspace, "shop", "", "dev").await.unwrap();
        assert!(tried.is_err());
        assert_eq!(client.projects(&workspace).await.unwrap().len(), there);
    }
    simulator.account().complain_after(0, true, "Problem processing request");
    assert!(client.create_project(&workspace, "shop", "", "dev").await.unwrap().is_err());
    assert_eq!(client.projects(&workspace).await.unwrap().len(), 2, "names are not unique there");
    let client = Railway::new(&simulator.base(), simulator.token()).unwrap();
    // What came too soon was not carried out, and is sent again.
    simulator.fail([Fault::TooMany("0".to_owned())]);
    client.create_project(&workspace, "shop", "", "dev").await.unwrap().unwrap();
    assert_eq!(client.projects(&workspace).await.unwrap().len(), 3);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_refusal_is_told_without_the_values_that_it_repeats() {
    let Some((simulator, client)) = account().await else { return };
    let at = project_with(&client).await;
    simulator.account().complain_after(0, false, "TOKEN is not hunter2-hunter2, is it");
    let secrets = ["hunter2-hunter2"];
    let failure = client.write_variables(&at, &[("TOKEN", secrets[0])], &secrets).await.unwrap_err();
    assert_eq!(failure.causes, ["TOKEN is not (secret), is it"]);
    client.create_host(&at, "api.shop.example", None).await.unwrap().unwrap();
    let failure = client.create_host(&at, "api.shop.example", None).await.unwrap_err();
    assert!(failure.causes[0].contains("already in use"), "{failure:?}");
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn the_quota_is_what_the_last_answer_said_and_none_of_it_is_waited_for_an_hour() {
    let Some((simulator, client)) = account().await else { return };
    assert_eq!(client.quota(), None);
    simulator.account().limit(2);
    client.workspaces().await.unwrap();
    let quota = client.quota().unwrap();
    assert_eq!((quota.calls, quota.seconds, quota.left), (2, 3600, Some(1)));
    client.workspaces().await.unwrap();
    let failure = client.workspaces().await.unwrap_err();
    assert!(failure.to_string().contains("3600 s"), "{failure:?}");
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_token_that_is_refused_is_told_with_what_is_needed_and_never_shown() {
    let Some((simulator, client)) = account().await else { return };
    let at = project_with(&client).await;
    simulator.account().by_hand(|world| {
        world.projects[0].tokens.push(["1".into(), "ci".into(), at.environment.clone(), "of-a-project".into()]);
    });
    for (token, says) in [("hunter2", "wrong or expired"), ("of-a-project", "token of one project")] {
        let client = Railway::new(&simulator.base(), token).unwrap();
        let failure = client.workspaces().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::User);
        assert!(failure.causes.join(" ").contains(says), "{failure:?}");
        assert!(failure.hints.join(" ").contains("railway.com/account/tokens"));
        assert!(!format!("{failure:?}").contains(token));
    }
    for bad in ["http://example.org", "ftp://x", ""] {
        assert!(Railway::new(bad, "x").is_err());
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn many_projects_are_read_in_pages() {
    let Some((simulator, client)) = account().await else { return };
    let workspace = client.workspaces().await.unwrap()[0].id.clone();
    simulator.account().by_hand(|world| {
        world.projects.extend((0..1_001).map(|n| ambit_simulators::railway::Project {
            id: format!("{n:08x}-0000-4000-8000-000000000000"),
            name: format!("n{n}"),
            workspace: workspace.clone(),
            ..Default::default()
        }));
    });
    assert_eq!(client.projects(&workspace).await.unwrap().len(), 1_001);
}
