//! What the desk changes: faults begin and end, values are others from now on. What is written is read by a [`Changer`],
//! which knows the file; here it is only handed on.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::json;
use squall_model::Span;
use squall_model::plan::{Effect, FaultId, Plan};

use super::{Room, refuse};
use crate::driver::Driver;
use crate::world::Ear;

/// A plan with a fault more.
#[derive(Debug)]
pub struct Injected {
    /// The plan.
    pub plan: Plan,
    /// The fault's name.
    pub name: String,
    /// How long it lasts; `None` until it is ended by hand.
    pub lasts: Option<Span>,
}

/// Why a change cannot be made: everything that is wrong with it.
pub type Refused = Vec<String>;

/// Makes plans of changes as they are written, each on top of those before. A change that `apply` refuses has not been.
pub trait Changer: Send + Sync + 'static {
    /// The plan with another value at a path of the file.
    fn set(&self, path: &str, value: &str, apply: &mut dyn FnMut(Plan) -> Result<(), String>) -> Result<(), Refused>;

    /// The plan with another fault, written as the file would have it; answers the fault's name.
    fn inject(&self, fault: &str, apply: &mut dyn FnMut(Injected) -> Result<(), String>) -> Result<String, Refused>;
}

type Shared<E> = State<Arc<Room<E>>>;

pub(super) async fn inject<E: Ear>(State(room): Shared<E>, fault: String) -> Response {
    let made = room.changer.inject(&fault, &mut |injected| room.driver.inject(injected.plan, injected.lasts));
    match made {
        Ok(name) => (StatusCode::CREATED, Json(json!({ "fault": name, "at_work": true }))).into_response(),
        Err(problems) => unusable(&problems),
    }
}

pub(super) async fn set<E: Ear>(State(room): Shared<E>, Path(path): Path<String>, value: String) -> Response {
    match room.changer.set(&path, &value, &mut |plan| room.driver.replan(plan)) {
        Ok(()) => Json(json!({ "path": path, "value": value })).into_response(),
        Err(problems) => unusable(&problems),
    }
}

fn unusable(problems: &[String]) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "errors": problems }))).into_response()
}

pub(super) async fn begin<E: Ear>(State(room): Shared<E>, Path(name): Path<String>) -> Response {
    turn(&room.driver, &name, true)
}

pub(super) async fn end<E: Ear>(State(room): Shared<E>, Path(name): Path<String>) -> Response {
    turn(&room.driver, &name, false)
}

/// Begins or ends everything that the fault of this name does.
fn turn<E: Ear>(driver: &Arc<Driver<E>>, name: &str, at_work: bool) -> Response {
    let (named, restarts) = driver.look(|system| {
        let rows = || system.plan().faults.iter().enumerate().filter(|(_, fault)| fault.name == name);
        let named: Vec<_> = rows().map(|(row, _)| FaultId::from(row)).collect();
        (named, rows().filter(|(_, fault)| fault.effect == Effect::Restart).count())
    });
    // Begun by hand, all of its replicas would go at once.
    if at_work && restarts > 1 {
        let what = "a rolling restart goes by its times; restart one replica with POST /v1/faults: {target: api[0], restart: 5s}";
        return refuse(StatusCode::CONFLICT, what);
    }
    if named.is_empty() {
        return refuse(StatusCode::NOT_FOUND, "there is no fault of this name: GET /v1/faults lists them");
    }
    let mut changed = 0;
    for fault in named {
        changed += u32::from(driver.set_fault(fault, at_work));
    }
    Json(json!({ "fault": name, "at_work": at_work, "changed": changed > 0 })).into_response()
}
