//! The mobile app at Expo (its schema is in github.com/expo/eas-cli). Everything is asked by GraphQL, whose answers are 200 whatever
//! came of them; what passes says so itself.

use ambit_domain::{
    Failure, FailureKind,
    expo::{Build, BuildError, BuildState, Present, Variable},
};
use hyper::{Method, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    api::{Api, Carried, Trouble},
    http::Answer,
};

/// Where the API is.
pub const BASE: &str = "https://api.expo.dev";
/// How many builds of a profile are of interest.
const BUILDS: u32 = 20;

const BUILDS_OF_PROFILE: &str = concat!(include_str!("expo/builds.graphql"), include_str!("expo/build_fields.graphql"));
const BUILD: &str = concat!(include_str!("expo/build.graphql"), include_str!("expo/build_fields.graphql"));
const VARIABLES: &str = include_str!("expo/variables.graphql");
const CREATE_VARIABLE: &str = include_str!("expo/create_variable.graphql");
const UPDATE_VARIABLE: &str = include_str!("expo/update_variable.graphql");

/// Every document that is sent, for holding them against the published schema.
pub const DOCUMENTS: [&str; 5] = [BUILDS_OF_PROFILE, BUILD, VARIABLES, CREATE_VARIABLE, UPDATE_VARIABLE];

/// A project of an account, by the account's token.
pub struct Expo {
    api: Api,
    /// `@owner/slug`
    project: String,
}

/// The variables of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    /// By what Expo knows the project.
    pub app: String,
    /// Those with the names that were asked for.
    pub there: Vec<Present>,
}

