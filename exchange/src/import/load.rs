//! Load from what there is: an access log, a k6 script, a Locust file. Scripts are read for what they plainly say; what is
//! computed in them is not.

use std::collections::BTreeMap;

use squall_model::spec::{self, At};

use super::cx::Cx;
use super::skeleton::ASSUMED;
use crate::doc::{Item, Map};
use crate::read::{self, Fields, time};

/// The service that is asked, if nobody says otherwise.
const SERVICE: &str = "app";
/// More endpoints than this are counted together.
const MOST: usize = 50;

/// Method and path of a request, its numbers taken out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Asked {
    method: String,
    path: String,
}

impl Asked {
    fn new(method: &str, path: &str) -> Self {
        let path = path.split_once("://").map_or(path, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
        let path = path.split(['?', '#']).next().unwrap_or(path);
        let open = |segment: &str| {
            let number = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
            let long = segment.len() >= 16 && segment.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
            let template = segment.starts_with("${") || segment.starts_with('{') || segment.starts_with(':');
            if number || long || template { "{id}".to_owned() } else { segment.to_owned() }
        };
        let path: String = path.split('/').map(open).collect::<Vec<_>>().join("/");
        Self { method: method.to_uppercase(), path: if path.starts_with('/') { path } else { format!("/{path}") } }
    }

    fn is_plain(&self) -> bool {
        super::values::is_path(&self.path)
    }

    /// A name for it: its last words.
    fn name(&self) -> String {
        let words: Vec<&str> = self.path.split('/').filter(|word| !word.is_empty() && !word.starts_with('{')).collect();
        let words = if words.is_empty() { vec!["root"] } else { words };
        let verb = if self.method == "GET" { String::new() } else { format!("{}-", self.method.to_lowercase()) };
        format!("{verb}{}", words[words.len().saturating_sub(2)..].join("-"))
    }
}

/// The endpoint for a request: one of the topology that is added to, or a new one.
fn endpoint(cx: &mut Cx<'_>, asked: &Asked, at: At) -> String {
    if let Some(known) = known(cx, asked) {
        return known;
    }
    let service = cx.options.to.clone().unwrap_or_else(|| SERVICE.to_owned());
    let name = cx.name(&asked.name());
    let mut unique = name.clone();
    let http = crate::doc::scalar(&format!("{} {}", asked.method, asked.path));
    let mut number = 2;
    while let Some(other) = cx.service(&service).map("endpoints").inner(&unique) {
        if other.text("http") == Some(http.as_str()) {
            return format!("{service}.{unique}");
        }
        unique = format!("{name}-{number}");
        number += 1;
    }
    if cx.added {
        cx.not_mapped(
            at,
            format!("{} {}: no endpoint of the topology has it; one is added to {service}", asked.method, asked.path),
            "",
        );
    }
    let map = cx.service(&service).map("endpoints").map(&unique);
    map.set("http", http, "");
    let mut work = Map::default();
    work.set("work", "10ms", format!("{ASSUMED}: put in what it takes"));
    map.set("steps", vec![Item::new(work)], "");
    format!("{service}.{unique}")
}

/// The endpoint of the topology so far that has this method and path.
fn known(cx: &Cx<'_>, asked: &Asked) -> Option<String> {
    let no_files = |_: &str| Err("files are not looked at".to_owned());
    let topology = cx.added.then(|| spec::read(&cx.doc.render(), &[], &no_files).topology)??;
    let fits = |path: &str| {
        let (a, b): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), asked.path.split('/').collect());
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || a.starts_with('{') || b.starts_with('{'))
    };
    for (name, service) in topology.services.iter() {
        for (endpoint, written) in service.endpoints.iter() {
            let http = written.http_or_default(&endpoint.value);
            if http.method == asked.method && fits(&http.path) {
                return Some(format!("{}.{}", name.value, endpoint.value));
            }
        }
    }
    None
}

/// A load's name that no other has.
fn unique(cx: &mut Cx<'_>, wanted: &str) -> String {
    let taken = |cx: &mut Cx<'_>, name: &str| {
        let list = cx.doc.root.list("load");
        list.iter().any(|item| matches!(&item.value, crate::doc::Value::Map(map) if map.text("name") == Some(name)))
    };
    let mut name = cx.name(wanted);
    let mut number = 2;
    while taken(cx, &name) {
        name = format!("{}-{number}", cx.name(wanted));
        number += 1;
    }
    name
}

