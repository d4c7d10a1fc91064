//! The live world, put together: services and load of one plan in this process, over real HTTP on loopback. Knows
//! neither the command line nor how reports look.

mod books;
mod changes;
mod descriptors;
mod peers;
mod precise;
mod ui;
mod users;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use squall_loadgen::{Client, Target};
use squall_model::plan::{Op, Plan};
use squall_model::{SimTime, Span};
use squall_services::{
    B3, BindError, Carriers, Control, Desk, Doors, Driver, Ear, Limits, Program, between_services, bind, bind_some,
};
use squall_telemetry::report::{Report, World};
use squall_telemetry::{Recording, Run, format};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::cli::LiveSettings;
use crate::hdr::Log;
use crate::interrupt::{self, Watch};
use crate::output;
use crate::why::traces;
pub(crate) use changes::Changes;
pub(crate) use peers::Part;
pub(crate) use ui::Setup as PageSetup;

pub(crate) use books::Followed;
use books::{Books, Closed, Punctuality};
use precise::Awake;
use ui::Ui;
use users::Reach;

/// How a live run is run.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Settings {
    /// The first port of the services; free ones without.
    pub(crate) base_port: Option<u16>,
    /// Whether `work` burns CPU instead of waiting.
    pub(crate) burn: bool,
    /// Whether the CPU is kept from deep sleep.
    pub(crate) precise: bool,
    /// Whether latencies are logged for readers of HdrHistogram logs.
    pub(crate) logged: bool,
    /// Whether every request is followed.
    pub(crate) followed: bool,
    /// How traces are written in B3 that did not come in it.
    pub(crate) b3: Option<B3>,
}

/// What a live run leaves behind.
pub(crate) struct Stormed {
    /// As it was in the end.
    pub(crate) plan: &'static Plan,
    recording: Recording,
    run: Run,
    punctuality: Punctuality,
    /// The log of its latencies, if one was wanted.
    pub(crate) log: Option<Vec<u8>>,
    /// What every request did, if that was wanted.
    pub(crate) followed: Option<Followed>,
    /// Whether it was interrupted.
    pub(crate) cut_short: bool,
    /// What ended it before its time.
    pub(crate) died: Option<Failed>,
}

impl Stormed {
    /// When it ended.
    pub(crate) fn end(&self) -> SimTime {
        self.recording.end()
    }

    /// The report of this run.
    pub(crate) fn report(&self) -> Report {
        let mut report = Report::new(self.plan, &self.recording, &self.run);
        self.punctuality.write(&mut report);
        report
    }
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
    /// Nobody is there any more, since then.
    Died(String, SimTime),
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
            Self::Died(target, since) => {
                write!(f, "{target} takes no connections any more, since {:.1}s of the run", since.as_secs_f64())
            }
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
            Self::Died(..) => Some("what happened up to then is reported"),
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
/// Where nobody listens.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How often a person at a terminal is told how the run is doing.
const BEAT: Duration = Duration::from_millis(500);

/// A plan for the live world, whose tasks need it until the process ends.
fn for_ever(plan: &Plan, settings: Settings) -> &'static Plan {
    Box::leak(Box::new(if settings.burn { burning(plan.clone()) } else { plan.clone() }))
}

/// The plan where work burns CPU: the cores are this machine's own, and none have to be made up.
fn burning(mut plan: Plan) -> Plan {
    for op in &mut plan.ops {
        if let Op::Compute(time) = *op {
            *op = Op::Work(time);
        }
    }
    plan
}

/// Runs a plan to its end, or until Ctrl-C.
/// `desk` is told where its control desk is, and makes the changes that are wanted there; `page` is shown meanwhile.
pub(crate) fn storm(
    plan: &Plan,
    settings: Settings,
    desk: Option<OpenDesk>,
    page: Option<PageSetup>,
) -> Result<Stormed, Failed> {
    let plan = for_ever(plan, settings);
    let allowed = descriptors::enough_for(plan)?;
    let _awake = settings.precise.then(awake);
    in_runtime(async {
        let (stop, stopping) = watch::channel(false);
        let driver = Driver::new(plan, settings.books(plan))?;
        if settings.followed {
            let run = driver.run();
            driver.hear(|books| books.follow(run));
        }
        raise(&driver, settings, None, allowed)?.serve(&driver, Limits::default(), &stopping);
        if let Some(desk) = desk {
            let control = Control::bind().await?;
            (desk.announce)(control.desk())?;
            control.open(&driver, Box::new(desk.changes), stop.clone());
        }
        let ui = match page {
            Some(page) => Some(Ui::open(&driver, page, stopping.clone()).await?),
            None => None,
        };
        let open = squall_loadgen::open_loops(plan);
        let program = Program { open, closed: true, faults: true, burn: settings.burn };
        let stormed = run_out(&driver, program, &Reach::default(), &stopping).await;
        if let (Some(ui), Ok(stormed)) = (ui, &stormed) {
            let traces = traces::told(stormed);
            ui.end(Report { traces, ..stormed.report() }).await?;
        }
        stop.send_replace(true);
        stormed
    })
}

