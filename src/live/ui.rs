//! The page of a system that is under way: on a port of its own on loopback, for browsers that came there by that name.
//! It can be looked at and changes nothing. Knows neither how the page looks nor how figures are found.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use squall_services::{Driver, Limits, accept, is_meant_for};
use squall_telemetry::report::{Report, Source};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::books::Books;

/// A page asks every second; one that has not asked for so long is closed.
const CLOSED_AFTER: Duration = Duration::from_secs(3);
/// How long the end waits for an open page to see it.
const PATIENCE: Duration = Duration::from_millis(1500);
const LOOKS: Duration = Duration::from_millis(20);

/// What the page is made of.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The page itself; it asks for `report.json`.
    pub(crate) html: String,
    /// What is run.
    pub(crate) source: Source,
    /// Is told where it is.
    pub(crate) announce: fn(SocketAddr) -> io::Result<()>,
}

/// The page's server.
pub(super) struct Ui {
    room: Arc<Room>,
}

/// What the handlers need.
struct Room {
    driver: Arc<Driver<Books>>,
    address: SocketAddr,
    setup: Setup,
    seen: Mutex<Seen>,
}

/// What pages were told.
#[derive(Default)]
struct Seen {
    /// When one last asked.
    asked: Option<Instant>,
    /// The report of the run that is over.
    last: Option<String>,
    /// Whether that was fetched.
    known: bool,
}

impl Ui {
    /// Opens it on a free port; it closes with `stopping`.
    pub(super) async fn open(
        driver: &Arc<Driver<Books>>,
        setup: Setup,
        stopping: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        (setup.announce)(address)?;
        let room = Arc::new(Room { driver: Arc::clone(driver), address, setup, seen: Mutex::default() });
        let app = Router::new()
            .route("/", get(page))
            .route("/report.json", get(report))
            .layer(middleware::from_fn_with_state(Arc::clone(&room), guard))
            .with_state(Arc::clone(&room));
        tokio::spawn(accept(listener, app, Limits::default(), stopping));
        Ok(Self { room })
    }

    /// The run is over: lets open pages see how it ended.
    pub(super) async fn end(&self, mut report: Report) -> io::Result<()> {
        report.source = Some(self.room.setup.source.clone());
        let open = {
            let mut seen = self.room.seen();
            seen.last = Some(serde_json::to_string(&report)?);
            seen.asked.is_some_and(|asked| asked.elapsed() < CLOSED_AFTER)
        };
        let until = Instant::now() + PATIENCE;
        while open && Instant::now() < until && !self.room.seen().known {
            tokio::time::sleep(LOOKS).await;
        }
        // The answer still gets out.
        tokio::time::sleep(LOOKS).await;
        Ok(())
    }
}

impl Room {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The report so far, or that of the end.
    fn report(&self) -> Result<Option<String>, serde_json::Error> {
        {
            let mut seen = self.seen();
            seen.asked = Some(Instant::now());
            if let Some(last) = seen.last.clone() {
                seen.known = true;
                return Ok(Some(last));
            }
        }
        let now = self.driver.now();
        let Some(mut report) = self.driver.hear(|books| books.so_far(now)) else { return Ok(None) };
        report.source = Some(self.setup.source.clone());
        serde_json::to_string(&report).map(Some)
    }
}

/// Against a page from elsewhere whose host name was made to lead here.
async fn guard(State(room): State<Arc<Room>>, request: Request, next: Next) -> Response {
    if !is_meant_for(room.address, request.headers()) {
        return (StatusCode::FORBIDDEN, "the host or the origin is not this page's own\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

async fn page(State(room): State<Arc<Room>>) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], room.setup.html.clone()).into_response()
}

async fn report(State(room): State<Arc<Room>>) -> Response {
    match room.report() {
        Ok(Some(json)) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Ok(None) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the run is over\n").into_response(),
    }
}
