//! Listeners and connections: one listener a replica, on loopback alone. A client may be slow, silent or broken: every
//! wait for one ends, and so does the server, by its deadline.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use squall_model::plan::{Plan, ReplicaId};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use crate::app::{self, Fate};
use crate::driver::Driver;
use crate::garble::Garbled;
use crate::world::Ear;

/// What a client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the end of one request, or the connection's beginning, to the end of the next one's head. It is longer than
    /// clients keep their idle connections, so that they close first.
    pub head: Duration,
    /// From the head to the end of the body.
    pub body: Duration,
    /// The longest body.
    pub body_bytes: usize,
    /// The longest head.
    pub head_bytes: usize,
    /// What is still under way when the server stops may take this long.
    pub stop: Duration,
    /// Connections to one replica at the same time. Whoever comes then waits in the system's own queue until one closes,
    /// so that clients that sit on theirs can cost no more than this.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            body_bytes: 1 << 20,
            head_bytes: 16 << 10,
            stop: Duration::from_secs(1),
            connections: 8192,
        }
    }
}

/// A port that cannot be had.
#[derive(Debug)]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The replica it was for.
    pub name: String,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot listen on {}: {}", self.name, self.address, self.error)
    }
}

impl std::error::Error for BindError {}

/// A listener for every replica of a plan's services.
#[derive(Debug)]
pub struct Doors(Vec<Door>);

#[derive(Debug)]
struct Door {
    replica: ReplicaId,
    name: String,
    address: SocketAddr,
    listener: TcpListener,
}

/// Listens for every replica, in file order, on ports from `base` on; on free ports without.
pub fn bind(plan: &Plan, base: Option<u16>) -> Result<Doors, BindError> {
    bind_some(plan, |replica| Some(base.map_or(0, |base| u32::from(base) + replica.0)))
}

/// Listens for those replicas that have a port; port 0 is a free one.
pub fn bind_some(plan: &Plan, port: impl Fn(ReplicaId) -> Option<u32>) -> Result<Doors, BindError> {
    let mut doors = Vec::new();
    for service in &plan.services[..plan.real_services] {
        for (number, row) in service.replica_range().enumerate() {
            let name = if service.replicas == 1 { service.name.clone() } else { format!("{}[{number}]", service.name) };
            if let Some(port) = port(ReplicaId::from(row)) {
                doors.push(Door::bind(ReplicaId::from(row), name, port)?);
            }
        }
    }
    Ok(Doors(doors))
}

impl Doors {
    /// The name and the address of every replica, in order.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.0.iter().map(|door| (door.name.as_str(), door.address))
    }

    /// The address of every replica that there is a door for.
    pub fn places(&self) -> impl Iterator<Item = (ReplicaId, SocketAddr)> {
        self.0.iter().map(|door| (door.replica, door.address))
    }

    /// Serves until `stop` is dropped or says so.
    pub fn serve<E: Ear>(self, driver: &Arc<Driver<E>>, limits: Limits, stop: &watch::Receiver<bool>) {
        for door in self.0 {
            let app = app::router(Arc::clone(driver), door.replica, limits);
            let open = driver.door(door.replica);
            let serving = Serving { app, limits, open, stop: stop.clone(), out_of_descriptors: noting(driver) };
            tokio::spawn(serving.run(door));
        }
    }
}

fn noting<E: Ear>(driver: &Arc<Driver<E>>) -> Box<dyn Fn() + Send + Sync> {
    let driver = Arc::clone(driver);
    Box::new(move || driver.note_exhausted())
}

impl Door {
    fn bind(replica: ReplicaId, name: String, port: u32) -> Result<Self, BindError> {
        let wanted = u16::try_from(port).ok();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, wanted.unwrap_or(0)));
        let listen = || {
            let Some(_) = wanted else { return Err(io::Error::other("there is no port above 65535")) };
            let listener = reserve(address)?.listen(BACKLOG)?;
            Ok((listener.local_addr()?, listener))
        };
        match listen() {
            Ok((address, listener)) => Ok(Self { replica, name, address, listener }),
            Err(error) => Err(BindError { address, name, error }),
        }
    }
}

const BACKLOG: u32 = 1024;

/// Takes a port without listening: whoever connects is refused.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// One replica being served.
struct Serving {
    app: Router,
    limits: Limits,
    /// Whether the replica takes connections now.
    open: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
    out_of_descriptors: Box<dyn Fn() + Send + Sync>,
}

