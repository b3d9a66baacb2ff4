//! Places: `POST /v1/places:searchText` of the Places API. The key travels in a header, not in a URL that gets logged.

use axum::{
    body::Bytes,
    http::{Request, header},
};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::client::Client;
use crate::config::Google;

/// A place on the map.
#[derive(Serialize, ToSchema)]
pub struct Place {
    pub place_id: String,
    pub name: String,
    pub address: String,
    pub latitude: f64,
    pub longitude: f64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    places: Vec<Found>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    id: String,
    display_name: Name,
    #[serde(default)]
    formatted_address: String,
    location: Location,
}

#[derive(Deserialize)]
struct Name {
    text: String,
}

#[derive(Deserialize)]
struct Location {
    latitude: f64,
    longitude: f64,
}

const FIELDS: &str = "places.id,places.displayName,places.formattedAddress,places.location";

pub async fn search(client: &Client, settings: &Google, query: &str) -> Result<Vec<Place>, String> {
    let body = json!({ "textQuery": query, "pageSize": 10, "languageCode": "es" });
    let request = Request::post(format!("{}/v1/places:searchText", settings.url))
        .header("x-goog-api-key", &settings.key)
        .header("x-goog-fieldmask", FIELDS)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|e| e.to_string())?;
    let (status, body) = client.send(request).await?;
    if !status.is_success() {
        return Err(format!("the service answered {status}"));
    }
    let answer: Answer = serde_json::from_slice(&body).map_err(|e| format!("the answer is not understood: {e}"))?;
    Ok(answer
        .places
        .into_iter()
        .map(|found| Place {
            place_id: found.id,
            name: found.display_name.text,
            address: found.formatted_address,
            latitude: found.location.latitude,
            longitude: found.location.longitude,
        })
        .collect())
}
