//! The control desk of a live system: who is there, how they are, and the file's faults to begin and end by hand. It
//! listens on a port of its own on loopback and answers only to whoever knows its token, and to no page of a browser
//! that came from elsewhere.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use squall_model::machine::System;
use squall_model::plan::{FaultId, Plan, ReplicaId};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::driver::Driver;
use crate::server::{Limits, accept};
use crate::world::Ear;

/// Where the desk is, and what opens it.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Its address.
    pub address: SocketAddr,
    /// What `Authorization: Bearer` has to say.
    pub token: String,
}

/// The desk before it opens.
#[derive(Debug)]
pub struct Control {
    listener: TcpListener,
    desk: Desk,
}

/// What the handlers need.
struct Room<E> {
    driver: Arc<Driver<E>>,
    desk: Desk,
    /// Says that all is to stop.
    stop: watch::Sender<bool>,
}

/// A replica, as the desk shows it.
#[derive(Serialize)]
struct ReplicaShown {
    service: &'static str,
    replica: u32,
    workers: Option<u32>,
    busy: u32,
    queued: u32,
    ready: bool,
    paused: bool,
}

/// A breaker, as the desk shows it.
#[derive(Serialize)]
struct BreakerShown {
    call: &'static str,
    replica: u32,
    state: String,
    in_use: u32,
}

/// A fault of the file, as the desk shows it.
#[derive(Serialize)]
struct FaultShown {
    name: &'static str,
    does: &'static str,
    at_work: bool,
}

impl Control {
    /// Takes a free port on loopback and makes up a token.
    pub async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|error| io::Error::other(format!("no random numbers: {error}")))?;
        let token = format!("{:032x}", u128::from_be_bytes(secret));
        let desk = Desk { address: listener.local_addr()?, token };
        Ok(Self { listener, desk })
    }

    /// Where it is, and what opens it.
    pub const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Opens the desk; it closes with `stop`, which it can also give itself.
    pub fn open<E: Ear>(self, driver: &Arc<Driver<E>>, stop: watch::Sender<bool>) {
        let stopping = stop.subscribe();
        let room = Arc::new(Room { driver: Arc::clone(driver), desk: self.desk, stop });
        let app = Router::new()
            .route("/v1/state", get(state::<E>))
            .route("/v1/faults", get(faults::<E>))
            .route("/v1/faults/{name}/begin", post(begin::<E>))
            .route("/v1/faults/{name}/end", post(end::<E>))
            .route("/v1/stop", post(halt::<E>))
            .layer(middleware::from_fn_with_state(Arc::clone(&room), guard::<E>))
            .with_state(room);
        tokio::spawn(accept(self.listener, app, Limits::default(), stopping));
    }
}

/// Lets nobody through who does not know the token, or whose browser was sent here by somebody else.
async fn guard<E: Ear>(State(room): State<Arc<Room<E>>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !room.desk.is_meant_by(headers) {
        return refuse(StatusCode::FORBIDDEN, "the host or the origin is not this desk's own");
    }
    if !room.desk.is_opened_by(headers) {
        return refuse(StatusCode::UNAUTHORIZED, "say the token: Authorization: Bearer TOKEN");
    }
    next.run(request).await
}

impl Desk {
    /// Against a page from elsewhere whose host name was made to lead here.
    fn is_meant_by(&self, headers: &HeaderMap) -> bool {
        let names = [format!("127.0.0.1:{}", self.address.port()), format!("localhost:{}", self.address.port())];
        let text = |name| headers.get(name).map(HeaderValue::as_bytes);
        let host = text(header::HOST).is_some_and(|host| names.iter().any(|name| name.as_bytes() == host));
        let own = |origin: &[u8]| names.iter().any(|name| format!("http://{name}").as_bytes() == origin);
        host && text(header::ORIGIN).is_none_or(own)
    }

    fn is_opened_by(&self, headers: &HeaderMap) -> bool {
        let said = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        said.is_some_and(|said| same(said, self.token.as_bytes()))
    }
}

/// Compares in a time that tells nothing of where two texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b))) == 0
}

async fn state<E: Ear>(State(room): State<Arc<Room<E>>>) -> Response {
    let plan = room.driver.plan();
    let (replicas, breakers, faults) = room.driver.look(|system| {
        let faults = fault_rows(plan, system);
        (replica_rows(plan, system), breaker_rows(plan, system), faults)
    });
    let now = room.driver.now().as_secs_f64();
    Json(json!({ "scenario": plan.name, "now_s": now, "replicas": replicas, "breakers": breakers, "faults": faults }))
        .into_response()
}

