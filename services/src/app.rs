//! One replica's answers: its endpoints, and the pages that every service has beside them. From HTTP to the machines and
//! back; connections are the server's matter.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, Method, StatusCode, header};
use hyper::body::Body as _;
use serde::Serialize;
use squall_model::plan::{EndpointId, Plan, ReplicaId, ServiceId};

use crate::awaited::Verdict;
use crate::driver::Driver;
use crate::metrics;
use crate::paths::{Found, Paths};
use crate::server::Limits;
use crate::trail::Trail;
use crate::wire;
use crate::world::Ear;

/// One replica.
#[derive(Debug)]
struct Site<E> {
    driver: Arc<Driver<E>>,
    replica: ReplicaId,
    service: ServiceId,
    paths: Paths,
    limits: Limits,
}

/// What becomes of an answer on the wire, if it does not simply get there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// There is none: the connection closes instead.
    HangsUp,
    /// Its bytes are spoilt, and the connection closes.
    Spoilt,
}

impl Fate {
    /// The response, or the error that closes the connection; `spoilt` is told if its bytes are to be spoilt.
    pub(crate) fn meets(response: Response, spoilt: &AtomicBool) -> io::Result<Response> {
        match response.extensions().get::<Self>() {
            Some(Self::HangsUp) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Self::Spoilt) => spoilt.store(true, Ordering::Relaxed),
            None => {}
        }
        Ok(response)
    }
}

/// What an endpoint answers.
#[derive(Serialize)]
struct Told<'a> {
    service: &'a str,
    replica: u32,
    endpoint: &'a str,
    status: u16,
    degraded: bool,
    /// Requests sent to other services for it.
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
}

/// What is wrong with a request that never gets to an endpoint.
#[derive(Serialize)]
struct Wrong {
    error: &'static str,
}

/// The router of a replica.
pub(crate) fn router<E: Ear>(driver: Arc<Driver<E>>, replica: ReplicaId, limits: Limits) -> Router {
    let plan = driver.plan();
    let service = ServiceId::from(plan.services.partition_point(|s| s.first_replica <= replica) - 1);
    let paths = Paths::new(plan, service);
    // The topology's own endpoints come first.
    let free = |path: &str| !matches!(paths.find(&Method::GET, path), Found::Endpoint(_));
    let mut router = Router::new();
    if free("/health") {
        router = router.route("/health", get(health::<E>));
    }
    if free("/ready") {
        router = router.route("/ready", get(ready::<E>));
    }
    if free("/metrics") {
        router = router.route("/metrics", get(figures::<E>));
    }
    router.fallback(endpoint::<E>).with_state(Arc::new(Site { driver, replica, service, paths, limits }))
}

/// The process lives.
async fn health<E: Ear>(State(site): State<Arc<Site<E>>>) -> Response {
    Json(serde_json::json!({ "status": "ok", "service": site.name() })).into_response()
}

/// The replica serves.
async fn ready<E: Ear>(State(site): State<Arc<Site<E>>>) -> Response {
    let seen = site.driver.replica(site.replica);
    let ready = seen.ready && !seen.paused;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({ "ready": ready, "busy": seen.busy, "queued": seen.queued }))).into_response()
}

/// What Prometheus wants to know.
async fn figures<E: Ear>(State(site): State<Arc<Site<E>>>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], site.driver.metrics(site.replica)).into_response()
}

/// Everything else: an endpoint of the topology, if it is one.
async fn endpoint<E: Ear>(State(site): State<Arc<Site<E>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(refusal) = site.read(&head.headers, body).await {
        return refusal;
    }
    let endpoint = match site.paths.find(&head.method, head.uri.path()) {
        Found::Endpoint(endpoint) => endpoint,
        Found::Nothing => return wrong(StatusCode::NOT_FOUND, "no endpoint has this path"),
        Found::OtherMethods(methods) => {
            let mut response = wrong(StatusCode::METHOD_NOT_ALLOWED, "the endpoint has another method");
            if let Ok(methods) = HeaderValue::from_str(&methods) {
                response.headers_mut().insert(header::ALLOW, methods);
            }
            return response;
        }
    };
    let belongs = site.driver.belongs(site.replica, &head.headers);
    let trail = Trail::read(&head.headers, &site.driver.ids);
    let waiting = site.driver.serve(site.replica, endpoint, belongs, trail.clone());
    let verdict = match waiting {
        Some(waiting) => waiting.verdict().await,
        None => None,
    };
    let Some(verdict) = verdict else {
        return wrong(StatusCode::SERVICE_UNAVAILABLE, "the run is over");
    };
    let mut response = site.tell(endpoint, verdict);
    trail.write_id(response.headers_mut());
    response
}

impl<E: Ear> Site<E> {
    fn plan(&self) -> &'static Plan {
        self.driver.plan()
    }

    fn name(&self) -> &'static str {
        &self.plan().services[self.service.index()].name
    }

    /// Reads a request to its end; a request whose end cannot be told is refused.
    async fn read(&self, headers: &http::HeaderMap, body: Body) -> Result<(), Response> {
        if headers.contains_key(header::TRANSFER_ENCODING) {
            // Also together with a length, of which nothing is left by now: whoever stands between may have believed it.
            return Err(closing(StatusCode::LENGTH_REQUIRED, "say how long the body is: Content-Length, not chunked"));
        }
        if body.size_hint().exact() == Some(0) {
            return Ok(());
        }
        match tokio::time::timeout(self.limits.body, to_bytes(body, self.limits.body_bytes)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(closing(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off")),
            Err(_) => Err(closing(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
        }
    }

    fn tell(&self, endpoint: EndpointId, verdict: Verdict) -> Response {
        let (plan, outcome) = (self.plan(), verdict.outcome);
        let status = wire::status(outcome);
        let told = Told {
            service: self.name(),
            replica: self.replica.0 - plan.services[self.service.index()].first_replica.0,
            endpoint: &plan.endpoints[endpoint.index()].name,
            status: status.as_u16(),
            degraded: outcome == squall_model::Outcome::Degraded,
            attempts: verdict.attempts,
            cause: wire::cause(outcome),
        };
        let mut response = (status, Json(told)).into_response();
        wire::write(outcome, response.headers_mut());
        if let Some(wait) = verdict.asks {
            wire::write_wait(wait, response.headers_mut());
        }
        if let Some(fate) = verdict.fate {
            response.extensions_mut().insert(fate);
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn wrong(status: StatusCode, error: &'static str) -> Response {
    (status, Json(Wrong { error })).into_response()
}

/// As [`wrong`], after which the connection closes.
fn closing(status: StatusCode, error: &'static str) -> Response {
    let mut response = wrong(status, error);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
