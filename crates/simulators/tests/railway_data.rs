//! What is behind the databases of a simulated Railway.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::process::Command;

use ambit_simulators::{RailwayAccount, Request, Service, contract};
use serde_json::{Value, json};

struct Account(RailwayAccount);

impl Account {
    fn new() -> Option<Self> {
        let (schema, config) =
            (contract("railway/schema.graphql")?, contract("railway/environment-config.schema.json")?);
        Some(Self(RailwayAccount::new(&schema, &config).unwrap()))
    }

    fn ask(&self, document: &str, variables: Value) -> Value {
        let answer = self.said(document, variables);
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"].clone()
    }

    fn said(&self, document: &str, variables: Value) -> Value {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let mut headers = hyper::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", self.0.token()).parse().unwrap());
        let request = Request {
            at: std::time::Instant::now(),
            method: hyper::Method::POST,
            path: "/graphql/v2".to_owned(),
            query: String::new(),
            headers,
            body: body.into(),
        };
        serde_json::from_slice(&self.0.reply(&request).body).unwrap()
    }

    /// The ids of a new project with that template's service: project, environment, service.
    fn database(&self, code: &str) -> [String; 3] {
        let create = "mutation($input: ProjectCreateInput!) { projectCreate(input: $input) { id environments { edges { node { id } } } } }";
        let project = &self.ask(create, json!({ "input": { "name": "shop" } }))["projectCreate"];
        let (id, environment) = (&project["id"], &project["environments"]["edges"][0]["node"]["id"]);
        let template =
            self.ask("query($code: String) { template(code: $code) { id serializedConfig } }", json!({ "code": code }))
                ["template"]
                .clone();
        let mut config = template["serializedConfig"].clone();
        for service in config["services"].as_object_mut().unwrap().values_mut() {
            for variable in service["variables"].as_object_mut().unwrap().values_mut() {
                variable["value"] = variable["defaultValue"].clone();
            }
        }
        let deploy = "mutation($input: TemplateDeployV2Input!) { templateDeployV2(input: $input) { workflowId } }";
        let input = json!({ "projectId": id, "environmentId": environment, "templateId": template["id"], "serializedConfig": config });
        self.ask(deploy, json!({ "input": input }));
        let services =
            "query($id: String!) { environment(id: $id) { serviceInstances { edges { node { serviceId } } } } }";
        let found = self.ask(services, json!({ "id": environment }));
        let service = &found["environment"]["serviceInstances"]["edges"][0]["node"]["serviceId"];
        [id, environment, service].map(|id| id.as_str().unwrap().to_owned())
    }

    fn variables(&self, [project, environment, service]: &[String; 3]) -> Value {
        let document = "query($p: String!, $e: String!, $s: String) { variables(projectId: $p, environmentId: $e, serviceId: $s) }";
        self.ask(document, json!({ "p": project, "e": environment, "s": service }))["variables"].clone()
    }
}

