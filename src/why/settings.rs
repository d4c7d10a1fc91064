//! Settings that might have helped, each one value of the file: a timeout, a retry's budget, a breaker, more workers. The
//! smaller the change, the earlier it comes.

use squall_model::Span;
use squall_model::plan::{Edge, Plan, Site};

/// One value of the file.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Setting {
    /// The names on the way to it.
    pub(crate) path: Vec<String>,
    /// What it shall be, in YAML.
    pub(crate) value: String,
    /// What that means: `a timeout of 300ms on order -> inventory`.
    pub(crate) what: String,
    /// How big a change it is: doubling a number is 1.
    pub(crate) size: f64,
    /// What it changes.
    pub(crate) component: String,
    /// A number that can be found more finely: what it is now, and what is proposed.
    pub(crate) number: Option<(u32, u32)>,
}

impl Setting {
    /// The path as `--set` takes it.
    pub(crate) fn dotted(&self) -> String {
        let part = |part: &String| if part.contains('.') { format!("\"{part}\"") } else { part.clone() };
        self.path.iter().map(part).collect::<Vec<_>>().join(".")
    }

    /// The same setting with another number.
    pub(crate) fn with_number(&self, number: u32) -> Self {
        let now = self.number.map_or(number, |(now, _)| now);
        Self {
            value: number.to_string(),
            what: self.what.replacen(&self.value, &number.to_string(), 1),
            size: (f64::from(number) / f64::from(now)).log2().abs(),
            number: Some((now, number)),
            ..self.clone()
        }
    }
}

/// Everything that is worth a try.
pub(crate) fn all(plan: &Plan) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (row, edge) in plan.edges.iter().enumerate() {
        if let Some(site) = plan.sites.iter().find(|site| site.edge.index() == row) {
            of_call(plan, (edge, site), &mut settings);
        }
    }
    of_services(plan, &mut settings);
    of_databases(plan, &mut settings);
    settings.sort_by(|a, b| a.size.total_cmp(&b.size));
    settings
}

struct Call<'s> {
    base: Vec<String>,
    name: String,
    settings: &'s mut Vec<Setting>,
}

impl Call<'_> {
    fn add(&mut self, under: &[&str], value: &str, (what, size): (String, f64)) {
        let path = self.base.iter().cloned().chain(under.iter().map(|part| (*part).to_owned())).collect();
        let (what, component) = (format!("{what} on {}", self.name), self.name.clone());
        self.settings.push(Setting { path, value: value.to_owned(), what, size, component, number: None });
    }
}

fn of_call(plan: &Plan, (edge, site): (&Edge, &Site), settings: &mut Vec<Setting>) {
    let [caller, callee] = [edge.caller, edge.callee].map(|id| &plan.services[id.index()]);
    let users = edge.caller.index() >= plan.real_services;
    let base = if users {
        vec!["load".to_owned(), caller.name.clone()]
    } else {
        vec!["services".to_owned(), caller.name.clone(), "calls".to_owned(), callee.name.clone()]
    };
    let mut call = Call { base, name: edge.name.clone(), settings };
    if !users {
        timeouts(&mut call, site.timeout);
    }
    retries(&mut call, edge, site);
    if users {
        return;
    }
    if is_bare(edge, site) {
        for (timeout, size) in [("1s", 3.0), ("300ms", 3.1), ("100ms", 3.2)] {
            let what = format!("a timeout of {timeout} with a fallback");
            call.add(&[], &format!("{{timeout: {timeout}, fallback: {{}}}}"), (what, size));
        }
    }
    if edge.breaker.is_none() {
        call.add(
            &["breaker"],
            "{window: 100, failure_rate: 50%, minimum_calls: 20, open_for: 5s}",
            ("a circuit breaker".into(), 2.0),
        );
    }
    if site.fallback.is_none() {
        call.add(&["fallback"], "{}", ("a fallback".into(), 2.2));
    }
    if edge.bulkhead.is_none() && caller.workers != u32::MAX && caller.workers > 1 {
        for (part, size) in [(2, 2.0), (4, 2.3)] {
            let limit = (caller.workers / part).max(1);
            call.add(&["bulkhead"], &limit.to_string(), (format!("a bulkhead of {limit}"), size));
        }
    }
}

