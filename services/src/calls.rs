//! Requests from service to service: reqwest under a small tower stack. What a request is to the driver is the same
//! whoever carries it, so that load can travel another way.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::Url;
use squall_model::Outcome;
use squall_model::plan::{EndpointId, Plan, ReplicaId};
use tower::{BoxError, ServiceBuilder, ServiceExt as _};

use crate::paths::sample_path;

/// Carries requests to where they go and answers back.
pub type Carrier = Arc<dyn Fn(Parcel) -> Carrying + Send + Sync>;

/// A request under way.
pub type Carrying = Pin<Box<dyn Future<Output = Result<Answer, Undelivered>> + Send>>;

/// One request over HTTP.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Where it goes.
    pub to: ReplicaId,
    /// What it asks for.
    pub endpoint: EndpointId,
    /// What it says beside that.
    pub headers: HeaderMap,
    /// After this nobody waits for its answer.
    pub limit: Option<Duration>,
    /// Whether it has a connection of its own.
    pub fresh: bool,
}

/// An answer over HTTP; its body has been read to the end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Undelivered {
    /// Nobody takes connections there.
    Refused,
    /// The connection closed before the answer.
    Closed,
    /// Nobody waits for it any more.
    TimedOut,
    /// An answer that is not HTTP.
    Unusable,
    /// This process has no descriptor or port left for another connection.
    Exhausted,
}

impl Undelivered {
    /// What that is to whoever asked.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Refused | Self::Closed | Self::Exhausted => Outcome::Refused,
            Self::TimedOut => Outcome::Timeout,
            Self::Unusable => Outcome::Error(502),
        }
    }

    /// Why a connection could not be made.
    pub fn to_connect(error: &(dyn Error + 'static)) -> Self {
        const OUT_OF_DESCRIPTORS: [i32; 2] = [24, 23];
        let exhausted = |error: &io::Error| {
            error.kind() == io::ErrorKind::AddrNotAvailable
                || error.raw_os_error().is_some_and(|code| OUT_OF_DESCRIPTORS.contains(&code))
        };
        let mut source = Some(error);
        while let Some(error) = source {
            if error.downcast_ref::<io::Error>().is_some_and(exhausted) {
                return Self::Exhausted;
            }
            source = error.source();
        }
        Self::Refused
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "connection refused",
            Self::Closed => "connection closed before the answer",
            Self::TimedOut => "no answer in time",
            Self::Unusable => "an answer that is not HTTP",
            Self::Exhausted => "no descriptor or port left for another connection",
        })
    }
}

impl Error for Undelivered {}

/// An idle connection is kept for less long than servers keep theirs: else a request may meet one that is closing.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(4);

/// The way from service to service. `bases` are the replicas' addresses, `at_once` how many requests may be under way.
pub fn between_services(plan: &Plan, bases: &[String], at_once: usize) -> Result<Carrier, BoxError> {
    let (kept, fresh) = (client(usize::MAX)?, client(0)?);
    let urls = Arc::new(Urls::new(plan, bases)?);
    let stack = ServiceBuilder::new()
        // What is not our own error comes from the limit.
        .map_err(|error: BoxError| error.downcast().map_or(Undelivered::Exhausted, |own| *own))
        .load_shed()
        .concurrency_limit(at_once)
        .service_fn(move |parcel: Parcel| {
            let client = if parcel.fresh { &fresh } else { &kept };
            exchange(client.clone(), urls.request(parcel))
        });
    Ok(Arc::new(move |parcel| Box::pin(stack.clone().oneshot(parcel))))
}

/// A client that keeps so many idle connections to each server.
fn client(idle: usize) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(idle)
        .build()
}

async fn exchange(client: reqwest::Client, request: reqwest::Request) -> Result<Answer, Undelivered> {
    let response = client.execute(request).await.map_err(|error| undelivered(&error))?;
    let answer = Answer { status: response.status(), headers: response.headers().clone() };
    // To the end, so that the connection can be used again.
    response.bytes().await.map_err(|error| undelivered(&error))?;
    Ok(answer)
}

fn undelivered(error: &reqwest::Error) -> Undelivered {
    if error.is_timeout() {
        Undelivered::TimedOut
    } else if error.is_connect() {
        Undelivered::to_connect(error)
    } else if error.is_decode() || is_no_http(error) {
        Undelivered::Unusable
    } else {
        Undelivered::Closed
    }
}

/// Whether what came is not HTTP.
fn is_no_http(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        source = error.source();
    }
    false
}

/// Where every endpoint of every replica is.
struct Urls {
    first_endpoint: Vec<u32>,
    by_replica: Vec<Vec<Url>>,
    methods: Vec<Method>,
}

impl Urls {
    fn new(plan: &Plan, bases: &[String]) -> Result<Self, BoxError> {
        let mut urls = Self { first_endpoint: Vec::new(), by_replica: Vec::new(), methods: Vec::new() };
        for service in &plan.services[..plan.real_services] {
            for replica in service.replica_range() {
                let url = |id: usize| format!("{}{}", bases[replica], sample_path(&plan.endpoints[id].path)).parse();
                urls.by_replica.push(service.endpoint_range().map(url).collect::<Result<_, _>>()?);
                urls.first_endpoint.push(service.first_endpoint.0);
            }
        }
        for endpoint in &plan.endpoints {
            urls.methods.push(endpoint.method.parse().unwrap_or(Method::GET));
        }
        Ok(urls)
    }

    fn request(&self, parcel: Parcel) -> reqwest::Request {
        let (replica, endpoint) = (parcel.to.index(), parcel.endpoint.index());
        let url = self.by_replica[replica][endpoint - self.first_endpoint[replica] as usize].clone();
        let method = self.methods[endpoint].clone();
        let has_body = takes_body(&method);
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = parcel.headers;
        *request.timeout_mut() = parcel.limit;
        if has_body {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some("{}".into());
        }
        request
    }
}

/// Whether requests of this method usually carry something.
pub(crate) fn takes_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}
