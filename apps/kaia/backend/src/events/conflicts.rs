//! What else is at a time.

use std::sync::Arc;

use axum::{Json as Answer, extract::State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    list::{page, range},
    model::Event,
};
use crate::{
    Kaia,
    http::{extract::Json, identity::User, problem::Problem},
};

/// More than these nobody reads.
const MOST: usize = 100;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
    /// The event that is being moved: it does not stand in its own way.
    exclude: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct Conflicts {
    /// What overlaps, at most 100.
    conflicts: Vec<Event>,
}

/// What else is at a time
#[utoipa::path(post, path = "/events/conflicts", tag = "events", security(("bearer" = [])), request_body = Planned,
    responses((status = 200, description = "What overlaps; touching is no conflict", body = Conflicts)))]
pub async fn conflicts(
    State(kaia): State<Arc<Kaia>>,
    user: User,
    Json(planned): Json<Planned>,
) -> Result<Answer<Conflicts>, Problem> {
    if planned.end_time < planned.start_time {
        return Err(Problem::field("end_time", "is not before start_time"));
    }
    let range = range(Some(planned.start_time), Some(planned.end_time), None)?;
    let (mut conflicts, _) = page(&kaia, user.id, &range, MOST + 1).await?;
    conflicts.retain(|event| Some(event.id) != planned.exclude);
    conflicts.truncate(MOST);
    Ok(Answer(Conflicts { conflicts }))
}