/// Whether a call has no policy yet, so that one value can be all of them.
fn is_bare(edge: &Edge, site: &Site) -> bool {
    let once = site.retry.attempts <= 1 && site.fallback.is_none() && site.deadline == Span::MAX;
    once && site.timeout == Span::MAX && edge.breaker.is_none() && edge.bulkhead.is_none()
}

/// From generous to strict, near what there is now.
fn timeouts(call: &mut Call<'_>, now: Span) {
    const STEPS_MS: [u64; 10] = [5_000, 3_000, 2_000, 1_000, 500, 300, 200, 100, 50, 20];
    for ms in STEPS_MS {
        let span = Span::from_millis(ms);
        if span == now {
            continue;
        }
        let size = if now == Span::MAX {
            1.5 - ms as f64 / 1e6
        } else {
            (span.as_nanos() as f64 / now.as_nanos() as f64).log2().abs()
        };
        call.add(&["timeout"], &span.to_string(), (format!("a timeout of {span}"), size));
    }
}

fn retries(call: &mut Call<'_>, edge: &Edge, site: &Site) {
    let attempts = site.retry.attempts;
    if attempts <= 1 {
        return;
    }
    for fewer in (1..attempts).rev() {
        let what = if fewer == 1 { "no retries".to_owned() } else { format!("{fewer} attempts instead of {attempts}") };
        let size = (f64::from(attempts) / f64::from(fewer)).log2();
        call.add(&["retry", "attempts"], &fewer.to_string(), (what, size));
    }
    if edge.budget.is_none() {
        for (budget, size) in [("50%", 1.4), ("20%", 1.5), ("10%", 1.6)] {
            call.add(&["retry", "budget"], budget, (format!("a retry budget of {budget}"), size));
        }
    }
    for (base, size) in [("100ms 2 10s", 1.7), ("1s 2 30s", 1.9)] {
        let backoff = format!("exponential({base})");
        call.add(&["retry", "backoff"], &backoff, (format!("a back-off of {backoff}"), size));
    }
}

fn of_services(plan: &Plan, settings: &mut Vec<Setting>) {
    for service in &plan.services[..plan.real_services] {
        let mut add = |under: &str, value: String, (what, size): (String, f64), number: Option<(u32, u32)>| {
            let path = vec!["services".to_owned(), service.name.clone(), under.to_owned()];
            let (what, component) = (format!("{what} at {}", service.name), service.name.clone());
            settings.push(Setting { path, value, what, size, component, number });
        };
        let (workers, replicas) = (service.workers, service.replicas);
        if workers != u32::MAX {
            for (times, size) in [(2, 1.0), (4, 2.0), (8, 3.0)] {
                let more = workers.saturating_mul(times);
                add(
                    "workers",
                    more.to_string(),
                    (format!("{more} workers instead of {workers}"), size),
                    Some((workers, more)),
                );
            }
            if service.queue == u32::MAX {
                for (limit, size) in [(workers.saturating_mul(2), 1.8), (workers, 1.9), ((workers / 2).max(1), 2.0)] {
                    add("queue", limit.to_string(), (format!("a queue of at most {limit}"), size), None);
                }
                add("queue", "{order: lifo}".into(), ("last come, first served".into(), 2.5), None);
            }
            let more = replicas.saturating_mul(2);
            add(
                "replicas",
                more.to_string(),
                (format!("{more} replicas instead of {replicas}"), 1.2),
                Some((replicas, more)),
            );
        }
    }
}

fn of_databases(plan: &Plan, settings: &mut Vec<Setting>) {
    for database in &plan.databases {
        let connections = database.connections;
        if connections == u32::MAX {
            continue;
        }
        for (times, size) in [(2, 1.0), (4, 2.0), (8, 3.0)] {
            let more = connections.saturating_mul(times);
            settings.push(Setting {
                path: vec!["databases".to_owned(), database.name.clone(), "connections".to_owned()],
                value: more.to_string(),
                what: format!("{more} connections instead of {connections} of {}", database.name),
                size,
                component: database.name.clone(),
                number: Some((connections, more)),
            });
        }
    }
}
