//! The daemon: one process a state folder, found by its lock and asked by its socket.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ambit_app::{
    Acknowledge, AddCertificate, AddRemote, AddWebhook, Ambit, Apply, BackUp, ChangeWebhook, CopyData, CreateToken,
    Decide, Deploy, Destroy, Down, DrillBackup, Exchange, Import, LoadRestorePoint, MakeRestorePoint, Migrate, Move,
    OneSnapshot, OpenIncident, PlaceDashboard, Progress, Promote, PublishBuild, QaSay, Received, Rehearse,
    RemoveCertificate, RemoveUser, Reset, RestoreRequest, RestoredCopy, RevokeToken, Rollback, Seed, SetUser, SignIn,
    TryNotifications, Up, UpdateIncident, Upgrade, Waive,
};
use ambit_domain::{Failure, FailureKind};
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture};
use rustix::fs::{FlockOperation, flock};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::{Notify, mpsc},
    task::JoinSet,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::{
    socket,
    wire::{Health, Message},
};

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another one has the state folder.
    #[error("a daemon already runs for {folder}")]
    Running {
        /// The state folder.
        folder: PathBuf,
    },
    /// The file system or the network refused.
    #[error("cannot use {path}")]
    Io {
        /// What was being used.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How long a new daemon waits for one that is on its way out.
const HANDED_OVER: Duration = Duration::from_secs(3);

struct Daemon {
    ambit: Arc<Ambit>,
    health: Health,
    stop: Notify,
    webhooks: crate::github::Listener,
    dashboard: crate::dashboard::Listener,
}

/// Runs until it is told to stop. What it looks after goes on without it.
pub async fn run(ambit: Ambit, program: String) -> Result<(), DaemonError> {
    let home = ambit.home().clone();
    let at = |path: PathBuf| move |source| DaemonError::Io { path, source };
    let _lock = lock(&home)?;
    let path = home.daemon_socket();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(path)(error)),
        _ => {}
    }
    let (_folder, short) = socket::short(&path).map_err(at(path.clone()))?;
    let listener = UnixListener::bind(short).map_err(at(path.clone()))?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(at(path.clone()))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(at(path.clone()))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(at(path.clone()))?;

    let daemon = Arc::new(Daemon {
        ambit: Arc::new(ambit),
        health: Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program,
            pid: std::process::id(),
            since: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)),
        },
        stop: Notify::new(),
        webhooks: crate::github::Listener::default(),
        dashboard: crate::dashboard::Listener::default(),
    });
    tracing::info!(pid = daemon.health.pid, "ready");
    if let Err(failure) = daemon.ambit.resume().await {
        tracing::error!(causes = ?failure.causes, "what ran before could not be resumed: {failure}");
    }
    if let Err(failure) = daemon.ambit.refresh_hooks() {
        tracing::error!(causes = ?failure.causes, "the hooks of remotes are not up to date: {failure}");
    }
    if let Err(failure) = daemon.webhooks.adjust(&daemon.ambit).await {
        tracing::error!(causes = ?failure.causes, "webhooks are not listened to: {failure}");
    }
    if let Err(failure) = daemon.dashboard.adjust(&daemon.ambit).await {
        tracing::error!(causes = ?failure.causes, "the dashboard is not served: {failure}");
    }
    let stopping = {
        let daemon = Arc::clone(&daemon);
        async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = daemon.stop.notified() => {}
            }
        }
    };
    let mut background = JoinSet::new();
    let ambit = || Arc::clone(&daemon.ambit);
    background.spawn(ambit().supervise());
    background.spawn(ambit().look_after_certificates());
    background.spawn(ambit().go_on_with_moves());
    background.spawn(ambit().run_pipelines());
    background.spawn(ambit().run_jobs());
    background.spawn(ambit().run_cleaning());
    background.spawn(ambit().watch_outside());
    background.spawn(ambit().watch_budgets());
    background.spawn(ambit().drop_interrupted_copies());
    background.spawn(ambit().run_backups());
    background.spawn(ambit().run_hosted_backups());
    background.spawn(ambit().run_deliveries());
    background.spawn(ambit().check_pull_requests());
    background.spawn(ambit().catch_up());
    background.spawn(ambit().deliver());
    background.spawn(ambit().watch_environments());
    let routes = Router::new()
        .route("/v1/health", get(health))
        .route("/metrics", get(metrics))
        .route("/v1/up", post(up))
        .route("/v1/down", post(down))
        .route("/v1/destroy", post(destroy))
        .route("/v1/listen", post(listen))
        .route("/v1/deploy", post(deploy))
        .route("/v1/promote", post(promote))
        .route("/v1/move", post(move_environment))
        .route("/v1/rollback", post(rollback))
        .route("/v1/decide", post(decide))
        .route("/v1/waive", post(waive))
        .route("/v1/qa", post(qa))
        .route("/v1/migrate", post(migrate))
        .route("/v1/migrate/status", post(migration_status))
        .route("/v1/data/copy", post(copy_data))
        .route("/v1/apply", post(apply))
        .route("/v1/import", post(import))
        .route("/v1/restore-point", post(make_restore_point))
        .route("/v1/restore-point/load", post(load_restore_point))
        .route("/v1/rehearse", post(rehearse))
        .route("/v1/seed", post(seed))
        .route("/v1/reset", post(reset))
        .route("/v1/data/snapshot", post(make_snapshot))
        .route("/v1/data/restore", post(restore_snapshot))
        .route("/v1/data/delete", post(delete_snapshot))
        .route("/v1/data/export", post(export_data))
        .route("/v1/data/import", post(import_data))
        .route("/v1/mobile/publish", post(publish_build))
        .route("/v1/backup", post(back_up))
        .route("/v1/backup/drill", post(drill))
        .route("/v1/backup/verify", post(verify_backups))
        .route("/v1/restore", post(restore))
        .route("/v1/restore/place", post(put_in_place))
        .route("/v1/restore/redis", post(restore_redis))
        .route("/v1/restore/remove", post(remove_beside))
        .route("/v1/notifications/test", post(try_notifications))
        .route("/v1/listen-tls", post(listen_tls))
        .route("/v1/certificates/add", post(add_certificate))
        .route("/v1/certificates/remove", post(remove_certificate))
        .route("/v1/upgrade", post(upgrade))
        .route("/v1/received", post(received))
        .route("/v1/remote/add", post(add_remote))
        .route("/v1/webhook/add", post(add_webhook))
        .route("/v1/webhook/rotate", post(rotate_webhook))
        .route("/v1/webhook/remove", post(remove_webhook))
        .route("/v1/alerts/ack", post(acknowledge))
        .route("/v1/incident/open", post(open_incident))
        .route("/v1/incident/update", post(update_incident))
        .route("/v1/sign-in-link", post(sign_in_link))
        .route("/v1/user", post(set_user))
        .route("/v1/user/remove", post(remove_user))
        .route("/v1/token", post(create_token))
        .route("/v1/token/revoke", post(revoke_token))
        .route("/v1/dashboard", post(move_dashboard))
        .route("/v1/stop", post(stop))
        .with_state(Arc::clone(&daemon));
    let listening = daemon;
    let served = axum::serve(listener, routes).with_graceful_shutdown(stopping).await;
    background.abort_all();
    listening.webhooks.end().await;
    listening.dashboard.end().await;
    tracing::info!("stopped");
    served.map_err(at(path))
}