#[derive(Deserialize)]
struct Envelope {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    message: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Extensions {
    error_code: Option<String>,
    is_transient: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    status: String,
    platform: String,
    build_profile: Option<String>,
    app_version: Option<String>,
    app_build_version: Option<String>,
    git_commit_hash: Option<String>,
    is_git_working_tree_dirty: Option<bool>,
    created_at: String,
    expiration_date: Option<String>,
    queue_position: Option<u32>,
    error: Option<Wrong>,
    artifacts: Option<Artifacts>,
    app: Option<OfApp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfApp {
    full_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrong {
    error_code: String,
    message: String,
    docs_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifacts {
    application_archive_url: Option<String>,
    build_url: Option<String>,
}

#[derive(Deserialize)]
struct Kept {
    id: String,
    name: String,
    value: Option<String>,
    environments: Option<Vec<String>>,
    scope: String,
    visibility: Option<String>,
}

impl Expo {
    /// `base` is [`BASE`], or a server of the same API over TLS or on this machine.
    pub fn new(base: &str, token: &str, project: &str) -> Result<Self, Failure> {
        let api = Api::new("Expo", base, (header::AUTHORIZATION, "Bearer ", token), &[])?;
        Ok(Self { api, project: project.to_owned() })
    }

    /// The newest builds by a profile, the newest first.
    pub async fn builds(&self, profile: &str) -> Result<Vec<Build>, Failure> {
        let filter = json!({ "buildProfile": profile });
        let variables = json!({ "fullName": self.project, "limit": BUILDS, "filter": filter });
        let entries: Vec<Entry> = self.read(BUILDS_OF_PROFILE, &variables, "/app/byFullName/builds").await?;
        entries.into_iter().map(build).collect()
    }

    /// One build.
    pub async fn build(&self, id: &str) -> Result<Build, Failure> {
        let entry: Entry = self.read(BUILD, &json!({ "id": id }), "/builds/byId").await?;
        match &entry.app {
            Some(app) if app.full_name.eq_ignore_ascii_case(&self.project) => build(entry),
            _ => Err(Failure::new(FailureKind::NotFound, format!("{} has no build {id}", self.project))
                .hint("ambit mobile builds --expo lists those that there are")),
        }
    }

    /// The variables of these names, those of the account that it may use among them.
    pub async fn variables(&self, names: &[&str]) -> Result<Variables, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct App {
            id: String,
            environment_variables: Vec<Kept>,
        }
        let variables = json!({ "fullName": self.project, "names": names });
        let app: App = self.read(VARIABLES, &variables, "/app/byFullName").await?;
        Ok(Variables { app: app.id, there: app.environment_variables.into_iter().map(present).collect() })
    }

    /// Makes a variable. One of that name in that environment says this from then on.
    pub async fn create(&self, app: &str, variable: &Variable) -> Result<Carried, Failure> {
        let made = json!({
            "name": variable.name, "value": variable.value, "environments": [variable.at],
            "visibility": "PUBLIC", "type": "STRING", "overwrite": true,
        });
        self.write(CREATE_VARIABLE, &json!({ "appId": app, "variables": [made] })).await
    }

    /// Makes a variable say something else, wherever it is used.
    pub async fn change(&self, present: &Present, variable: &Variable) -> Result<Carried, Failure> {
        let changed = json!({ "id": present.id, "value": variable.value, "visibility": "PUBLIC" });
        self.write(UPDATE_VARIABLE, &json!({ "variable": changed })).await
    }

    /// Takes a variable out of one environment; in the others it stays.
    pub async fn take_out(&self, present: &Present, environment: &str) -> Result<Carried, Failure> {
        let others = present.environments.iter().filter(|name| !name.eq_ignore_ascii_case(environment));
        let changed = json!({ "id": present.id, "environments": others.collect::<Vec<_>>() });
        self.write(UPDATE_VARIABLE, &json!({ "variable": changed })).await
    }

    async fn read<T: DeserializeOwned>(&self, document: &str, variables: &Value, at: &str) -> Result<T, Failure> {
        let body = asked(document, variables);
        let understand = |answer: &Answer| {
            let found = self.understood(answer)?.pointer_mut(at).map(Value::take).unwrap_or_default();
            serde_json::from_value(found).map_err(|_| {
                Trouble::Passing(format!("{} with something that is no answer", self.api.said(answer)), None)
            })
        };
        self.api.repeat(Method::POST, "/graphql", Some(body.as_bytes()), understand).await
    }

    async fn write(&self, document: &str, variables: &Value) -> Result<Carried, Failure> {
        let body = asked(document, variables);
        let understand = |answer: &Answer| self.understood(answer).map(drop);
        let tried = self.api.once_in_turn(Method::POST, "/graphql", Some(body.as_bytes()), understand).await?;
        Ok(tried.map_or_else(Carried::Unknown, |()| Carried::Done))
    }

    fn understood(&self, answer: &Answer) -> Result<Value, Trouble> {
        let said = self.api.said(answer);
        let read = serde_json::from_str::<Envelope>(&answer.body);
        let errors = read.as_ref().map_or(&[][..], |envelope| &envelope.errors);
        if let (true, Some(first)) = (answer.status.is_success(), errors.first())
            && errors.iter().all(|e| e.extensions.is_transient == Some(true))
        {
            return Err(Trouble::Passing(format!("Expo says: {}", first.message), None));
        }
        match read {
            Ok(Envelope { data: Some(data), errors }) if answer.status.is_success() && errors.is_empty() => Ok(data),
            Ok(Envelope { errors, .. }) => Err(Trouble::Final(self.refused(answer.status, said, &errors))),
            Err(_) if answer.status.is_success() => {
                Err(Trouble::Passing(format!("{said} with something that is no answer"), None))
            }
            Err(_) => Err(Trouble::Final(self.refused(answer.status, said, &[]))),
        }
    }

    fn refused(&self, status: StatusCode, said: String, errors: &[Said]) -> Failure {
        let what = if status.is_success() { "Expo refused that".to_owned() } else { said };
        let mut failure = Failure::new(FailureKind::User, what);
        for error in errors {
            let code = error.extensions.error_code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            failure = failure.because(format!("{}{code}", error.message));
        }
        let has_code =
            |part: &str| errors.iter().any(|e| e.extensions.error_code.as_ref().is_some_and(|c| c.contains(part)));
        if has_code("FREE_TIER_LIMIT") {
            return failure.hint(
                "the account has used what the free plan has for this month: wait, or change the plan at expo.dev",
            );
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) || has_code("UNAUTHORIZED") {
            return failure.hint("the token is wrong or was revoked: make another at expo.dev, under Access tokens");
        }
        failure.hint(format!(
            "is there a project {} at expo.dev, and may the token's account see it? [providers.expo] project names it",
            self.project
        ))
    }
}

fn asked(document: &str, variables: &Value) -> String {
    json!({ "query": document, "variables": variables }).to_string()
}

fn build(entry: Entry) -> Result<Build, Failure> {
    let state = BuildState::read(&entry.status).ok_or_else(|| {
        Failure::new(
            FailureKind::Machine,
            format!("Expo says that a build is {}, which is not known here", entry.status),
        )
        .hint("install a newer ambit")
    })?;
    let error = entry.error.map(|e| BuildError { code: e.error_code, message: e.message, docs: e.docs_url });
    Ok(Build {
        id: entry.id,
        state,
        android: entry.platform == "ANDROID",
        profile: entry.build_profile,
        version: entry.app_version,
        version_code: entry.app_build_version,
        commit: entry.git_commit_hash,
        dirty: entry.is_git_working_tree_dirty == Some(true),
        created: entry.created_at,
        expires: entry.expiration_date,
        position: entry.queue_position,
        error,
        file: entry.artifacts.and_then(|a| a.application_archive_url.or(a.build_url)),
    })
}

fn present(kept: Kept) -> Present {
    // What is said of others than public ones may be a part of it, or nothing.
    let public = kept.visibility.as_deref() == Some("PUBLIC");
    Present {
        id: kept.id,
        name: kept.name,
        value: kept.value.filter(|_| public),
        environments: kept.environments.unwrap_or_default(),
        shared: kept.scope == "SHARED",
    }
}