pub(super) fn access_log(cx: &mut Cx<'_>) {
    let mut seen: BTreeMap<Asked, (u64, At)> = BTreeMap::new();
    let (mut first, mut last, mut total) = (u64::MAX, 0u64, 0u64);
    for index in 0..cx.inputs.len() {
        let text = cx.inputs[index].text;
        let (mut start, mut bad) = (0, 0);
        for line in text.split('\n') {
            let at = At::new(index as u16, start..start + line.len().max(1));
            start += line.len() + 1;
            if line.trim().is_empty() {
                continue;
            }
            match log_line(line) {
                Some((when, asked)) => {
                    (first, last, total) = (first.min(when), last.max(when), total + 1);
                    let key = if asked.is_plain() { asked } else { continue };
                    let known = seen.len();
                    match seen.get_mut(&key) {
                        Some((count, _)) => *count += 1,
                        None if known < MOST => drop(seen.insert(key, (1, at))),
                        None => {}
                    }
                }
                None => {
                    bad += 1;
                    if bad <= 3 {
                        cx.not_mapped(
                            at,
                            "a line that is no request of an access log",
                            "common and combined format are read, and JSON lines",
                        );
                    }
                }
            }
        }
        if bad > 3 {
            cx.not_mapped(At::new(index as u16, 0..0), format!("{bad} lines in all that are no requests"), "");
        }
    }
    if total == 0 {
        return cx.error(
            At::default(),
            "no line is a request of an access log",
            "common and combined format are read, and JSON lines with time, method and path",
        );
    }
    let seconds = (last - first) as f64 / 1e9;
    let seconds = if seconds > 0.0 { seconds * total as f64 / (total - 1).max(1) as f64 } else { 1.0 };
    let mut all: Vec<(Asked, (u64, At))> = seen.into_iter().collect();
    all.sort_by_key(|(_, (count, _))| core::cmp::Reverse(*count));
    cx.doc.root.list("load");
    for (asked, (count, at)) in all {
        let to = endpoint(cx, &asked, at);
        let name = unique(cx, &asked.name());
        let mut load = Map::default();
        load.set("name", name, "");
        load.set("to", to, "");
        let rate = count as f64 / seconds;
        load.set("rate", format!("{}/s", ((rate * 1000.0).round() / 1000.0).max(0.001)), "");
        load.set("arrivals", "poisson", "");
        let place = cx.place(at);
        cx.doc.root.list("load").push(Item::new(load).beside(format!("{count} requests, the first at {place}")));
    }
}

/// When and what, of one line.
fn log_line(line: &str) -> Option<(u64, Asked)> {
    if line.trim_start().starts_with('{') {
        return json_line(line);
    }
    let open = line.find('[')?;
    let close = open + line[open..].find(']')?;
    let when = clf_time(&line[open + 1..close])?;
    let request = line[close..].split('"').nth(1)?;
    let mut words = request.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    is_method(method).then(|| (when, Asked::new(method, path)))
}

fn is_method(word: &str) -> bool {
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"].contains(&word.to_uppercase().as_str())
}

/// `10/Oct/2025:13:55:36 -0700`
fn clf_time(text: &str) -> Option<u64> {
    let parsed = jiff::fmt::strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?.to_timestamp().ok()?;
    u64::try_from(parsed.as_nanosecond()).ok()
}

fn json_line(line: &str) -> Option<(u64, Asked)> {
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(line).ok()?;
    let text = |names: &[&str]| names.iter().find_map(|name| fields.get(*name)).and_then(|value| value.as_str());
    let when = text(&["time", "timestamp", "@timestamp", "start_time", "ts"]);
    let when = when.and_then(|when| time::timestamp(when).or_else(|| clf_time(when))).or_else(|| {
        let seconds = fields.get("ts").or_else(|| fields.get("time"))?.as_f64()?;
        (seconds > 0.0 && seconds < 1e10).then_some((seconds * 1e9) as u64)
    })?;
    if let Some(request) = text(&["request"]) {
        let mut words = request.split_whitespace();
        let (method, path) = (words.next()?, words.next()?);
        return is_method(method).then(|| (when, Asked::new(method, path)));
    }
    let method = text(&["method", "request_method", "http_method", "verb"])?;
    let path = text(&["path", "uri", "url", "request_uri", "x-envoy-origin-path"])?;
    is_method(method).then(|| (when, Asked::new(method, path)))
}

