//! The control desk of a live system: who is there, how they are, faults to begin and end by hand, and values to change.
//! It listens on a port of its own on loopback and answers only to whoever knows its token, and to no page of a browser
//! that came from elsewhere.
//!
//! | request | does |
//! |---|---|
//! | `GET /v1/state` | everything below in one |
//! | `GET /v1/queues` | replicas: workers, busy, queued, ready, paused |
//! | `GET /v1/breakers` | breakers and their states, by call and replica of the caller |
//! | `GET /v1/pools` | databases: connections, busy, waiting |
//! | `GET /v1/faults` | the file's faults and those made by hand, and which are at work |
//! | `POST /v1/faults` | a fault as the file would say it (YAML or JSON, `at` left out) begins now |
//! | `POST /v1/faults/NAME/begin`, `…/end`, `DELETE /v1/faults/NAME` | begins or ends one that is listed |
//! | `PUT /v1/values/PATH` | changes a value of the file, such as `services.order.calls.inventory.timeout` |
//! | `POST /v1/stop` | stops everything |

mod changes;
mod rows;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::driver::Driver;
use crate::server::{Limits, accept};
use crate::world::Ear;

pub use changes::{Changer, Injected, Refused};

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
    /// Reads changes as they are written.
    changer: Box<dyn Changer>,
    /// Says that all is to stop.
    stop: watch::Sender<bool>,
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
    pub fn open<E: Ear>(self, driver: &Arc<Driver<E>>, changer: Box<dyn Changer>, stop: watch::Sender<bool>) {
        let stopping = stop.subscribe();
        let room = Arc::new(Room { driver: Arc::clone(driver), desk: self.desk, changer, stop });
        let app = Router::new()
            .route("/v1/state", get(rows::state::<E>))
            .route("/v1/queues", get(rows::queues::<E>))
            .route("/v1/breakers", get(rows::breakers::<E>))
            .route("/v1/pools", get(rows::pools::<E>))
            .route("/v1/faults", get(rows::faults::<E>).post(changes::inject::<E>))
            .route("/v1/faults/{name}", axum::routing::delete(changes::end::<E>))
            .route("/v1/faults/{name}/begin", post(changes::begin::<E>))
            .route("/v1/faults/{name}/end", post(changes::end::<E>))
            .route("/v1/values/{path}", put(changes::set::<E>))
            .route("/v1/stop", post(halt::<E>))
            .fallback(async || refuse(StatusCode::NOT_FOUND, "the desk has no such page: begin with GET /v1/state"))
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
    fn is_meant_by(&self, headers: &HeaderMap) -> bool {
        is_meant_for(self.address, headers)
    }

    fn is_opened_by(&self, headers: &HeaderMap) -> bool {
        let said = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        said.is_some_and(|said| same(said, self.token.as_bytes()))
    }
}

/// Whether a request was meant for this address on loopback: against a page from elsewhere whose host name was made to
/// lead here.
pub fn is_meant_for(address: SocketAddr, headers: &HeaderMap) -> bool {
    let names = [format!("127.0.0.1:{}", address.port()), format!("localhost:{}", address.port())];
    let text = |name| headers.get(name).map(HeaderValue::as_bytes);
    let host = text(header::HOST).is_some_and(|host| names.iter().any(|name| name.as_bytes() == host));
    let own = |origin: &[u8]| names.iter().any(|name| format!("http://{name}").as_bytes() == origin);
    host && text(header::ORIGIN).is_none_or(own)
}

/// Compares in a time that tells nothing of where two texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b))) == 0
}

async fn halt<E: Ear>(State(room): State<Arc<Room<E>>>) -> Response {
    room.stop.send_replace(true);
    Json(json!({ "stopping": true })).into_response()
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
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