/// Offers a plan's load to `target`, to its end or until Ctrl-C. Of the plan only the load and its clients are used.
pub(crate) fn load(plan: &Plan, (target, patience): (Target, Span), settings: Settings) -> Result<Stormed, Failed> {
    let plan = for_ever(plan, settings);
    descriptors::enough_for(plan)?;
    let _awake = settings.precise.then(awake);
    in_runtime(async {
        connect(&target).await?;
        let driver = Driver::new(plan, settings.books(plan))?;
        let reach = Reach::of(target.clone(), Duration::from_nanos(patience.as_nanos()));
        let users = users::to_one_target(plan, Client::new(vec![target]), reach.clone());
        driver.carry_with(Carriers { services: users.clone(), users, marked: false, b3: settings.b3 });
        let open = squall_loadgen::open_loops(plan);
        let program = Program { open, closed: true, ..Program::default() };
        run_out(&driver, program, &reach, &watch::channel(false).1).await
    })
}

/// What a control desk needs.
pub(crate) struct OpenDesk {
    pub(crate) changes: Changes,
    pub(crate) announce: fn(&Desk) -> io::Result<()>,
}

impl From<LiveSettings> for Settings {
    fn from(LiveSettings { base_port, burn, precise, b3 }: LiveSettings) -> Self {
        Self { base_port, burn, precise, b3, logged: false, followed: false }
    }
}

impl Settings {
    fn books(self, plan: &'static Plan) -> Books {
        Books::new(plan, self.logged.then(|| Log::new(plan)).flatten())
    }
}

/// Keeps the CPU awake, or says that it cannot be.
fn awake() -> Option<Awake> {
    match Awake::keep() {
        Ok(awake) => Some(awake),
        Err(error) => {
            // A run without it is only a little less exact.
            let _ = output::problem(&format!("--precise: the CPU cannot be kept awake: {error}\n"));
            None
        }
    }
}

/// Starts a plan's services, says where they are, and leaves them running until Ctrl-C or until somebody says so at the
/// control desk.
pub(crate) fn up(
    plan: &Plan,
    settings: Settings,
    (changes, part, page): (Changes, Option<Part>, Option<PageSetup>),
    announce: fn(&Doors, &Desk) -> io::Result<()>,
) -> Result<(), Failed> {
    let plan = for_ever(plan, settings);
    let allowed = descriptors::enough_for(plan)?;
    let _awake = settings.precise.then(awake);
    in_runtime(async {
        let (stop, stopping) = watch::channel(false);
        let standing = Standing { settings, changes, allowed, stop, announce };
        let Some(page) = page else {
            let driver = driver_of(plan, (), part.as_ref())?;
            return standing.until_stopped(&driver, part.as_ref()).await;
        };
        let driver = driver_of(plan, settings.books(plan), part.as_ref())?;
        Ui::open(&driver, page, stopping).await?;
        standing.until_stopped(&driver, part.as_ref()).await
    })
}

fn driver_of<E: Ear>(plan: &'static Plan, ear: E, part: Option<&Part>) -> io::Result<Arc<Driver<E>>> {
    match part {
        Some(part) => Driver::of_run(plan, ear, part.run),
        None => Driver::new(plan, ear),
    }
}

/// Services without load.
struct Standing {
    settings: Settings,
    changes: Changes,
    /// Open files.
    allowed: u64,
    stop: watch::Sender<bool>,
    announce: fn(&Doors, &Desk) -> io::Result<()>,
}

impl Standing {
    async fn until_stopped<E: Ear>(self, driver: &Arc<Driver<E>>, part: Option<&Part>) -> Result<(), Failed> {
        let mut stopping = self.stop.subscribe();
        let doors = raise(driver, self.settings, part, self.allowed)?;
        let control = Control::bind().await?;
        interrupt::listen();
        driver.begin(Program { burn: self.settings.burn, ..Program::default() });
        (self.announce)(&doors, control.desk())?;
        doors.serve(driver, Limits::default(), &stopping);
        control.open(driver, Box::new(self.changes), self.stop.clone());
        let mut looks = tokio::time::interval(LOOKS);
        while !interrupt::pressed() && !*stopping.borrow_and_update() {
            looks.tick().await;
        }
        self.stop.send_replace(true);
        // Answers under way still get out.
        tokio::time::sleep(LOOKS).await;
        driver.end();
        Ok(())
    }
}

