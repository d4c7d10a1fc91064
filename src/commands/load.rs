//! `squall load`: only the load of a topology, against any URL.

use std::io;

use squall_loadgen::{Target, TargetError};
use squall_model::plan::{Claim, Plan, ServiceId, Subject};

use crate::cli::Load;
use crate::commands::run::{Wanted, hand_in_storm};
use crate::exit::Exit;
use crate::live::{self, Settings};
use crate::output;
use crate::topologies::Topology;

/// Offers it and reports it.
pub(crate) fn run(load: &Load, quiet: bool) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&load.file)? else { return Ok(Exit::Wrong) };
    let Some((mut plan, _)) = topology.plan(&load.overrides)? else { return Ok(Exit::Wrong) };
    let target = match Target::new(&load.target, &load.allow_remote) {
        Ok(target) => target,
        Err(error) => return refuse(&load.target, &error),
    };
    only_seen_from_outside(&mut plan);
    let settings = Settings { precise: load.precise, logged: load.hdr.is_some(), b3: load.b3, ..Settings::default() };
    hand_in_storm(
        live::load(&plan, (target, load.give_up_after), settings),
        load.hdr.as_deref(),
        Wanted { json: load.json.as_deref(), quiet, ..Wanted::default() },
    )
}

fn refuse(url: &str, error: &TargetError) -> io::Result<Exit> {
    let hint = match error {
        TargetError::Remote(host) => Some(format!("if it is yours to load, say so: --allow-remote {host}")),
        _ => None,
    };
    output::error(&format!("`{url}`: {error}"), hint.as_deref())?;
    Ok(if matches!(error, TargetError::Unknown(_)) { Exit::CouldNotRun } else { Exit::Wrong })
}

/// Leaves out what cannot be seen from here: the inside of the system, and faults, which are for whoever runs it.
fn only_seen_from_outside(plan: &mut Plan) {
    plan.faults.clear();
    for service in &mut plan.services {
        (service.autoscale, service.at_start) = (None, service.replicas);
    }
    let is_client = |service: ServiceId| service.index() >= plan.first_client;
    let seen = |subject: &Subject| match *subject {
        Subject::System | Subject::Load(_) | Subject::Task(_) => true,
        Subject::Edge(edge) => is_client(plan.edges[edge.index()].caller),
        Subject::Service(_) | Subject::Endpoint(_) | Subject::Database(_) | Subject::Cache(_) | Subject::Topic(_) => {
            false
        }
    };
    let judged = |claim: &Claim| match claim {
        Claim::Figure { subject, .. } | Claim::Saturates { subject, .. } | Claim::Recovers { subject, .. } => {
            seen(subject)
        }
        Claim::Breaker { edge, .. } => seen(&Subject::Edge(*edge)),
    };
    let kept = plan.expect.iter().filter(|expect| judged(&expect.claim)).cloned().collect();
    plan.expect = kept;
}
