//! Tells browsers that something changed, so that they ask for the page again. However many look, a project is looked at
//! once; a browser that reads slowly hears of the newest change alone, and nothing piles up for it.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ambit_app::{Overview, StatusPage};
use ambit_domain::{Failure, access::Operation, spec::ProjectName};
use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream::{Stream, unfold};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{Face, guard::Session, input::Input, logs::Wanted, operations::endpoint, page::Refusal};

/// How often it is looked whether something changed, while somebody wants to know.
const EVERY: Duration = Duration::from_millis(500);
/// At least so often pages are renewed, for their figures.
const FIGURES: Duration = Duration::from_secs(10);
/// At least so often something is said, and it is looked whether the session still lasts.
const ALIVE: Duration = Duration::from_secs(15);
/// So many browsers are told at once.
const PLACES: usize = 512;
/// So many lines are told at once.
const LINES: usize = 1000;

/// Something that many look at, made once for all until its project changes or its figures are old.
struct Kept<T>(tokio::sync::Mutex<HashMap<ProjectName, Made<T>>>);

/// As it was made: at which pulse, and when.
type Made<T> = (u64, Instant, Arc<T>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Default::default())
    }
}

impl<T> Kept<T> {
    async fn of(
        &self,
        face: &Face,
        project: &ProjectName,
        make: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Arc<T>, Failure> {
        let mut held = self.0.lock().await;
        let pulse = face.ambit.pulse(project)?;
        if let Some((known, at, made)) = held.get(project)
            && *known == pulse
            && at.elapsed() < FIGURES / 2
        {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(make.await?);
        held.retain(|_, (_, at, _)| at.elapsed() < FIGURES);
        held.insert(project.clone(), (pulse, Instant::now(), Arc::clone(&made)));
        Ok(made)
    }
}

/// Who is told what.
pub(crate) struct Live {
    projects: Mutex<HashMap<ProjectName, watch::Sender<u64>>>,
    places: Arc<Semaphore>,
    overviews: Kept<Overview>,
    status_pages: Kept<StatusPage>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            projects: Mutex::default(),
            places: Arc::new(Semaphore::new(PLACES)),
            overviews: Kept::default(),
            status_pages: Kept::default(),
        }
    }
}

impl Live {
    /// The pipeline of a project.
    pub(crate) async fn overview(&self, face: &Face, project: &ProjectName) -> Result<Arc<Overview>, Failure> {
        self.overviews.of(face, project, face.ambit.overview(project)).await
    }

    /// What the status page tells; however many of the world ask, it is put together once.
    pub(crate) async fn status_page(&self, face: &Face, project: &ProjectName) -> Result<Arc<StatusPage>, Failure> {
        self.status_pages.of(face, project, face.ambit.status_page(project)).await
    }

    fn changes(&self, face: &Arc<Face>, project: &ProjectName) -> watch::Receiver<u64> {
        let mut all = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = all.get(project) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(0);
        all.insert(project.clone(), sender);
        tokio::spawn(look(Arc::clone(face), project.clone()));
        receiver
    }

    /// Tells a change; `false` where nobody wants to know any more.
    fn tell(&self, project: &ProjectName, mark: u64) -> bool {
        let mut all = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = all.get(project) else { return false };
        if sender.receiver_count() == 0 {
            all.remove(project);
            return false;
        }
        sender.send_if_modified(|known| std::mem::replace(known, mark) != mark);
        true
    }
}

async fn look(face: Arc<Face>, project: ProjectName) {
    let began = Instant::now();
    loop {
        let figures = began.elapsed().as_secs() / FIGURES.as_secs();
        let (works, running, said) = face.works.mark(&project);
        let pulse = face.ambit.pulse(&project).unwrap_or_default();
        let mark = [figures, works, running as u64, said as u64]
            .into_iter()
            .fold(pulse, |mark, n| mark.rotate_left(13).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(n));
        if !face.live.tell(&project, mark) {
            return;
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// `GET /projects/{project}/live`
pub(crate) async fn changes(
    State(face): State<Arc<Face>>,
    Path(project): Path<ProjectName>,
    headers: HeaderMap,
) -> Response {
    let (session, place) = match admitted(&face, &headers, Operation::Status, &project) {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal.into_response(),
    };
    let mut receiver = face.live.changes(&face, &project);
    // The page that asks is as new as what was told last.
    receiver.mark_unchanged();
    stream(unfold((face, session, receiver, place), |(face, session, mut receiver, place)| async move {
        let event = tokio::select! {
            changed = receiver.changed() => {
                changed.ok()?;
                Event::default().event("changed").data(receiver.borrow_and_update().to_string())
            }
            () = tokio::time::sleep(ALIVE) => Event::default().comment("alive"),
        };
        still(&face, &session)?;
        Some((Ok(event), (face, session, receiver, place)))
    }))
}

/// `GET /projects/{project}/environments/{environment}/logs/live`
pub(crate) async fn log_lines(
    State(face): State<Arc<Face>>,
    Path((project, environment)): Path<(ProjectName, String)>,
    Query(mut query): Query<std::collections::BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let (session, place) = match admitted(&face, &headers, Operation::Logs, &project) {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal.into_response(),
    };
    query.insert("project".to_owned(), project.to_string());
    query.insert("environment".to_owned(), environment);
    let begun =
        Input::from_texts(&endpoint(Operation::Logs), &query).and_then(|input| Wanted::of(&input)?.follow(&face.ambit));
    let Ok(following) = begun else { return StatusCode::NOT_FOUND.into_response() };
    // Of more nothing would be told: what is read is held for as long as somebody reads slowly.
    let begin = (face, session, following.at_most(LINES), place, Instant::now(), true);
    stream(unfold(begin, |(face, session, mut following, place, said, first)| async move {
        let mut quiet = said;
        loop {
            let mut lines = following.next(&face.ambit);
            let skipped = lines.len().saturating_sub(LINES);
            let newest = lines.split_off(skipped);
            let event = if first || !newest.is_empty() {
                let name = if first { "begin" } else { "lines" };
                Event::default().event(name).json_data(&newest).ok()?
            } else if quiet.elapsed() > ALIVE {
                Event::default().comment("alive")
            } else {
                tokio::time::sleep(EVERY).await;
                continue;
            };
            still(&face, &session)?;
            quiet = Instant::now();
            if !first {
                tokio::time::sleep(EVERY / 2).await;
            }
            return Some((Ok(event), (face, session, following, place, quiet, false)));
        }
    }))
}

fn admitted(
    face: &Arc<Face>,
    headers: &HeaderMap,
    operation: Operation,
    project: &ProjectName,
) -> Result<(Session, OwnedSemaphorePermit), Refusal> {
    let session = Session::of(face, headers).ok_or_else(|| refused(StatusCode::UNAUTHORIZED))?;
    if !session.caller.may(operation, Some(project)) {
        return Err(refused(StatusCode::FORBIDDEN));
    }
    if face.ambit.project_folder(project).is_err() {
        return Err(refused(StatusCode::NOT_FOUND));
    }
    let place = Arc::clone(&face.live.places).try_acquire_owned();
    Ok((session, place.map_err(|_| refused(StatusCode::SERVICE_UNAVAILABLE))?))
}

fn refused(status: StatusCode) -> Refusal {
    status.into_response().into()
}

/// Whether the session lasts still; the stream of one that was ended ends.
fn still(face: &Face, session: &Session) -> Option<()> {
    face.ambit.watching_session(&session.secret).ok().flatten().map(drop)
}

fn stream(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).into_response()
}