/// Listens for every service, or for those of a part, and makes the ways between all of them and from their users.
fn raise<E: Ear>(
    driver: &Arc<Driver<E>>,
    Settings { base_port, b3, .. }: Settings,
    part: Option<&Part>,
    allowed: u64,
) -> Result<Doors, Failed> {
    let plan = driver.plan();
    let doors = match part {
        None => bind(plan, base_port)?,
        Some(part) => bind_some(plan, |replica| {
            let port = || part.port(replica).map_or(0, u32::from);
            let port = || base_port.map_or_else(port, |base| u32::from(base) + replica.0);
            part.here[replica.index()].then(port)
        })?,
    };
    let mut targets: Vec<_> = match part {
        None => Vec::new(),
        // Nobody goes to where nobody was said to be.
        Some(part) => part.places.iter().map(|place| place.unwrap_or(NOWHERE)).collect(),
    };
    let replicas = plan.services[..plan.real_services].iter().map(|service| service.replicas as usize).sum();
    targets.resize(replicas, NOWHERE);
    doors.places().for_each(|(replica, address)| targets[replica.index()] = address);
    let targets: Vec<_> = targets.into_iter().map(Target::at).collect();
    let bases: Vec<_> = targets.iter().map(|target| format!("http://{}", target.authority)).collect();
    let at_once = usize::try_from(allowed / 2).unwrap_or(usize::MAX);
    let services = between_services(plan, &bases, at_once).map_err(io::Error::other)?;
    let users = users::to_replicas(plan, Client::new(targets));
    driver.carry_with(Carriers { users, services, marked: true, b3 });
    Ok(doors)
}

/// Whether anybody is there at all.
async fn connect(target: &Target) -> Result<(), Failed> {
    let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(target.address));
    let error = match connecting.await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error,
        Err(_) => io::ErrorKind::TimedOut.into(),
    };
    Err(Failed::Unreachable(target.authority.clone(), error))
}

/// Runs a program to its end.
async fn run_out(
    driver: &Arc<Driver<Books>>,
    program: Program,
    reach: &Reach,
    stopping: &watch::Receiver<bool>,
) -> Result<Stormed, Failed> {
    driver.begin(program);
    let how = until_over(driver, reach, stopping).await;
    let ended = driver.end().ok_or_else(|| io::Error::other("it ended twice"))?;
    let wall = Span::from_nanos(ended.at.as_nanos());
    let run = Run { world: World::Live, events: ended.events, peak_in_flight: ended.census.peak_fibers, wall };
    let Closed { plan, recording, punctuality, log, followed } = ended.ear.close(ended.at);
    let log = log.map(|log| log.finish(ended.at));
    let (cut_short, died) = match how {
        Ok(cut_short) => (cut_short, None),
        Err(died) => (true, Some(died)),
    };
    Ok(Stormed { plan, recording, run, punctuality, log, followed, cut_short, died })
}

/// Waits for the end of a run; answers whether it was interrupted.
async fn until_over(driver: &Driver<Books>, reach: &Reach, stopping: &watch::Receiver<bool>) -> Result<bool, Failed> {
    let mut watch = Watch::new(driver.plan());
    let (mut looks, mut beats) = (tokio::time::interval(LOOKS), tokio::time::interval(BEAT));
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            _ = beats.tick() => if watch.is_shown() { watch.say(how_it_does(driver)) },
        }
        if driver.is_exhausted() {
            return Err(Failed::Exhausted);
        }
        if let Some((target, lost)) = reach.lost() {
            // Perhaps nobody has asked since.
            if connect(target).await.is_err() {
                let since = driver.now().as_nanos().saturating_sub(lost.as_nanos() as u64);
                return Err(Failed::Died(target.authority.clone(), SimTime::from_nanos(since)));
            }
            reach.note(false);
        }
        if driver.is_done() {
            return Ok(false);
        }
        if !watch.go_on(driver.now()) || *stopping.borrow() {
            return Ok(true);
        }
    }
}

/// One line for a person who waits.
fn how_it_does(driver: &Driver<Books>) -> String {
    let now = driver.now();
    let Some(beat) = driver.hear(|books| books.pulse.beat(now)) else { return String::new() };
    let p99 = beat.p99_ms.map_or("none".into(), |ms| format::duration(ms * 1e6));
    let failed = beat.failed_share.map_or("none".into(), |share| format!("{:.1}%", share * 100.0));
    let breakers = match driver.breakers() {
        (_, 0) => String::new(),
        (open, all) => format!(" · {open} of {all} breakers not closed"),
    };
    format!("{:.0}/s · p99 {p99} · {failed} failed{breakers}", beat.per_second)
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
