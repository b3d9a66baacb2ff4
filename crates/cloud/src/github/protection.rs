//! Protection of branches: read with booleans in objects of their own and whole accounts, written with plain ones and names.

use ambit_domain::github::{Checks, Protection, Reviews, Who};
use serde_json::{Value, json};

pub(super) fn read(told: &Value) -> Protection {
    let enabled = |key: &str| told[key]["enabled"] == true;
    let checks = told["required_status_checks"].as_object().map(|_| {
        let told = &told["required_status_checks"];
        let bound = told["checks"].as_array().filter(|all| !all.is_empty());
        let checks = match bound {
            Some(all) => all
                .iter()
                .filter_map(|one| {
                    Some((one["context"].as_str()?.to_owned(), one["app_id"].as_i64().filter(|id| *id > 0)))
                })
                .collect(),
            None => texts(&told["contexts"]).into_iter().map(|name| (name, None)).collect(),
        };
        Checks { strict: told["strict"] == true, checks }
    });
    let reviews = told["required_pull_request_reviews"].as_object().map(|_| {
        let told = &told["required_pull_request_reviews"];
        let count = told["required_approving_review_count"].as_u64().unwrap_or(0);
        Reviews {
            count: u32::try_from(count).unwrap_or(0),
            dismiss_stale: told["dismiss_stale_reviews"] == true,
            code_owners: told["require_code_owner_reviews"] == true,
            last_push: told["require_last_push_approval"] == true,
            dismissal: who(&told["dismissal_restrictions"]),
            bypass: who(&told["bypass_pull_request_allowances"]),
        }
    });
    Protection {
        checks,
        admins: enabled("enforce_admins"),
        reviews,
        restrictions: who(&told["restrictions"]),
        linear: enabled("required_linear_history"),
        force_pushes: enabled("allow_force_pushes"),
        deletions: enabled("allow_deletions"),
        block_creations: enabled("block_creations"),
        conversations: enabled("required_conversation_resolution"),
        locked: enabled("lock_branch"),
        fork_syncing: enabled("allow_fork_syncing"),
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

fn who(told: &Value) -> Option<Who> {
    told.as_object()?;
    let names = |key: &str, name: &str| {
        let all = told[key].as_array().into_iter().flatten();
        all.filter_map(|one| one[name].as_str().map(str::to_owned)).collect()
    };
    Some(Who { users: names("users", "login"), teams: names("teams", "slug"), apps: names("apps", "slug") })
}

/// Four keys have to be there, null where there is nothing to say.
pub(super) fn written(protection: &Protection) -> Value {
    let named = |who: &Who| json!({ "users": who.users, "teams": who.teams, "apps": who.apps });
    let checks = protection.checks.as_ref().map(|checks| {
        // Either names alone or names with apps: both at once are refused.
        if checks.checks.iter().all(|(_, app)| app.is_none()) {
            let names: Vec<&String> = checks.checks.iter().map(|(name, _)| name).collect();
            return json!({ "strict": checks.strict, "contexts": names });
        }
        let bound = checks.checks.iter().map(|(name, app)| match app {
            Some(app) => json!({ "context": name, "app_id": app }),
            None => json!({ "context": name, "app_id": -1 }),
        });
        json!({ "strict": checks.strict, "contexts": [], "checks": bound.collect::<Vec<_>>() })
    });
    let reviews = protection.reviews.as_ref().map(|reviews| {
        let mut written = json!({
            "required_approving_review_count": reviews.count,
            "dismiss_stale_reviews": reviews.dismiss_stale,
            "require_code_owner_reviews": reviews.code_owners,
            "require_last_push_approval": reviews.last_push,
        });
        // For repositories of organisations alone; elsewhere even an empty one is refused.
        if let Some(who) = &reviews.dismissal {
            written["dismissal_restrictions"] = named(who);
        }
        if let Some(who) = &reviews.bypass {
            written["bypass_pull_request_allowances"] = named(who);
        }
        written
    });
    json!({
        "required_status_checks": checks,
        "enforce_admins": protection.admins,
        "required_pull_request_reviews": reviews,
        "restrictions": protection.restrictions.as_ref().map(named),
        "required_linear_history": protection.linear,
        "allow_force_pushes": protection.force_pushes,
        "allow_deletions": protection.deletions,
        "block_creations": protection.block_creations,
        "required_conversation_resolution": protection.conversations,
        "lock_branch": protection.locked,
        "allow_fork_syncing": protection.fork_syncing,
    })
}
