//! Look-up of places.

use std::sync::Arc;

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Kaia,
    accounts::text::Fields,
    http::{extract::Query, identity::User, problem::Problem},
    outbound::google::{self, Place},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    #[param(min_length = 1, max_length = 200, example = "Plaza Mayor, Madrid")]
    query: String,
}

#[derive(Serialize, ToSchema)]
pub struct Places {
    items: Vec<Place>,
}

/// Find places by name or address
#[utoipa::path(get, path = "/places", tag = "places", security(("bearer" = [])), params(Asked),
    responses((status = 200, description = "The best ten", body = Places)))]
pub async fn search(
    State(kaia): State<Arc<Kaia>>,
    _: User,
    Query(asked): Query<Asked>,
) -> Result<Answer<Places>, Problem> {
    let mut fields = Fields::default();
    let query = fields.text("query", &asked.query, 1, 200);
    fields.finish()?;
    let Some(settings) = &kaia.config.google else {
        let why = "places cannot be looked up here: GOOGLE_MAPS_API_KEY is not set";
        return Err(Problem::ServiceUnavailable(why, why.to_owned()));
    };
    let found = google::search(&kaia.client, settings, &query).await;
    let items = found.map_err(|why| Problem::ServiceUnavailable("places cannot be looked up now", why))?;
    Ok(Answer(Places { items }))
}
