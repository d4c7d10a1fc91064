//! Users' connections: plain HTTP/1.1 with keep-alive, used by one request at a time. As few layers as possible: what
//! is measured is the system, not the client.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::target::Target;

/// An idle connection is kept for less long than servers keep theirs.
const IDLE: Duration = Duration::from_secs(4);
/// The longest answer that is read; a connection with more on it is closed.
const LONGEST: u64 = 64 << 20;

/// Connections to some targets.
#[derive(Debug)]
pub struct Client {
    pools: Vec<Pool>,
}

/// Idle connections to one target, the one used last on top.
#[derive(Debug)]
struct Pool {
    target: Target,
    host: HeaderValue,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

type Connection = SendRequest<Full<Bytes>>;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// No connection.
    Connect(io::Error),
    /// The connection broke, or what came over it was no HTTP.
    Broken(hyper::Error),
    /// An answer longer than anybody would read.
    TooLong,
    /// A request that cannot be written.
    Request,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
            Self::TooLong => f.write_str("the answer is too long"),
            Self::Request => f.write_str("the request cannot be written"),
        }
    }
}

impl Error for Unanswered {}

impl Client {
    /// A client for these targets, which requests name by their place.
    pub fn new(targets: Vec<Target>) -> Self {
        Self { pools: targets.into_iter().map(Pool::new).collect() }
    }

    /// Sends a request whose URI is a path, and reads the answer. Dropping it closes the connection. A `fresh` one has a
    /// connection of its own.
    pub async fn send(&self, target: usize, mut request: Request<Bytes>, fresh: bool) -> Result<Reply, Unanswered> {
        let pool = self.pools.get(target).ok_or(Unanswered::Request)?;
        request.headers_mut().insert(header::HOST, pool.host.clone());
        if !pool.target.prefix.is_empty() {
            let path = format!("{}{}", pool.target.prefix, request.uri());
            *request.uri_mut() = path.parse().map_err(|_| Unanswered::Request)?;
        }
        let (mut connection, response) = pool.exchange(request.map(Full::new), fresh).await?;
        let (head, body) = response.into_parts();
        drain(body).await?;
        if !fresh && connection.ready().await.is_ok() {
            pool.lock().push((connection, Instant::now()));
        }
        Ok(Reply { status: head.status, headers: head.headers })
    }
}

impl Pool {
    fn new(target: Target) -> Self {
        let host = HeaderValue::from_str(&target.authority).unwrap_or(HeaderValue::from_static("localhost"));
        Self { target, host, idle: Mutex::new(Vec::new()) }
    }

    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        fresh: bool,
    ) -> Result<(Connection, http::Response<Incoming>), Unanswered> {
        while !fresh && let Some(mut connection) = self.idle() {
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((connection, response)),
                // It had closed before anything was sent: no harm in sending it elsewhere.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(Unanswered::Broken(error.into_error())),
                },
            }
        }
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await.map_err(Unanswered::Broken)?;
        Ok((connection, response))
    }

    /// A connection that is not in use, and not too old.
    fn idle(&self) -> Option<Connection> {
        let mut idle = self.lock();
        while let Some((connection, since)) = idle.pop() {
            if since.elapsed() >= IDLE {
                // The ones below are older.
                idle.clear();
            } else if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Connection, Unanswered> {
        let stream = TcpStream::connect(self.target.address).await.map_err(Unanswered::Connect)?;
        stream.set_nodelay(true).map_err(Unanswered::Connect)?;
        let (sender, connection) =
            http1::Builder::new().writev(false).handshake(TokioIo::new(stream)).await.map_err(Unanswered::Broken)?;
        // It ends with its sender; how is told there.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a body to its end and keeps nothing of it.
async fn drain(mut body: Incoming) -> Result<(), Unanswered> {
    let mut left = LONGEST;
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let length = frame.map_err(Unanswered::Broken)?.data_ref().map_or(0, |data| data.len() as u64);
        left = left.checked_sub(length).ok_or(Unanswered::TooLong)?;
    }
    Ok(())
}
