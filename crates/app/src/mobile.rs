//! The mobile app: the files that Expo builds it by (`sync`), Expo's own builds (`build`), and builds as they are handed to
//! testers (`publish`, `builds`).

mod build;
mod builds;
mod declared;
mod publish;
mod routes;
mod sync;

pub use build::{EasBuild, eas_build};
pub use builds::MobileBuildView;
pub(crate) use publish::note;
pub use publish::{Changes, PublishBuild, PublishedBuild};
pub(crate) use routes::builds_route;
pub(crate) use sync::drift_of;
pub use sync::{SyncState, mobile_drift, sync_mobile};