/// The lock that proves that a daemon lives: released by the kernel whatever kills it. One that was told to stop still has
/// it for a moment.
fn lock(home: &ambit_domain::Home) -> Result<File, DaemonError> {
    let path = home.daemon_lock();
    let at = |source: io::Error| DaemonError::Io { path: path.clone(), source };
    let folder = home.run();
    fs::create_dir_all(&folder).map_err(at)?;
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).map_err(at)?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at)?;
    let until = Instant::now() + HANDED_OVER;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(DaemonError::Running { folder: home.root().to_path_buf() });
            }
            Err(error) => return Err(at(error.into())),
        }
    }
    file.set_len(0).map_err(at)?;
    writeln!(file, "{}", std::process::id()).map_err(at)?;
    Ok(file)
}

async fn health(State(daemon): State<Arc<Daemon>>) -> Json<Health> {
    Json(daemon.health.clone())
}

/// For Prometheus.
async fn metrics(State(daemon): State<Arc<Daemon>>) -> Response {
    crate::exposition::answer(&daemon.ambit)
}

async fn acknowledge(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Acknowledge, _| Box::pin(async move { daemon.ambit.acknowledge(&request) }))
}

async fn open_incident(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: OpenIncident, _| {
        Box::pin(async move { daemon.ambit.open_incident(&request) })
    })
}

async fn update_incident(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: UpdateIncident, _| {
        Box::pin(async move { daemon.ambit.update_incident(&request) })
    })
}

async fn stop(State(daemon): State<Arc<Daemon>>) -> StatusCode {
    // A moment for this very answer to leave.
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        daemon.stop.notify_one();
    });
    StatusCode::ACCEPTED
}

