//! What the HTTP API answers is what its document says: every operation is asked for, and every answer held against its schema.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may panic, and says where it is skipped.

#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;
#[path = "support/visit.rs"]
mod visit;

use std::{cell::RefCell, collections::BTreeSet, process::Command};

use serde_json::{Value, json};
use shop::Shop;
use support::until;
use visit::Visitor;

const TOML: &str = r#"
[environments.test]
kind = "staging"
branch = "main"
[environments.prod]
branch = "main"
approvers = ["lead@example.org"]
gates = ["qa", "issues"]
soak = "1s"
backup = { every = "6h", keep = "7d", point-in-time = true }
[costs]
budget = 20
[costs.shared]
expo = [0, 0, 29]
[costs.prod]
app = [5, 10]
[costs.railway.prod]
server = 7
[costs.stated]
all = { minimum = 5, recommended = 15 }
[secrets]
OPTIONAL = { required = false }
[variables]
GREETING = "hello"
[services.postgres]
"#;

/// Asks for operations by their names, as the document describes them.
struct Client {
    visitor: Visitor,
    document: Value,
    asked: RefCell<BTreeSet<String>>,
}

impl Client {
    fn ask(&self, operation: &str, fields: Value) -> Value {
        let mut fields = fields.as_object().unwrap().clone();
        fields.insert("project".to_owned(), json!("shop"));
        let (path, method, described) = self.described(operation);
        let mut address = path.to_owned();
        let mut rest = serde_json::Map::new();
        for (name, value) in fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let place = format!("{{{name}}}");
            if address.contains(&place) {
                address = address.replace(&place, &text);
            } else if method == "get" && path.contains("{project}") {
                address = format!("{address}{}{name}={text}", if address.contains('?') { '&' } else { '?' });
            } else if path.contains("{project}") {
                rest.insert(name, value);
            }
        }
        let body = if rest.is_empty() { Value::Null } else { Value::from(rest) };
        let answer = self.visitor.api(&method.to_uppercase(), &address, &body);
        let good = &described["responses"][answer.status.to_string()];
        assert!(good.is_object() && answer.status < 300, "{operation}: {} {}", answer.status, answer.body);
        let said = answer.json();
        let mut schema = good["content"]["application/json"]["schema"].clone();
        assert_ne!(schema, json!({}), "{operation} says nothing of its answer");
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(&said).map(|e| format!("{} at {}", e, e.instance_path())).collect();
        assert!(wrong.is_empty(), "{operation} is not as described:\n{}\n{said:#}", wrong.join("\n"));
        self.asked.borrow_mut().insert(operation.to_owned());
        said
    }

    fn described(&self, operation: &str) -> (&str, &str, &Value) {
        let paths = self.document["paths"].as_object().unwrap();
        let all = paths.iter().flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .iter()
                .map(move |(method, described)| (path.as_str(), method.as_str(), described))
        });
        let found = all.into_iter().find(|(_, _, described)| described["operationId"] == operation);
        found.unwrap_or_else(|| panic!("there is no operation {operation}"))
    }

    fn until_state(&self, number: &Value, states: &[&str]) {
        until(&format!("deployment {number} is {states:?}"), || {
            states.contains(&self.ask("deployment", json!({ "number": number }))["state"].as_str().unwrap())
        });
    }

    fn until_done(&self, work: &Value) {
        until("the work is done", || {
            let now = self.ask("work", json!({ "number": work["id"] }));
            assert_ne!(now["state"], "failed", "{now}");
            now["state"] == "done"
        });
    }
}