/// A call of a client library in a script: method, path, and where.
fn requests<'t>(text: &'t str, before: &[&str]) -> Vec<(Asked, usize, &'t str)> {
    let mut found = Vec::new();
    for marker in before {
        for (at, _) in text.match_indices(marker) {
            let rest = &text[at + marker.len()..];
            let word_end = rest.find('(').unwrap_or(0);
            let word = &rest[..word_end];
            let arguments = rest.get(word_end + 1..).unwrap_or_default();
            let mut texts = strings(
                arguments.get(..arguments.find('\n').map_or(arguments.len(), |end| end.max(1))).unwrap_or(arguments),
            );
            let (method, path) = match word {
                "request" => (texts.next().unwrap_or("GET"), texts.next()),
                "get" | "post" | "put" | "patch" | "head" | "options" => (word, texts.next()),
                "del" | "delete" => ("DELETE", texts.next()),
                _ => continue,
            };
            if let Some(path) = path {
                found.push((Asked::new(method, &without_base(path)), at, path));
            }
        }
    }
    found.sort_by_key(|(_, at, _)| *at);
    found
}

/// `${BASE}/api` and `http://host/api` are /api.
fn without_base(path: &str) -> String {
    let path = if path.starts_with("${") { path.split_once('}').map_or(path, |(_, rest)| rest) } else { path };
    let mut plain = String::new();
    let mut rest = path;
    while let Some(at) = rest.find("${") {
        plain.push_str(&rest[..at]);
        plain.push_str("{id}");
        rest = rest[at..].split_once('}').map_or("", |(_, after)| after);
    }
    plain + rest
}

/// The quoted texts of a line.
fn strings(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let open = rest.find(['"', '\'', '`'])?;
        let quote = rest[open..].chars().next()?;
        let inner = &rest[open + 1..];
        let close = inner.find(quote)?;
        rest = &inner[close + 1..];
        Some(&inner[..close])
    })
}

pub(super) fn locust(cx: &mut Cx<'_>) {
    let mut any = false;
    cx.doc.root.list("load");
    for index in 0..cx.inputs.len() {
        let text = cx.inputs[index].text;
        for (start, class) in classes(text) {
            let body_end = classes(text).iter().map(|(at, _)| *at).find(|at| *at > start).unwrap_or(text.len());
            any |= locust_class(cx, (index as u16, start), (class, &text[start..body_end]));
        }
    }
    if !any {
        cx.error(At::default(), "no Locust user with tasks", "a class with methods under @task that call self.client");
    }
}

/// Classes that are users, by where they begin.
fn classes(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("class ") {
        let line = text[at..].lines().next().unwrap_or_default();
        let at_start = at == 0 || text[..at].ends_with('\n');
        if at_start && (line.contains("User") || line.contains("TaskSet")) && line.contains('(') {
            found.push((at, line[6..].split('(').next().unwrap_or_default().trim()));
        }
    }
    found
}