async fn up(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Up, progress| {
        Box::pin(async move { daemon.ambit.up(&request, &progress).await })
    })
}

async fn down(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Down, progress| {
        Box::pin(async move { daemon.ambit.down(&request, &progress).await })
    })
}

async fn destroy(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Destroy, progress| {
        Box::pin(async move { daemon.ambit.destroy(&request, &progress).await })
    })
}

async fn try_notifications(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: TryNotifications, _| {
        Box::pin(async move { daemon.ambit.try_notifications(&request).await })
    })
}

async fn listen(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: std::net::SocketAddr, _| {
        Box::pin(async move { daemon.ambit.set_listen(request).await })
    })
}

async fn deploy(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Deploy, _| Box::pin(async move { daemon.ambit.deploy(&request).await }))
}

async fn promote(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Promote, _| Box::pin(async move { daemon.ambit.promote(&request).await }))
}

async fn move_environment(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Move, progress| {
        Box::pin(async move { daemon.ambit.move_environment(&request, &progress).await })
    })
}

async fn rollback(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Rollback, _| Box::pin(async move { daemon.ambit.rollback(&request).await }))
}

async fn decide(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Decide, _| Box::pin(async move { daemon.ambit.decide(&request).await }))
}

async fn waive(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Waive, _| Box::pin(async move { daemon.ambit.waive(&request) }))
}

async fn qa(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: QaSay, _| Box::pin(async move { daemon.ambit.qa(&request).await }))
}

async fn migrate(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Migrate, progress| {
        Box::pin(async move { daemon.ambit.migrate(&request, &progress).await })
    })
}

async fn migration_status(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Migrate, progress| {
        Box::pin(async move { daemon.ambit.migration_status(&request, &progress).await })
    })
}

async fn copy_data(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: CopyData, progress| {
        Box::pin(async move { daemon.ambit.copy_masked(&request, &progress).await })
    })
}

async fn apply(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Apply, progress| {
        Box::pin(async move { daemon.ambit.apply_outside(&request, &progress).await })
    })
}

async fn import(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Import, progress| {
        Box::pin(async move { daemon.ambit.import_outside(&request, &progress).await })
    })
}

async fn make_restore_point(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: MakeRestorePoint, progress| {
        Box::pin(async move { daemon.ambit.restore_point(&request, &progress).await })
    })
}

async fn load_restore_point(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: LoadRestorePoint, progress| {
        Box::pin(async move { daemon.ambit.put_back(&request, &progress).await })
    })
}

async fn rehearse(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Rehearse, progress| {
        Box::pin(async move { daemon.ambit.rehearse(&request, &progress).await })
    })
}

async fn seed(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Seed, progress| {
        Box::pin(async move { daemon.ambit.seed(&request, &progress).await })
    })
}

async fn reset(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Reset, progress| {
        Box::pin(async move { daemon.ambit.reset(&request, &progress).await })
    })
}

async fn make_snapshot(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: OneSnapshot, progress| {
        Box::pin(async move { daemon.ambit.make_snapshot(&request, &progress).await })
    })
}

async fn restore_snapshot(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: OneSnapshot, progress| {
        Box::pin(async move { daemon.ambit.restore_snapshot(&request, &progress).await })
    })
}

async fn delete_snapshot(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: OneSnapshot, _| {
        Box::pin(async move { daemon.ambit.delete_snapshot(&request).await })
    })
}

async fn export_data(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Exchange, progress| {
        Box::pin(async move { daemon.ambit.export_data(&request, &progress).await })
    })
}

async fn import_data(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Exchange, progress| {
        Box::pin(async move { daemon.ambit.import_data(&request, &progress).await })
    })
}

async fn publish_build(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: PublishBuild, progress| {
        Box::pin(async move { daemon.ambit.publish_build(&request, &progress).await })
    })
}

async fn back_up(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: BackUp, progress| {
        Box::pin(async move { daemon.ambit.back_up(&request, &progress).await })
    })
}

async fn drill(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: DrillBackup, progress| {
        Box::pin(async move { daemon.ambit.drill(&request, &progress).await })
    })
}

async fn verify_backups(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: BackUp, progress| {
        Box::pin(async move { daemon.ambit.verify_backups(&request, &progress).await })
    })
}

async fn restore(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: RestoreRequest, progress| {
        Box::pin(async move { daemon.ambit.restore(&request, &progress).await })
    })
}

async fn put_in_place(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: RestoredCopy, progress| {
        Box::pin(async move { daemon.ambit.put_in_place(&request, &progress).await })
    })
}

