//! What takes a while to look at: it holds nobody else up.

use std::sync::Arc;

use ambit_app::{Cost, ReviewedColumn};
use ambit_domain::{EnvironmentId, Failure, FailureKind, spec::ProjectName};
use tokio::sync::Semaphore;

use super::{Face, perform::declaration};

/// One at a time: rows of every table are looked at.
static REVIEWS: Semaphore = Semaphore::const_new(1);

/// The columns of a database beside what becomes of them.
pub(crate) async fn classification(face: &Face, id: &EnvironmentId) -> Result<Vec<ReviewedColumn>, Failure> {
    let _place = REVIEWS.acquire().await.map_err(|e| Failure::from_error(FailureKind::Internal, &e))?;
    face.ambit.review_masking(id).await
}

/// What a project costs. Folders are counted for it, which takes as long as they are large.
pub(crate) async fn cost(face: &Arc<Face>, project: &ProjectName) -> Result<Cost, Failure> {
    let declaration = declaration(face, project)?;
    let ambit = Arc::clone(&face.ambit);
    let counted = tokio::task::spawn_blocking(move || ambit.cost(&declaration)).await;
    counted.map_err(|e| Failure::from_error(FailureKind::Internal, &e))?
}