fn servers(port: u64) -> usize {
    let port = format!("{port}");
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|e| std::fs::read(e.ok()?.path().join("cmdline")).ok());
    all.filter(|line| String::from_utf8_lossy(line).contains(&port)).count()
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_database_is_reached_by_its_public_url_and_ends_with_the_account() {
    let Some(account) = Account::new() else { return };
    let ids = account.database("postgres");
    let url = account.variables(&ids)["DATABASE_PUBLIC_URL"].as_str().unwrap().to_owned();
    let run = |sql: &str| {
        let output =
            Command::new("psql").args(["-XAt", "-c", sql, &format!("{url}?sslmode=require")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run("create table t as select generate_series(1, 3) n");
    assert_eq!(run("select count(*), current_database() from t"), "3|railway\n");
    let document = "query($e: String!, $s: String!) { tcpProxies(environmentId: $e, serviceId: $s) { domain proxyPort applicationPort } }";
    let proxies = account.ask(document, json!({ "e": ids[1], "s": ids[2] }))["tcpProxies"].clone();
    let port = proxies[0]["proxyPort"].as_u64().unwrap();
    assert!(url.contains(&format!("@127.0.0.1:{port}/")), "{url} {proxies}");
    assert_eq!(proxies[0]["applicationPort"], 5432);
    assert!(servers(port) > 0);
    drop(account);
    assert_eq!(servers(port), 0);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_redis_is_reached_too_and_ends_with_its_service() {
    let Some(account) = Account::new() else { return };
    let ids = account.database("redis");
    let url = account.variables(&ids)["REDIS_PUBLIC_URL"].as_str().unwrap().to_owned();
    let said = Command::new("redis-cli").args(["-u", &url, "set", "k", "v"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "OK\n", "{}", String::from_utf8_lossy(&said.stderr));
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    let delete = "mutation($id: String!) { serviceDelete(id: $id) }";
    account.ask(delete, json!({ "id": ids[2] }));
    account.ask("query { apiToken { workspaces { id } } }", json!({}));
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_restore_makes_a_service_beside_with_the_data_of_its_moment() {
    let Some(account) = Account::new() else { return };
    let ids = account.database("postgres");
    let [project, environment, service] = &ids;
    let at = json!({ "id": environment });
    let refused = |document: &str, variables: Value| {
        let why = account.said(document, variables)["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(!why.is_empty());
        why
    };
    let volumes =
        "query($id: String!) { environment(id: $id) { volumeInstances { edges { node { id serviceId } } } } }";
    let volume = account.ask(volumes, at)["environment"]["volumeInstances"]["edges"][0]["node"]["id"].clone();
    let restore = "mutation($v: String!, $t: DateTime!, $n: String) { volumeInstancePITRRestore(volumeInstanceId: $v, targetTimestamp: $t, newServiceName: $n) { workflowId } }";
    let to = |moment: &str| json!({ "v": volume, "t": moment, "n": "look" });
    assert!(refused(restore, to("2026-11-01T00:00:00Z")).contains("not enabled"));

    let template =
        account.ask("query { template(code: \"postgres-pitr\") { id serializedConfig } }", json!({}))["template"]
            .clone();
    let deploy = "mutation($input: TemplateDeployV2Input!) { templateDeployV2(input: $input) { workflowId } }";
    let input = json!({ "projectId": project, "environmentId": environment, "templateId": template["id"],
        "serializedConfig": template["serializedConfig"], "existingRootServiceId": service, "stageOnly": true });
    account.ask(deploy, json!({ "input": input }));
    let commit = "mutation($e: String!) { environmentPatchCommitStaged(environmentId: $e) }";
    account.ask(commit, json!({ "e": environment }));
    assert!(refused(restore, to("2026-11-01T00:00:00Z")).contains("outside the available restore window"));
    assert!(refused(restore, to("2099-11-01T00:00:00Z")).contains("outside the available restore window"));

    let run = |ids: &[String; 3], sql: &str| {
        let url = account.variables(ids)["DATABASE_PUBLIC_URL"].as_str().unwrap().to_owned();
        let url = format!("{url}?sslmode=require");
        let output = Command::new("psql").args(["-XAtq", "-c", sql, &url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    run(&ids, "create table t as select generate_series(1, 3) n");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let moment = jiff::Timestamp::now().to_string();
    std::thread::sleep(std::time::Duration::from_millis(20));
    run(&ids, "delete from t");
    account.ask(restore, to(&moment));
    let services = "query($id: String!) { project(id: $id) { services { edges { node { id name } } } } }";
    let all = account.ask(services, json!({ "id": project }))["project"]["services"]["edges"].clone();
    let look = all.as_array().unwrap().iter().find(|s| s["node"]["name"] == "look").unwrap()["node"]["id"].clone();
    let look = [project.clone(), environment.clone(), look.as_str().unwrap().to_owned()];
    let open = "mutation($input: TCPProxyCreateInput!) { tcpProxyCreate(input: $input) { id } }";
    account
        .ask(open, json!({ "input": { "applicationPort": 5432, "environmentId": environment, "serviceId": look[2] } }));
    assert_eq!(run(&look, "select count(*) from t"), "3");
    assert_eq!(run(&ids, "select count(*) from t"), "0");
    assert!(account.variables(&look)["WAL_ARCHIVE_BUCKET"].is_null(), "what is restored archives nothing");
}
