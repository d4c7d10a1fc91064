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
use squall_services::{
    BindError, Carriers, Control, Desk, Doors, Driver, Ear, Ended, Limits, Program, between_services, bind,
};
use squall_telemetry::report::World;
use squall_telemetry::{Recording, Run};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::interrupt::{self, Watch};
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
    /// Nobody is there.
    Unreachable(String, io::Error),
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
            Self::Unreachable(target, error) => write!(f, "nobody answers at {target}: {error}"),
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
            Self::Unreachable(..) => Some("start the services first: `squall up FILE`"),
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
/// How long a target may take to accept a first connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// A plan for the live world, whose tasks need it until the process ends.
fn for_ever(plan: &Plan) -> &'static Plan {
    Box::leak(Box::new(plan.clone()))
}

/// Runs a plan to its end, or until Ctrl-C.
pub(crate) fn storm(plan: &Plan, base_port: Option<u16>) -> Result<Stormed, Failed> {
    let plan = for_ever(plan);
    let allowed = descriptors::enough_for(plan)?;
    in_runtime(async {
        let (stop, stopping) = watch::channel(false);
        let driver = Driver::new(plan, Books::new(plan))?;
        raise(&driver, base_port, allowed)?.serve(&driver, Limits::default(), &stopping);
        let open = squall_loadgen::open_loops(plan);
        let stormed = run_out(&driver, Program { open, closed: true, faults: true }).await;
        stop.send_replace(true);
        stormed
    })
}

/// Offers a plan's load to `target`, to its end or until Ctrl-C. Of the plan only the load and its clients are used.
pub(crate) fn load(plan: &Plan, target: Target) -> Result<Stormed, Failed> {
    let plan = for_ever(plan);
    descriptors::enough_for(plan)?;
    in_runtime(async {
        reach(&target).await?;
        let driver = Driver::new(plan, Books::new(plan))?;
        let users = users::to_one_target(plan, Client::new(vec![target]));
        driver.carry_with(Carriers { services: users.clone(), users });
        let open = squall_loadgen::open_loops(plan);
        run_out(&driver, Program { open, closed: true, faults: false }).await
    })
}

/// Starts a plan's services, says where they are, and leaves them running until Ctrl-C or until somebody says so at the
/// control desk.
pub(crate) fn up(
    plan: &Plan,
    base_port: Option<u16>,
    announce: impl FnOnce(&Doors, &Desk) -> io::Result<()>,
) -> Result<(), Failed> {
    let plan = for_ever(plan);
    let allowed = descriptors::enough_for(plan)?;
    in_runtime(async {
        let (stop, mut stopping) = watch::channel(false);
        let driver = Driver::new(plan, ())?;
        let doors = raise(&driver, base_port, allowed)?;
        let control = Control::bind().await?;
        interrupt::listen();
        driver.begin(Program::default());
        announce(&doors, control.desk())?;
        doors.serve(&driver, Limits::default(), &stopping);
        control.open(&driver, stop.clone());
        let mut looks = tokio::time::interval(LOOKS);
        while !interrupt::pressed() && !*stopping.borrow_and_update() {
            looks.tick().await;
        }
        stop.send_replace(true);
        // Answers under way still get out.
        tokio::time::sleep(LOOKS).await;
        driver.end();
        Ok(())
    })
}

/// Listens for every service, and makes the ways between them and from their users.
fn raise<E: Ear>(driver: &Arc<Driver<E>>, base_port: Option<u16>, allowed: u64) -> Result<Doors, Failed> {
    let plan = driver.plan();
    let doors = bind(plan, base_port)?;
    let targets: Vec<_> = doors.addresses().map(|(_, address)| Target::at(address)).collect();
    let bases: Vec<_> = targets.iter().map(|target| format!("http://{}", target.authority)).collect();
    let at_once = usize::try_from(allowed / 2).unwrap_or(usize::MAX);
    let services = between_services(plan, &bases, at_once).map_err(io::Error::other)?;
    let users = users::to_replicas(plan, Client::new(targets));
    driver.carry_with(Carriers { users, services });
    Ok(doors)
}

/// Whether anybody is there at all.
async fn reach(target: &Target) -> Result<(), Failed> {
    let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(target.address));
    let error = match connecting.await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error,
        Err(_) => io::ErrorKind::TimedOut.into(),
    };
    Err(Failed::Unreachable(target.authority.clone(), error))
}

/// Runs a program to its end.
async fn run_out(driver: &Arc<Driver<Books>>, program: Program) -> Result<Stormed, Failed> {
    driver.begin(program);
    let cut_short = until_over(driver).await?;
    let ended = driver.end().ok_or_else(|| io::Error::other("it ended twice"))?;
    Ok(stormed(ended, cut_short))
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
fn in_runtime<R>(work: impl Future<Output = Result<R, Failed>>) -> Result<R, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // Whatever hangs on to a connection now was given up by everybody.
    runtime.shutdown_background();
    result
}