async fn restore_redis(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: RestoredCopy, progress| {
        Box::pin(async move { daemon.ambit.restore_redis(&request, &progress).await })
    })
}

async fn remove_beside(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: RestoredCopy, progress| {
        Box::pin(async move { daemon.ambit.remove_beside(&request, &progress).await })
    })
}

async fn listen_tls(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Option<std::net::SocketAddr>, _| {
        Box::pin(async move { daemon.ambit.set_listen_tls(request).await })
    })
}

async fn add_certificate(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: AddCertificate, _| {
        Box::pin(async move { daemon.ambit.add_certificate(&request).await })
    })
}

async fn remove_certificate(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: RemoveCertificate, _| {
        Box::pin(async move { daemon.ambit.remove_certificate(&request).await })
    })
}

async fn upgrade(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Upgrade, progress| {
        Box::pin(async move { daemon.ambit.upgrade(&request, &progress).await })
    })
}

async fn received(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: Received, _| Box::pin(async move { daemon.ambit.received(&request).await }))
}

async fn add_remote(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: AddRemote, _| {
        Box::pin(async move { daemon.ambit.add_remote(&request).await })
    })
}

async fn add_webhook(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: AddWebhook, progress| {
        Box::pin(async move {
            let added = daemon.ambit.add_webhook(&request, &progress).await?;
            daemon.webhooks.adjust(&daemon.ambit).await?;
            Ok(added)
        })
    })
}

async fn rotate_webhook(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: ChangeWebhook, _| {
        Box::pin(async move { daemon.ambit.rotate_webhook(&request) })
    })
}

async fn remove_webhook(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: ChangeWebhook, _| {
        Box::pin(async move {
            daemon.ambit.remove_webhook(&request).await?;
            daemon.webhooks.adjust(&daemon.ambit).await
        })
    })
}

async fn sign_in_link(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: SignIn, _| Box::pin(async move { daemon.ambit.sign_in_link(&request) }))
}

async fn set_user(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: SetUser, _| Box::pin(async move { daemon.ambit.set_user(&request) }))
}

async fn remove_user(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: RemoveUser, _| Box::pin(async move { daemon.ambit.remove_user(&request) }))
}

async fn create_token(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: CreateToken, _| {
        Box::pin(async move { daemon.ambit.create_token(&request) })
    })
}

async fn revoke_token(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: RevokeToken, _| {
        Box::pin(async move { daemon.ambit.revoke_token(&request) })
    })
}

async fn move_dashboard(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Response {
    stream(daemon, &body, |daemon, request: PlaceDashboard, _| {
        Box::pin(async move {
            let address = daemon.ambit.place_dashboard(&request).await?;
            daemon.dashboard.adjust(&daemon.ambit).await?;
            Ok(address)
        })
    })
}

/// Does the work in a task of its own and streams what it says. When the listener goes away, the work is told by its
/// token and stops between two steps; it is never dropped within one.
fn stream<R, T, F>(daemon: Arc<Daemon>, body: &[u8], work: F) -> Response
where
    R: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
    F: FnOnce(Arc<Daemon>, R, Progress) -> BoxFuture<'static, Result<T, Failure>> + Send + 'static,
{
    let request: R = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let cancel = CancellationToken::new();
    let gone = cancel.clone().drop_guard();
    let (events, received) = mpsc::unbounded_channel();
    let (lines, out) = mpsc::unbounded_channel::<Message<T>>();
    let progress = Progress::new(events, cancel);
    tokio::spawn(async move {
        let forward = {
            let lines = lines.clone();
            tokio::spawn(async move {
                let mut received = UnboundedReceiverStream::new(received);
                while let Some(event) = received.next().await {
                    // Nobody listens: the guard has cancelled the work already.
                    let _ = lines.send(Message::Event(event));
                }
            })
        };
        let result = work(daemon, request, progress).await;
        // Every event before the last line.
        let _ = forward.await;
        let _ = lines.send(match result {
            Ok(value) => Message::Done(value),
            Err(failure) => Message::Failed(failure),
        });
    });
    let body = UnboundedReceiverStream::new(out).map(move |message| {
        let _listening = &gone;
        let mut line = serde_json::to_vec(&message).map_err(io::Error::other)?;
        line.push(b'\n');
        Ok::<_, io::Error>(Bytes::from(line))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response()
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        let failure = Self::from_error(FailureKind::Machine, &error);
        match error {
            DaemonError::Running { .. } => failure.hint("ambit status shows what it looks after"),
            DaemonError::Io { .. } => failure,
        }
    }
}