#[test]
fn every_answer_is_as_the_document_says() {
    if Command::new("pgbackrest").arg("version").output().is_err() {
        eprintln!("skipped: there is no pgbackrest (apt-get install pgbackrest)");
        return;
    }
    let shop = Shop::new(&["test", "prod"], TOML);
    shop.version("one");
    shop.up();
    shop.ok(&["user", "add", "lead@example.org", "--role", "admin"]);
    let sql = "CREATE TABLE people (id bigint PRIMARY KEY, email text); INSERT INTO people VALUES (1, 'a@b.example')";
    shop.ok(&["psql", "-e", "prod", "--", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", sql]);
    let visitor = Visitor::token(&shop, &["all", "--role", "admin", "--user", "lead@example.org"]);
    let document = visitor.api("GET", "/openapi.json", &Value::Null).json();
    let client = Client { visitor, document, asked: RefCell::default() };
    let ask = |operation: &str, fields: Value| client.ask(operation, fields);
    let (test, prod) = (json!({ "environment": "test" }), json!({ "environment": "prod" }));

    // A change goes from a commit to production, and back.
    shop.version("two");
    let deployed = ask("deploy", json!({ "environment": "test", "reason": "a try" }))["number"].clone();
    client.until_state(&deployed, &["succeeded"]);
    ask("deployment-log", json!({ "number": deployed }));
    let promote = || ask("promote", json!({ "environment": "prod", "from": "test" }))["number"].clone();
    let rejected = promote();
    client.until_state(&rejected, &["waiting"]);
    ask("reject", json!({ "number": rejected, "reason": "not yet" }));
    let cancelled = promote();
    client.until_state(&cancelled, &["waiting"]);
    ask("cancel", json!({ "number": cancelled, "reason": "not today" }));
    let promoted = promote();
    client.until_state(&promoted, &["waiting"]);
    ask("diff", json!({ "from": "test", "to": "prod" }));
    ask("gates", prod.clone());
    ask("verdict", json!({ "environment": "test", "yes": true, "comment": "good" }));
    ask("sign", json!({ "environment": "prod", "gate": "issues", "reason": "none is open" }));
    ask("waive", json!({ "environment": "prod", "gate": "qa", "reason": "in a hurry" }));
    ask("approve", json!({ "number": promoted, "reason": "good" }));
    client.until_state(&promoted, &["succeeded"]);
    ask("rollback-preview", prod.clone());
    let back = ask("rollback", json!({ "environment": "prod", "reason": "a try" }))["number"].clone();
    client.until_state(&back, &["succeeded"]);

    // Data: a backup, a restore beside and into place; a masked copy.
    client.until_done(&ask("back-up", prod.clone()));
    ask("backups", prod.clone());
    ask("classification", prod.clone());
    shop.ok(&["data", "classify", "-e", "prod"]);
    ask("classification", prod.clone());
    shop.ok(&["data", "copy", "prod", "test"]);
    ask("copies", test.clone());
    ask("rehearsals", prod.clone());
    let begun = ask("restore", prod.clone());
    client.until_done(&begun);
    let name = ask("work", json!({ "number": begun["id"] }))["result"]["name"].clone();
    client.until_done(&ask("put-in-place", json!({ "environment": "prod", "name": name, "confirm": "prod" })));
    let beside = ask("backups", prod.clone())["beside"][0]["name"].clone();
    ask("remove-copy", json!({ "environment": "prod", "name": beside }));

    // What is told to the world.
    let incident = json!({ "title": "Logins fail", "services": "app", "text": "We are looking into it." });
    let number = ask("open-incident", incident)["number"].clone();
    ask("update-incident", json!({ "number": number, "text": "It is the disk." }));
    ask("resolve-incident", json!({ "number": number, "text": "It is over." }));
    ask("incidents", json!({}));
    ask("status-page", json!({}));

    // What is only looked at.
    for operation in ["projects", "status", "deployments", "variables", "builds", "cost", "audit"] {
        ask(operation, json!({}));
    }
    ask("logs", json!({ "environment": "test", "since": "1h" }));
    until("something was measured", || !ask("series", prod.clone()).as_array().unwrap().is_empty());
    ask("metrics", json!({ "environment": "prod", "series": "memory/postgres" }));

    let all: BTreeSet<String> = client.document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|described| described["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(*client.asked.borrow(), all, "operations that were not asked for");
}
