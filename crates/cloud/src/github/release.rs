//! Releases of a repository.

use ambit_domain::{Failure, FailureKind, github::Notes};
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Github, answers::Answered, part};

#[derive(Deserialize)]
struct Release {
    id: u64,
    tag_name: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    body: Option<String>,
}

impl Github {
    /// Makes the release of a tag, or brings it up to date. Notes of somebody else stay; a draft of theirs is published, since the tag
    /// serves. Nothing is done where GitHub does not have the tag: it would make one, of another commit. May be repeated.
    pub async fn release(&self, tag: &str, notes: &Notes) -> Result<(), Failure> {
        let name = tag.split('/').map(part).collect::<Vec<_>>().join("/");
        if let Answered::Nothing(_) | Answered::Refused(_) =
            self.get::<Value>(&self.path(&format!("/git/ref/tags/{name}"))).await?
        {
            return Ok(());
        }
        // The release by its tag is not found while it is a draft.
        let all: Vec<Release> = self.all(&self.path("/releases"), |all: Vec<Release>| all).await?;
        let Some(there) = all.into_iter().find(|release| release.tag_name == tag) else {
            let body = json!({ "tag_name": tag, "name": tag, "body": notes.text(), "draft": false });
            return self.change(Method::POST, "/releases", &body).await;
        };
        let before = there.body.unwrap_or_default();
        let after = notes.within(&before).filter(|after| *after != before);
        let mut body = json!({});
        if there.draft {
            body["draft"] = json!(false);
        }
        if let Some(after) = after {
            body["body"] = json!(after);
        }
        if body == json!({}) {
            return Ok(());
        }
        self.change(Method::PATCH, &format!("/releases/{}", there.id), &body).await
    }

    async fn change(&self, method: Method, below: &str, body: &Value) -> Result<(), Failure> {
        let tried = self.told(method, below, body).await?;
        tried
            .map(drop)
            .map_err(|why| Failure::new(FailureKind::Machine, "GitHub did not take the release").because(why))
    }
}