fn locust_class(cx: &mut Cx<'_>, (source, start): (u16, usize), (class, body): (&str, &str)) -> bool {
    let mut tasks = Vec::new();
    let marks: Vec<(usize, f64)> = body
        .match_indices("@task")
        .map(|(at, _)| {
            let rest = body[at + 5..].lines().next().unwrap_or_default();
            let weight = rest.trim().strip_prefix('(').and_then(|rest| rest.split([')', ',']).next()).and_then(number);
            (at, weight.unwrap_or(1.0))
        })
        .collect();
    for (number, (at, weight)) in marks.iter().enumerate() {
        let end = marks.get(number + 1).map_or(body.len(), |(next, _)| *next);
        let method = &body[*at..end];
        let name = method.split("def ").nth(1).and_then(|rest| rest.split('(').next()).unwrap_or("task").trim();
        let found = requests(method, &["self.client.", "client."]);
        let mut distinct: Vec<(Asked, usize)> = Vec::new();
        for (asked, inner, _) in found {
            if !distinct.iter().any(|(known, _)| *known == asked) {
                distinct.push((asked, inner));
            }
        }
        if distinct.is_empty() {
            let place = At::new(source, start + at..start + at + 5);
            cx.not_mapped(place, format!("the task {name}: it asks for nothing that is plainly written"), "");
        }
        let several = distinct.len() > 1;
        for (part, (asked, inner)) in distinct.into_iter().enumerate() {
            let place = At::new(source, start + at + inner..start + at + inner + 1);
            if !asked.is_plain() {
                cx.not_mapped(place, format!("the path of the task {name}"), "");
                continue;
            }
            if several && part == 1 {
                cx.approximated(place, format!("the task {name} asks for several things; here each is a task"), "");
            }
            let to = endpoint(cx, &asked, place);
            let mut task = Map::default();
            task.set("name", if several { format!("{}-{}", cx.name(name), part + 1) } else { cx.name(name) }, "");
            task.set("to", to, "");
            task.set("weight", weight.max(0.001).to_string(), "");
            tasks.push(Item::new(task));
        }
    }
    if tasks.is_empty() {
        return false;
    }
    let mut load = Map::default();
    load.set("name", unique(cx, &class.to_lowercase()), "");
    load.set("users", "100", format!("{ASSUMED}: Locust is told on its command line"));
    load.set("think", locust_wait(cx, body, At::new(source, start..start + 5)), "wait_time");
    load.set("tasks", tasks, "");
    cx.doc.root.list("load").push(Item::new(load));
    true
}

fn locust_wait(cx: &mut Cx<'_>, body: &str, at: At) -> String {
    let Some(wait) = body.split("wait_time").nth(1).and_then(|rest| rest.split('\n').next()) else {
        return "0s".into();
    };
    let wait = wait.trim_start_matches([' ', '=']);
    let numbers: Vec<f64> =
        wait.split_once('(').map(|(_, rest)| rest.split([')', ',']).filter_map(number).collect()).unwrap_or_default();
    let span = |seconds: f64| squall_model::Span::from_nanos_f64((seconds * 1e9).clamp(0.0, 3.6e12)).to_string();
    match (wait.split('(').next().unwrap_or_default().trim(), numbers.as_slice()) {
        ("between", [low, high]) if low <= high => format!("uniform({} {})", span(*low), span(*high)),
        ("constant", [wait]) => span(*wait),
        ("constant_pacing", [wait]) => {
            cx.approximated(at, "constant_pacing: users think that long after each answer here", "");
            span(*wait)
        }
        ("constant_throughput", [rate]) if *rate > 0.0 => {
            cx.approximated(at, "constant_throughput: users think that long after each answer here", "");
            span(1.0 / rate)
        }
        _ => {
            cx.not_mapped(at, "its wait_time is code", "");
            "1s".into()
        }
    }
}

pub(super) fn k6(cx: &mut Cx<'_>) {
    let mut any = false;
    cx.doc.root.list("load");
    for index in 0..cx.inputs.len() {
        let text = cx.inputs[index].text;
        let found = requests(text, &["http."]);
        let mut tasks: Vec<(Asked, At)> = Vec::new();
        for (asked, at, path) in found {
            let place = At::new(index as u16, at..at + 5);
            if !asked.is_plain() {
                cx.not_mapped(place, format!("the path `{}`", spec::tree::shortened(path)), "");
            } else if !tasks.iter().any(|(known, _)| *known == asked) {
                tasks.push((asked, place));
            }
        }
        if !tasks.is_empty() {
            any = true;
            k6_load(cx, index as u16, &tasks);
        }
    }
    if !any {
        cx.error(At::default(), "no request that is plainly written", "http.get('/path') and its like are read");
    }
}

/// The object behind `options =` as a tree: JavaScript's literals are nearly YAML.
fn k6_options(text: &str, source: u16) -> Option<spec::tree::Node> {
    let at = text.find("options =").or_else(|| text.find("options="))?;
    let open = at + text[at..].find('{')?;
    let mut depth = 0usize;
    let end = text[open..].char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(open + at + 1)
    })?;
    let blank = " ".repeat(open);
    let (mut documents, problems) = read::documents(&format!("{blank}{}", &text[open..end]), source);
    if problems.is_empty() { documents.pop() } else { None }
}

