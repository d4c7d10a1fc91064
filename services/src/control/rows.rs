//! What the desk shows of the machines: figures by name, read when somebody asks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::json;
use squall_model::machine::{BreakerSeen, PoolSeen, System};
use squall_model::plan::{DatabaseId, Fault, FaultId, Plan, ReplicaId};

use super::Room;
use crate::world::Ear;

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

/// The connections of a database, or of a call, as the desk shows them.
#[derive(Serialize)]
struct PoolShown {
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'static str>,
    /// Of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<u32>,
    connections: Option<u32>,
    busy: u32,
    waiting: u32,
}

/// A fault, as the desk shows it.
#[derive(Serialize)]
struct FaultShown {
    name: &'static str,
    does: &'static str,
    at_work: bool,
}

type Shared<E> = State<Arc<Room<E>>>;

pub(super) async fn state<E: Ear>(State(room): Shared<E>) -> Response {
    let now = room.driver.now().as_secs_f64();
    let scenario = &room.driver.plan().name;
    let page = room.driver.look(|system| {
        let (replicas, breakers) = (replica_rows(system), breaker_rows(system));
        json!({ "scenario": scenario, "now_s": now, "replicas": replicas, "breakers": breakers,
            "pools": pool_rows(system), "faults": fault_rows(system) })
    });
    Json(page).into_response()
}

pub(super) async fn queues<E: Ear>(State(room): Shared<E>) -> Response {
    Json(room.driver.look(replica_rows)).into_response()
}

pub(super) async fn breakers<E: Ear>(State(room): Shared<E>) -> Response {
    Json(room.driver.look(breaker_rows)).into_response()
}

pub(super) async fn pools<E: Ear>(State(room): Shared<E>) -> Response {
    Json(room.driver.look(pool_rows)).into_response()
}

pub(super) async fn faults<E: Ear>(State(room): Shared<E>) -> Response {
    Json(room.driver.look(fault_rows)).into_response()
}

fn replica_rows(system: &System<'static>) -> Vec<ReplicaShown> {
    let plan: &'static Plan = system.plan();
    let services = plan.services[..plan.real_services].iter();
    let rows = services.flat_map(|service| {
        service.replica_range().enumerate().map(|(number, row)| {
            let seen = system.replica(ReplicaId::from(row));
            ReplicaShown {
                service: &service.name,
                replica: number as u32,
                workers: limit(seen.workers),
                busy: seen.busy,
                queued: seen.queued,
                ready: seen.ready,
                paused: seen.paused,
            }
        })
    });
    rows.collect()
}

fn breaker_rows(system: &System<'static>) -> Vec<BreakerShown> {
    let plan: &'static Plan = system.plan();
    let row = |breaker: BreakerSeen| {
        let edge = &plan.edges[breaker.edge.index()];
        let first = plan.services[edge.caller.index()].first_replica.0;
        let (replica, state) = (breaker.caller.0 - first, breaker.state.to_string());
        BreakerShown { call: &edge.name, replica, state, in_use: breaker.in_use }
    };
    system.breakers().map(row).collect()
}

fn pool_rows(system: &System<'static>) -> Vec<PoolShown> {
    let plan: &'static Plan = system.plan();
    let row = |(row, database): (usize, &'static squall_model::plan::Database)| {
        let seen = system.database(DatabaseId::from(row));
        let database = Some(database.name.as_str());
        let (connections, busy, waiting) = (limit(seen.connections), seen.busy, seen.waiting);
        PoolShown { database, call: None, replica: None, connections, busy, waiting }
    };
    let of_call = |seen: PoolSeen| {
        let edge = &plan.edges[seen.edge.index()];
        let replica = Some(seen.caller.0 - plan.services[edge.caller.index()].first_replica.0);
        let (connections, busy, waiting) = (limit(seen.connections), seen.busy, seen.waiting);
        PoolShown { database: None, call: Some(&edge.name), replica, connections, busy, waiting }
    };
    plan.databases.iter().enumerate().map(row).chain(system.pools().map(of_call)).collect()
}

fn limit(count: u32) -> Option<u32> {
    (count != u32::MAX).then_some(count)
}

fn fault_rows(system: &System<'static>) -> Vec<FaultShown> {
    let plan: &'static Plan = system.plan();
    let at_work = system.faults_at_work();
    let row = |(row, fault): (usize, &'static Fault)| FaultShown {
        name: &fault.name,
        does: fault.effect.word(),
        at_work: at_work.contains(&FaultId::from(row)),
    };
    plan.faults.iter().enumerate().map(row).collect()
}