async fn faults<E: Ear>(State(room): State<Arc<Room<E>>>) -> Response {
    Json(room.driver.look(|system| fault_rows(room.driver.plan(), system))).into_response()
}

async fn begin<E: Ear>(State(room): State<Arc<Room<E>>>, Path(name): Path<String>) -> Response {
    turn(&room.driver, &name, true)
}

async fn end<E: Ear>(State(room): State<Arc<Room<E>>>, Path(name): Path<String>) -> Response {
    turn(&room.driver, &name, false)
}

/// Begins or ends everything that the file's fault of this name does.
fn turn<E: Ear>(driver: &Arc<Driver<E>>, name: &str, at_work: bool) -> Response {
    let rows = driver.plan().faults.iter().enumerate();
    let named: Vec<_> = rows.filter(|(_, fault)| fault.name == name).map(|(row, _)| FaultId::from(row)).collect();
    if named.is_empty() {
        return refuse(StatusCode::NOT_FOUND, "the file has no fault of this name");
    }
    let mut changed = 0;
    for fault in named {
        changed += u32::from(driver.set_fault(fault, at_work));
    }
    Json(json!({ "fault": name, "at_work": at_work, "changed": changed > 0 })).into_response()
}

async fn halt<E: Ear>(State(room): State<Arc<Room<E>>>) -> Response {
    room.stop.send_replace(true);
    Json(json!({ "stopping": true })).into_response()
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

fn replica_rows(plan: &'static Plan, system: &System<'_>) -> Vec<ReplicaShown> {
    let services = plan.services[..plan.real_services].iter();
    let rows = services.flat_map(|service| {
        service.replica_range().enumerate().map(|(number, row)| {
            let seen = system.replica(ReplicaId::from(row));
            ReplicaShown {
                service: &service.name,
                replica: number as u32,
                workers: (seen.workers != u32::MAX).then_some(seen.workers),
                busy: seen.busy,
                queued: seen.queued,
                ready: seen.ready,
                paused: seen.paused,
            }
        })
    });
    rows.collect()
}

fn breaker_rows(plan: &'static Plan, system: &System<'_>) -> Vec<BreakerShown> {
    let row = |breaker: squall_model::machine::BreakerSeen| {
        let edge = &plan.edges[breaker.edge.index()];
        let first = plan.services[edge.caller.index()].first_replica.0;
        let (replica, state) = (breaker.caller.0 - first, breaker.state.to_string());
        BreakerShown { call: &edge.name, replica, state, in_use: breaker.in_use }
    };
    system.breakers().map(row).collect()
}

fn fault_rows(plan: &'static Plan, system: &System<'_>) -> Vec<FaultShown> {
    let at_work = system.faults_at_work();
    let row = |(row, fault): (usize, &'static squall_model::plan::Fault)| FaultShown {
        name: &fault.name,
        does: fault.effect.word(),
        at_work: at_work.contains(&FaultId::from(row)),
    };
    plan.faults.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desk_opens_to_its_token_and_to_no_page_from_elsewhere() {
        let desk = Desk { address: "127.0.0.1:4000".parse().unwrap(), token: "0123456789abcdef".into() };
        let headers = |pairs: &[(header::HeaderName, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect::<HeaderMap>()
        };
        let token = |text| desk.is_opened_by(&headers(&[(header::AUTHORIZATION, text)]));
        assert!(token("Bearer 0123456789abcdef"));
        for wrong in ["", "Bearer ", "Bearer 0123456789abcdeg", "Bearer 0123456789abcdef0", "0123456789abcdef"] {
            assert!(!token(wrong), "{wrong}");
        }
        assert!(!desk.is_opened_by(&HeaderMap::new()));
        let from = |host, origin| desk.is_meant_by(&headers(&[(header::HOST, host), (header::ORIGIN, origin)]));
        assert!(from("127.0.0.1:4000", "http://localhost:4000"));
        assert!(desk.is_meant_by(&headers(&[(header::HOST, "localhost:4000")])));
        for (host, origin) in [
            ("127.0.0.1:4000", "http://evil.example"),
            ("127.0.0.1:4000", "null"),
            ("evil.example:4000", "http://localhost:4000"),
            ("127.0.0.1:4001", "http://localhost:4000"),
        ] {
            assert!(!from(host, origin), "{host} {origin}");
        }
        assert!(!desk.is_meant_by(&HeaderMap::new()));
    }
}