fn k6_load(cx: &mut Cx<'_>, source: u16, tasks: &[(Asked, At)]) {
    let text = cx.inputs[usize::from(source)].text;
    let options = k6_options(text, source);
    let empty = spec::tree::Node::empty(At::new(source, 0..0));
    let options = options.as_ref().unwrap_or(&empty);
    let fields = Fields::of(options);
    let mut loads: Vec<(String, Map)> = Vec::new();
    let scenarios = fields.entries("scenarios");
    if scenarios.is_empty() {
        loads.push(("k6".into(), k6_scenario(cx, &fields)));
    }
    for scenario in scenarios {
        let of = Fields::of(&scenario.value);
        loads.push((cx.name(&scenario.key.text), k6_scenario(cx, &of)));
    }
    if tasks.len() > 1 && scenarios.len() > 1 {
        cx.approximated(
            At::new(source, 0..0),
            "which function asks for what is not followed: every scenario asks for everything",
            "",
        );
    }
    for (name, mut load) in loads {
        let name = unique(cx, &name);
        if load.has("users") {
            let mut items = Vec::new();
            for (asked, at) in tasks {
                let mut task = Map::default();
                task.set("name", cx.name(&asked.name()), "");
                task.set("to", endpoint(cx, asked, *at), "");
                items.push(Item::new(task));
            }
            load.set("name", name, "");
            load.set("think", k6_sleep(text), "sleep");
            load.set("tasks", items, "");
            load.arrange(&["name", "users", "stages", "think", "tasks"]);
            cx.doc.root.list("load").push(Item::new(load));
            continue;
        }
        for (number, (asked, at)) in tasks.iter().enumerate() {
            let mut one = load.clone();
            let to = endpoint(cx, asked, *at);
            one.set("name", if tasks.len() == 1 { name.clone() } else { format!("{name}-{}", number + 1) }, "");
            one.set("to", to, "");
            one.arrange(&["name", "to", "rate", "stages"]);
            cx.doc.root.list("load").push(Item::new(one));
        }
    }
}

/// A number as scripts write them, of a size that makes sense.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| (0.0..1e12).contains(number))
}

/// The fixed part of `sleep(…)`.
fn k6_sleep(text: &str) -> String {
    let seconds = text.split("sleep(").nth(1).and_then(|rest| rest.split([')', ' ', '+', '*']).next()).and_then(number);
    seconds.map_or_else(
        || "0s".into(),
        |seconds| squall_model::Span::from_nanos_f64((seconds * 1e9).clamp(0.0, 3.6e12)).to_string(),
    )
}

fn k6_scenario(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Map {
    let mut load = Map::default();
    let executor = fields.text("executor").unwrap_or_default().to_owned();
    let unit = fields.text("timeUnit").and_then(time::with_unit).filter(|unit| *unit > 0);
    let unit = unit.unwrap_or(1_000_000_000) as f64 / 1e9;
    let per_second = |rate: f64| format!("{}/s", ((rate / unit * 1e6).round() / 1e6).clamp(0.000_001, 1e9));
    let open = executor.contains("arrival-rate");
    let mut stages = Vec::new();
    for stage in fields.items("stages") {
        let stage = Fields::of(stage);
        let (Some(lasts), Some(target)) =
            (cx.field(&stage, "duration", Cx::go_duration), cx.field(&stage, "target", Cx::number))
        else {
            continue;
        };
        if lasts.value.is_zero() {
            continue;
        }
        let mut map = Map::default();
        map.set("for", lasts.value.to_string(), "");
        if open {
            map.set("rate", per_second(target.value), "");
        } else {
            map.set("users", target.value.round().min(f64::from(u32::MAX)).to_string(), "");
        }
        stages.push(Item::new(map));
    }
    let users = ["vus", "startVUs", "maxVUs"].iter().find_map(|name| cx.field(fields, name, Cx::count));
    if open {
        let rate = cx.field(fields, "rate", Cx::number).or_else(|| cx.field(fields, "startRate", Cx::number));
        if stages.is_empty() {
            load.set("rate", per_second(rate.map_or(1.0, |said| said.value)), "");
        }
    } else {
        load.set("users", users.map_or(1, |said| said.value.max(1)).to_string(), "");
    }
    if !stages.is_empty() {
        load.set("stages", stages, "");
    }
    load
}
