//! The simulated Railway: what the real one refuses, it refuses.

#![allow(clippy::unwrap_used)] // A test may panic.

use ambit_simulators::{RailwayAccount, Reply, Request, Service, contract};
use serde_json::{Value, json};

fn account() -> Option<RailwayAccount> {
    let (schema, config) =
        contract("railway/schema.graphql").zip(contract("railway/environment-config.schema.json"))?;
    Some(RailwayAccount::new(&schema, &config).unwrap())
}

fn sent(account: &RailwayAccount, header: (&'static str, String), query: &str, variables: &Value) -> Reply {
    let mut headers = hyper::HeaderMap::new();
    headers.insert(header.0, header.1.parse().unwrap());
    account.reply(&Request {
        at: std::time::Instant::now(),
        method: hyper::Method::POST,
        path: "/".to_owned(),
        query: String::new(),
        headers,
        body: json!({ "query": query, "variables": variables }).to_string().into(),
    })
}

fn asked(account: &RailwayAccount, query: &str, variables: &Value) -> (u16, Value) {
    let reply = sent(account, ("authorization", format!("Bearer {}", account.token())), query, variables);
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

fn error(account: &RailwayAccount, query: &str, variables: &Value) -> String {
    asked(account, query, variables).1["errors"][0]["message"].as_str().unwrap_or_default().to_owned()
}

/// Ids of a new project, its environment and a service in it.
fn made(account: &RailwayAccount) -> [String; 3] {
    let query =
        "mutation { projectCreate(input: { name: \"shop\" }) { id environments { edges { node { id name } } } } }";
    let (_, answer) = asked(account, query, &Value::Null);
    let project = &answer["data"]["projectCreate"];
    let environment = &project["environments"]["edges"][0]["node"];
    assert_eq!(environment["name"], "production");
    let (project, environment) = (project["id"].as_str().unwrap(), environment["id"].as_str().unwrap());
    let query = "mutation($p: String!) { serviceCreate(input: { projectId: $p, name: \"api\" }) { id } }";
    let (_, answer) = asked(account, query, &json!({ "p": project }));
    let service = answer["data"]["serviceCreate"]["id"].as_str().unwrap();
    [project.to_owned(), environment.to_owned(), service.to_owned()]
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn errors_come_with_200_and_what_the_schema_forbids_with_400() {
    let Some(account) = account() else { return };
    let (status, answer) = asked(&account, "{ project(id: \"nobody\") { name } }", &Value::Null);
    assert_eq!((status, answer["errors"][0]["message"].as_str()), (200, Some("Not Authorized")));
    for (query, variables) in [
        ("{ project(id: \"x\") { nmae } }", Value::Null),
        ("mutation { deploymentRollback(id: \"x\") { id } }", Value::Null),
        (
            "mutation($i: ServiceInstanceUpdateInput!) { serviceInstanceUpdate(serviceId: \"x\", input: $i) }",
            json!({ "i": { "replicas": 2 } }),
        ),
        ("query($n: String!) { project(id: $n) { name } }", json!({})),
    ] {
        let (status, answer) = asked(&account, query, &variables);
        assert_eq!((status, answer["data"].clone()), (400, Value::Null), "{query}");
    }
    let wrong = sent(&account, ("authorization", "Bearer nobody".into()), "{ me { id } }", &Value::Null);
    assert!(String::from_utf8_lossy(&wrong.body).contains("Not Authorized"));
    assert!(error(&account, "{ regions { name } }", &Value::Null).contains("does not answer"));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_projects_token_opens_its_environment_alone_and_only_in_its_own_header() {
    let Some(account) = account() else { return };
    let [project, environment, _] = made(&account);
    let query = "mutation($p: String!, $e: String!) { projectTokenCreate(input: { projectId: $p, environmentId: $e, name: \"ci\" }) }";
    let (_, answer) = asked(&account, query, &json!({ "p": project, "e": environment }));
    let token = answer["data"]["projectTokenCreate"].as_str().unwrap();
    let by = |header: &'static str, prefix: &str, query: &str| {
        let reply = sent(&account, (header, format!("{prefix}{token}")), query, &json!({ "p": project }));
        serde_json::from_slice::<Value>(&reply.body).unwrap()["errors"].is_null()
    };
    let own = "query($p: String!) { project(id: $p) { name } }";
    let all = "query($p: String!) { projects { edges { node { id } } } project(id: $p) { id } }";
    assert!(by("project-access-token", "", own));
    assert!(!by("project-access-token", "", all) && !by("authorization", "Bearer ", own));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn variables_are_texts_and_deploy_unless_they_are_told_not_to() {
    let Some(account) = account() else { return };
    let [project, environment, service] = made(&account);
    let write = |more: &str, variables: Value| {
        let query = format!(
            "mutation($p: String!, $e: String!, $s: String!, $v: EnvironmentVariables!) {{ variableCollectionUpsert(input: {{ projectId: $p, environmentId: $e, serviceId: $s, variables: $v{more} }}) }}"
        );
        error(&account, &query, &json!({ "p": project, "e": environment, "s": service, "v": variables }))
    };
    let deployments = || account.by_hand(|w| w.projects[0].environments[0].instances[&service].deployments.len());
    assert!(write("", json!({ "PORT": 3001 })).contains("has to be a string"));
    account.by_hand(|w| {
        let instance = w.projects[0].environments[0].instances.get_mut(&service).unwrap();
        instance.source.insert("image".into(), "shop:1".into());
    });
    assert_eq!(
        (write(", skipDeploys: true", json!({ "A": "1", "B": "${{api.A}}2" })), deployments()),
        (String::new(), 0)
    );
    let query = "query($p: String!, $e: String!, $s: String!, $u: Boolean) { variables(projectId: $p, environmentId: $e, serviceId: $s, unrendered: $u) }";
    let read = |unrendered: bool| {
        let of = json!({ "p": project, "e": environment, "s": service, "u": unrendered });
        asked(&account, query, &of).1["data"]["variables"]["B"].as_str().unwrap().to_owned()
    };
    assert_eq!((read(true).as_str(), read(false).as_str()), ("${{api.A}}2", "12"));
    assert_eq!((write("", json!({ "C": "1" })), deployments()), (String::new(), 1));
    assert_eq!(write(", skipDeploys: true, replace: true", json!({ "D": "1" })), "");
    let names = account.by_hand(|w| w.projects[0].environments[0].instances[&service].variables.len());
    assert_eq!(names, 1, "replacing deletes what is not listed");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn patches_are_held_against_the_schema_of_settings() {
    let Some(account) = account() else { return };
    let [_, environment, service] = made(&account);
    let commit = |patch: Value| {
        let query =
            "mutation($e: String!, $p: EnvironmentConfig!) { environmentPatchCommit(environmentId: $e, patch: $p) }";
        error(&account, query, &json!({ "e": environment, "p": patch }))
    };
    let of = |part: Value| json!({ "services": { service.as_str(): part } });
    for wrong in [
        of(json!({ "deploys": {} })),
        of(json!({ "variables": { "A": "1" } })),
        of(json!({ "deploy": { "numReplicas": "2" } })),
        json!([]),
    ] {
        assert!(commit(wrong).contains("Invalid environment config"));
    }
    assert_eq!(commit(of(json!({ "variables": { "A": { "value": "1" } }, "deploy": { "startCommand": "x" } }))), "");
    assert_eq!(commit(of(json!({ "variables": { "A": null } }))), "");
    assert!(commit(json!({ "services": { "nobody": {} } })).contains("Not Authorized"));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn deployments_get_on_and_fail_where_they_are_told_to() {
    let Some(account) = account() else { return };
    let [project, environment, service] = made(&account);
    let of = json!({ "p": project, "e": environment, "s": service });
    let deploy = "mutation($e: String!, $s: String!) { serviceInstanceDeployV2(environmentId: $e, serviceId: $s, commitSha: \"abc\") }";
    let two = json!({ "e": environment, "s": service });
    assert!(error(&account, deploy, &two).contains("No source"));
    account.by_hand(|w| {
        w.projects[0].environments[0]
            .instances
            .get_mut(&service)
            .unwrap()
            .source
            .insert("image".into(), "shop:1".into());
    });
    let id = asked(&account, deploy, &two).1["data"]["serviceInstanceDeployV2"].as_str().unwrap().to_owned();
    let state = |id: &str| {
        let query = "query($id: String!) { deployment(id: $id) { status canRollback meta } }";
        asked(&account, query, &json!({ "id": id })).1["data"]["deployment"].clone()
    };
    let states: Vec<Value> = (0..5).map(|_| state(&id)["status"].clone()).collect();
    assert_eq!(states, ["INITIALIZING", "BUILDING", "DEPLOYING", "SUCCESS", "SUCCESS"]);
    assert_eq!(state(&id)["meta"]["commitHash"], "abc");
    account.by_hand(|w| w.fails_in = Some("BUILDING".into()));
    let failing = asked(&account, deploy, &two).1["data"]["serviceInstanceDeployV2"].as_str().unwrap().to_owned();
    let states: Vec<Value> = (0..3).map(|_| state(&failing)["status"].clone()).collect();
    assert_eq!(states, ["INITIALIZING", "BUILDING", "FAILED"]);
    assert_eq!(state(&id)["status"], "SUCCESS", "what served before still does");
    let back = "mutation($id: String!) { deploymentRollback(id: $id) }";
    assert!(error(&account, back, &json!({ "id": failing })).contains("cannot be rolled back"));
    assert_eq!(error(&account, back, &json!({ "id": id })), "");
    let list = "query($p: String!, $e: String!, $s: String!) { deployments(first: 1, input: { projectId: $p, environmentId: $e, serviceId: $s }) { edges { node { meta } } pageInfo { hasNextPage } } }";
    let (_, answer) = asked(&account, list, &of);
    assert_eq!(answer["data"]["deployments"]["edges"][0]["node"]["meta"]["imageOf"], id.as_str());
    assert_eq!(answer["data"]["deployments"]["pageInfo"]["hasNextPage"], true);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn no_request_makes_it_panic() {
    let Some(account) = account() else { return };
    let mut request = Request {
        at: std::time::Instant::now(),
        method: hyper::Method::GET,
        path: String::new(),
        query: String::new(),
        headers: hyper::HeaderMap::new(),
        body: bytes::Bytes::new(),
    };
    assert_eq!(account.reply(&request).status, 405);
    request.method = hyper::Method::POST;
    for body in
        ["", "null", "[]", "{\"query\": 1}", "{\"query\": \"{\"}", "{\"query\": \"{ a }\", \"variables\": 1}", "\u{0}"]
    {
        request.body = body.into();
        assert_eq!(account.reply(&request).status, 400, "{body}");
    }
    account.limit(1);
    assert_ne!(account.reply(&request).status, 429);
    let reply = account.reply(&request);
    assert_eq!(reply.status, 429);
    assert!(reply.headers.iter().any(|(name, value)| *name == "retry-after" && value == "3600"));
}