impl Serving {
    /// Listens while the replica takes connections, and keeps the port while it does not.
    async fn run(mut self, door: Door) {
        let mut listener = door.listener;
        loop {
            if !self.listen(listener).await {
                return;
            }
            let Some(reserved) = self.reserve_again(door.address).await else { return };
            tokio::select! {
                open = turned(&mut self.open, true) => if !open { return },
                () = stopped(&mut self.stop) => return,
            }
            match reserved.listen(BACKLOG) {
                Ok(again) => listener = again,
                Err(_) => return,
            }
        }
    }

    /// Takes connections until the door closes; answers whether it may open again.
    async fn listen(&mut self, listener: TcpListener) -> bool {
        let (close, closing) = watch::channel(false);
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let goes_on = loop {
            tokio::select! {
                shut = turned(&mut self.open, false) => break shut,
                () = stopped(&mut self.stop) => break false,
                taken = take(&listener, &places) => match taken {
                    Ok((stream, place)) => {
                        let serving = connection(stream, self.app.clone(), self.limits, closing.clone(), self.stop.clone());
                        tokio::spawn(async move {
                            serving.await;
                            drop(place);
                        });
                    }
                    Err(error) => not_accepted(&error, &self.out_of_descriptors).await,
                },
            }
        };
        drop(listener);
        close.send_replace(true);
        goes_on
    }

    /// The port again, as soon as the system lets go of it.
    async fn reserve_again(&self, address: SocketAddr) -> Option<TcpSocket> {
        for _ in 0..100 {
            match reserve(address) {
                Ok(socket) => return Some(socket),
                Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
        None
    }
}

/// Serves one router on one listener until `stop` says so.
pub async fn accept(listener: TcpListener, app: Router, limits: Limits, stop: watch::Receiver<bool>) {
    let (open, always) = watch::channel(true);
    let mut serving = Serving { app, limits, open: always, stop, out_of_descriptors: Box::new(|| ()) };
    serving.listen(listener).await;
    drop(open);
}

/// The next connection, once there is a place for it.
async fn take(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// A connection that could not be taken. Without descriptors it stays in the queue, and trying again at once would only
/// burn time.
async fn not_accepted(error: &io::Error, out_of_descriptors: &(dyn Fn() + Send + Sync)) {
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        out_of_descriptors();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Serves one connection. When its listener closes, it ends after the request under way; when the server stops, soon.
async fn connection(
    stream: TcpStream,
    app: Router,
    limits: Limits,
    mut closing: watch::Receiver<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let (stream, spoilt) = Garbled::new(stream);
    let service = service_fn(move |request| {
        let (app, spoilt) = (app.clone(), Arc::clone(&spoilt));
        async move {
            let Ok(response) = app.oneshot(request).await;
            Fate::meets(response, &spoilt)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(limits.head_bytes);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // However it ends, it ends; the client knows what it got.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(&mut closing) => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection.as_mut() => {}
        () = async {
            stopped(&mut stop).await;
            tokio::time::sleep(limits.stop).await;
        } => {}
    }
}

/// Waits until the door is open, or not; `false` if it will never be.
async fn turned(door: &mut watch::Receiver<bool>, open: bool) -> bool {
    door.wait_for(|now| *now == open).await.is_ok()
}

/// Until it says so, or nobody is left to say it.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    async fn answers(stream: &mut TcpStream) -> bool {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.is_ok() && &answer == b"HTTP/1.1 404"
    }

    #[test]
    fn whoever_finds_all_connections_taken_is_served_when_one_closes() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopping) = watch::channel(false);
            let limits = Limits { connections: 2, ..Limits::default() };
            tokio::spawn(accept(listener, Router::new(), limits, stopping));
            let mut held = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
            // They have been taken when the first has its answer; the connection stays.
            held[0].write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            assert!(answers(&mut held[0]).await);
            let mut third = TcpStream::connect(address).await.unwrap();
            third.write_all(ASK).await.unwrap();
            let waits = tokio::time::timeout(Duration::from_millis(200), third.readable()).await;
            assert!(waits.is_err(), "two sit on all connections that there are");
            let [first, second] = held;
            drop(first);
            assert!(answers(&mut third).await, "one is free");
            drop((second, stop));
        });
    }
}
