//! What a free account holds, and what it may.

use serde_json::{Value, json};

/// Of a free account.
const MONITORS: usize = 50;
const INTERVAL: u64 = 300;

type Wrong = (u16, String);

#[derive(Default)]
pub(super) struct Account {
    /// As the API lists them.
    pub(super) monitors: Vec<Value>,
    /// Of people and of the team.
    contacts: Vec<(bool, Value)>,
    made: u64,
}

impl Account {
    fn number(&mut self) -> u64 {
        self.made += 1;
        800_000_000 + self.made
    }

    pub(super) fn add_contact(&mut self, kind: &str, name: &str) -> u64 {
        let id = self.number();
        let contact = json!({
            "id": id, "friendlyName": name, "type": kind, "status": "Active", "enableNotificationsFor": "UpAndDown",
            "sslExpirationReminder": true, "value": format!("https://value.example/{id}"), "customValue": null,
            "customValue2": null, "customValue3": null, "customValue4": null, "httpUsername": null, "httpPassword": null,
            "authType": null, "mobileProviderId": null, "orgAlertContactId": null,
        });
        self.contacts.push((kind != "Email", contact));
        id
    }

    pub(super) fn contacts(&self, of_the_team: bool) -> Vec<&Value> {
        self.contacts.iter().filter(|(team, _)| *team == of_the_team).map(|(_, contact)| contact).collect()
    }

    pub(super) fn create(&mut self, body: &Value) -> Result<Value, Wrong> {
        if self.monitors.len() >= MONITORS {
            return Err((403, "You have reached your monitor limit.".to_owned()));
        }
        let id = self.number();
        let mut monitor = json!({
            "id": id, "type": body["type"], "status": "STARTED", "friendlyName": "", "url": "", "interval": 0, "timeout": 30, "tags": [],
            "assignedAlertContacts": [], "userId": 1, "sslBrand": null, "sslExpiryDateTime": null, "domainExpireDate": null,
            "checkSSLErrors": false, "sslExpirationReminder": false, "domainExpirationReminder": false, "followRedirections": true,
            "authType": "NONE", "customHttpHeaders": null, "httpMethodType": "HEAD", "successHttpResponseCodes": ["2xx", "3xx"],
            "postValueData": null, "postValueType": null, "port": null, "gracePeriod": 0, "keywordValue": "", "keywordCaseType": 0,
            "keywordType": null, "responseTimeThreshold": 0, "config": null, "regionalData": { "REGION": ["na"] },
            "maintenanceWindows": [], "psps": [], "currentStateDuration": 0, "lastIncidentId": null,
            "lastDayUptimes": { "bucketSize": 1800, "histogram": [] }, "createDateTime": "2026-01-01T00:00:00.000Z", "apiKey": null,
        });
        self.write(&mut monitor, body)?;
        self.monitors.push(monitor.clone());
        Ok(monitor)
    }

    pub(super) fn change(&mut self, id: u64, body: &Value) -> Result<Value, Wrong> {
        let at = self.at(id)?;
        let mut monitor = self.monitors[at].clone();
        if body.get("type").is_some_and(|kind| *kind != monitor["type"]) {
            return Err((400, "Monitor type cannot be changed.".to_owned()));
        }
        self.write(&mut monitor, body)?;
        self.monitors[at] = monitor.clone();
        Ok(monitor)
    }

    pub(super) fn set_status(&mut self, id: u64, status: &str) -> Result<Value, Wrong> {
        let at = self.at(id)?;
        self.monitors[at]["status"] = status.into();
        Ok(self.monitors[at].clone())
    }

    pub(super) fn delete(&mut self, id: u64) -> Result<(), Wrong> {
        let at = self.at(id)?;
        self.monitors.remove(at);
        Ok(())
    }

    fn at(&self, id: u64) -> Result<usize, Wrong> {
        self.monitors.iter().position(|m| m["id"] == id).ok_or((404, "Monitor not found".to_owned()))
    }

    /// Lays a body over a monitor as a free account may. Two monitors of one name or URL are fine.
    fn write(&mut self, monitor: &mut Value, body: &Value) -> Result<(), Wrong> {
        let refused = |why: &str| Err((400, why.to_owned()));
        for (key, value) in body.as_object().into_iter().flatten() {
            match key.as_str() {
                "friendlyName" | "url" => monitor[key] = escaped(value.as_str().unwrap_or_default()).into(),
                "interval" if value.as_f64().is_none_or(|v| v < INTERVAL as f64) => {
                    return refused("Your plan allows an interval of 300 seconds or more.");
                }
                "customFields" => return refused("Custom fields are not part of your plan."),
                "tagNames" => monitor["tags"] = self.tags(value)?,
                "assignedAlertContacts" => {
                    for told in value.as_array().into_iter().flatten() {
                        if told["threshold"] != 0 || told["recurrence"] != 0 {
                            return refused("Threshold and recurrence are not part of your plan.");
                        }
                        if !self.contacts.iter().any(|(_, contact)| contact["id"] == told["alertContactId"]) {
                            return refused("Alert contact not found.");
                        }
                    }
                    monitor[key] = value.clone();
                }
                _ => monitor[key] = value.clone(),
            }
        }
        Ok(())
    }

    /// Tags are made by being named.
    fn tags(&mut self, names: &Value) -> Result<Value, Wrong> {
        let mut tags = Vec::new();
        for name in names.as_array().into_iter().flatten().filter_map(Value::as_str) {
            if name.is_empty() || name.chars().any(|c| c.is_uppercase() || c.is_whitespace() || c == ',') {
                return Err((400, "Tags must be in lower case.".to_owned()));
            }
            tags.push(json!({ "id": self.number(), "name": name, "color": "#3BD671" }));
        }
        Ok(tags.into())
    }
}

/// The service answers names and URLs as it would show them in a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
