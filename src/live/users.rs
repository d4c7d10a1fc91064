//! The way from users to services: the load generator's own connections, as the driver wants them.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use squall_loadgen::{Client, Target, Unanswered};
use squall_model::plan::Plan;
use squall_services::{Answer, Carrier, Parcel, Undelivered, sample_path};

/// Whether a target can be reached at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// The target, and for how long it may take no connection. Services of this process are always there.
    target: Option<(Target, Duration)>,
    /// Since when no connection was taken.
    lost: Arc<Mutex<Option<Instant>>>,
}

impl Reach {
    pub(super) fn of(target: Target, patience: Duration) -> Self {
        Self { target: Some((target, patience)), lost: Arc::default() }
    }

    /// The target, and for how long no connection was taken there, if that is too long.
    pub(super) fn lost(&self) -> Option<(&Target, Duration)> {
        let (target, patience) = self.target.as_ref()?;
        let lost = self.lock().map(|since| since.elapsed()).filter(|lost| lost > patience)?;
        Some((target, lost))
    }

    /// A connection was refused, or taken.
    pub(super) fn note(&self, refused: bool) {
        let mut lost = self.lock();
        *lost = if refused { lost.or_else(|| Some(Instant::now())) } else { None };
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client, and what a request for each endpoint looks like.
struct Users {
    client: Client,
    /// By endpoint.
    forms: Vec<(Method, Uri)>,
    /// Whether every replica is a target of its own, or all of them are one.
    apart: bool,
    /// Told of every connection that is taken or refused, if there is one target.
    reach: Option<Reach>,
}

/// Users that talk to each replica at its own address.
pub(super) fn to_replicas(plan: &Plan, client: Client) -> Carrier {
    carrier(Users { client, forms: forms(plan), apart: true, reach: None })
}

/// Users that talk to one target, whichever replica they mean.
pub(super) fn to_one_target(plan: &Plan, client: Client, reach: Reach) -> Carrier {
    carrier(Users { client, forms: forms(plan), apart: false, reach: Some(reach) })
}

fn carrier(users: Users) -> Carrier {
    let users = Arc::new(users);
    Arc::new(move |parcel: Parcel| {
        let users = Arc::clone(&users);
        Box::pin(async move { users.send(parcel).await })
    })
}

fn forms(plan: &Plan) -> Vec<(Method, Uri)> {
    let form = |endpoint: &squall_model::plan::Endpoint| {
        let method = endpoint.method.parse().unwrap_or(Method::GET);
        (method, sample_path(&endpoint.path).parse().unwrap_or_default())
    };
    plan.endpoints.iter().map(form).collect()
}

impl Users {
    async fn send(&self, parcel: Parcel) -> Result<Answer, Undelivered> {
        let (method, path) = self.forms[parcel.endpoint.index()].clone();
        let mut request = Request::new(Bytes::new());
        *request.headers_mut() = parcel.headers;
        if [Method::POST, Method::PUT, Method::PATCH].contains(&method) {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Bytes::from_static(b"{}");
        }
        *request.method_mut() = method;
        *request.uri_mut() = path;
        let target = if self.apart { parcel.to.index() } else { 0 };
        // It is large, and stays where it is.
        let mut sent = pin!(self.client.send(target, request, parcel.fresh));
        let reply = match parcel.limit {
            Some(limit) => tokio::time::timeout(limit, sent.as_mut()).await.map_err(|_| Undelivered::TimedOut)?,
            None => sent.as_mut().await,
        };
        if let Some(reach) = &self.reach {
            reach.note(matches!(reply, Err(Unanswered::Connect(_))));
        }
        match reply {
            Ok(reply) => Ok(Answer { status: reply.status, headers: reply.headers }),
            Err(error) => Err(undelivered(&error)),
        }
    }
}

fn undelivered(error: &Unanswered) -> Undelivered {
    match error {
        Unanswered::Connect(error) => Undelivered::to_connect(error),
        Unanswered::Broken(error) if !error.is_parse() => Undelivered::Closed,
        Unanswered::Broken(_) | Unanswered::TooLong | Unanswered::Request => Undelivered::Unusable,
    }
}
