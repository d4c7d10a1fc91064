//! The live world, put together: services and load of one plan in this process, over real HTTP on loopback. Knows
//! neither the command line nor how reports look.

mod books;
mod descriptors;
mod users;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use squall_loadgen::{Client, Target};
use squall_model::Span;
use squall_model::plan::Plan;
use squall_services::{BindError, Carriers, Driver, Ended, Limits, Program, between_services, bind};
use squall_telemetry::report::World;
use squall_telemetry::{Recording, Run};
use tokio::sync::watch;

use crate::interrupt::Watch;
use books::Books;

/// What a live run leaves behind.
pub(crate) struct Stormed {
    pub(crate) recording: Recording,
    pub(crate) run: Run,
    /// Whether it was interrupted.
    pub(crate) cut_short: bool,
}

/// Why a live run could not be.
#[derive(Debug)]
pub(crate) enum Failed {
    Bind(BindError),
    /// Descriptors wanted, and allowed.
    TooFewDescriptors(u64, u64),
    /// There were none left in the middle of it.
    Exhausted,
    Io(io::Error),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::TooFewDescriptors(wanted, allowed) => {
                write!(f, "this takes about {wanted} open files, and {allowed} are allowed")
            }
            Self::Exhausted => f.write_str("no open files or ports were left for further connections"),
            Self::Io(error) => write!(f, "the live world cannot start: {error}"),
        }
    }
}

impl Failed {
    /// How to mend it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Bind(_) => Some("choose other ports with `--base-port`, or leave it out for free ones"),
            Self::TooFewDescriptors(..) | Self::Exhausted => Some("raise `ulimit -n`, or offer less load"),
            Self::Io(_) => None,
        }
    }
}

impl From<BindError> for Failed {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How often the run is asked whether it is over.
const LOOKS: Duration = Duration::from_millis(20);

/// A plan for the live world, whose tasks need it until the process ends.
fn for_ever(plan: &Plan) -> &'static Plan {
    Box::leak(Box::new(plan.clone()))
}

/// Runs a plan to its end, or until Ctrl-C.
pub(crate) fn storm(plan: &Plan, base_port: Option<u16>) -> Result<Stormed, Failed> {
    let plan = for_ever(plan);
    let allowed = descriptors::enough_for(plan)?;
    let runtime = runtime()?;
    let stormed = runtime.block_on(async {
        let (stop, stopping) = watch::channel(false);
        let driver = Driver::new(plan, Books::new(plan))?;
        raise(&driver, base_port, allowed, &stopping)?;
        driver.begin(Program { open: squall_loadgen::open_loops(plan), closed: true, faults: true });
        let cut_short = until_over(&driver).await?;
        let ended = driver.end();
        stop.send_replace(true);
        ended.map(|ended| stormed(ended, cut_short)).ok_or_else(|| Failed::Io(io::Error::other("it ended twice")))
    });
    // Whatever hangs on to a connection now was given up by everybody.
    runtime.shutdown_background();
    stormed
}

/// Starts every service, and the ways between them and from their users.
fn raise(
    driver: &Arc<Driver<Books>>,
    base_port: Option<u16>,
    allowed: u64,
    stopping: &watch::Receiver<bool>,
) -> Result<(), Failed> {
    let plan = driver.plan();
    let doors = bind(plan, base_port)?;
    let targets: Vec<_> = doors.addresses().map(|(_, address)| Target::at(address)).collect();
    let bases: Vec<_> = targets.iter().map(|target| format!("http://{}", target.authority)).collect();
    let at_once = usize::try_from(allowed / 2).unwrap_or(usize::MAX);
    let services = between_services(plan, &bases, at_once).map_err(io::Error::other)?;
    let users = users::to_replicas(plan, Client::new(targets));
    driver.carry_with(Carriers { users, services });
    doors.serve(driver, Limits::default(), stopping);
    Ok(())
}

/// Waits for the end of a run; answers whether it was interrupted.
async fn until_over(driver: &Driver<Books>) -> Result<bool, Failed> {
    let mut watch = Watch::new(driver.plan());
    let mut looks = tokio::time::interval(LOOKS);
    loop {
        looks.tick().await;
        if driver.is_exhausted() {
            return Err(Failed::Exhausted);
        }
        if driver.is_done() {
            return Ok(false);
        }
        if !watch.go_on(driver.now()) {
            return Ok(true);
        }
    }
}

fn stormed(ended: Ended<Books>, cut_short: bool) -> Stormed {
    let wall = Span::from_nanos(ended.at.as_nanos());
    let run = Run { world: World::Live, events: ended.events, peak_in_flight: ended.census.peak_fibers, wall };
    Stormed { recording: ended.ear.close(ended.at), run, cut_short }
}

/// One thread: what is on the way within this process changes no thread, and so is not late for it. That is enough for
/// some ten thousands of hops a second.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
