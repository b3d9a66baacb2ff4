//! The mobile app: the files that Expo builds it by (`sync`), Expo's own builds (`build`, `expo`), builds as they are handed to
//! testers (`publish`, `builds`), and the way to the store (`submit`).

mod build;
mod builds;
mod declared;
mod eas;
mod expo;
mod publish;
mod routes;
mod submit;
mod sync;

pub use build::{EasBuild, eas_build};
pub use builds::MobileBuildView;
pub(crate) use declared::app_of;
pub(crate) use expo::expo_client;
pub use expo::{ExpoBuild, Which, expo_builds, fetch_expo_build};
pub(crate) use publish::note;
pub use publish::{Changes, PublishBuild, PublishedBuild};
pub(crate) use routes::builds_route;
pub use submit::{EasSubmit, eas_submit};
pub(crate) use sync::drift_of;
pub use sync::{SyncState, mobile_drift, sync_mobile};
