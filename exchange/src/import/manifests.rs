//! What Docker Compose and Kubernetes know of a system: its services, how many of each, what they may use, and, from the
//! addresses in their environment, whom they call.

use std::collections::BTreeMap;

use squall_model::spec::At;
use squall_model::spec::tree::Node;

use super::cx::Cx;
use super::skeleton::{ASSUMED, ENDPOINT};
use super::values::{Percent, Put, Said};
use crate::doc::{Item, Map};
use crate::read::{Fields, manifests};

/// Images that are no services.
const DATABASES: [&str; 10] = [
    "postgres",
    "mysql",
    "mariadb",
    "mongo",
    "cassandra",
    "mssql",
    "oracle",
    "cockroach",
    "elasticsearch",
    "clickhouse",
];
const CACHES: [&str; 4] = ["redis", "memcached", "valkey", "dragonfly"];

/// What an image is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Service,
    Database,
    Cache,
}

fn sort(image: &str) -> Sort {
    let last = image.rsplit('/').next().unwrap_or(image);
    let name = last.split([':', '@']).next().unwrap_or(last);
    if DATABASES.iter().any(|known| name.contains(known)) {
        Sort::Database
    } else if CACHES.iter().any(|known| name.contains(known)) {
        Sort::Cache
    } else {
        Sort::Service
    }
}

/// Everything that runs, and whom it may call.
#[derive(Default)]
struct System {
    order: Vec<String>,
    sorts: BTreeMap<String, Sort>,
    /// Who is named where: caller, callee, and the place.
    uses: Vec<(String, String, At)>,
}

impl System {
    fn add(&mut self, name: &str, sort: Sort) {
        if !self.sorts.contains_key(name) {
            self.order.push(name.to_owned());
        }
        self.sorts.insert(name.to_owned(), sort);
    }

    /// Endpoints of all services: calls of whom they name, queries of databases.
    fn write(&self, cx: &mut Cx<'_>) {
        for name in &self.order {
            match self.sorts.get(name) {
                Some(Sort::Database) => {
                    let database = cx.doc.root.map("databases").map(name);
                    database.set("connections", "100", ASSUMED);
                    database.set("query", "exponential(5ms)", ASSUMED);
                }
                Some(Sort::Cache) => {
                    let cache = cx.doc.root.map("caches").map(name);
                    cache.set("latency", "500us", ASSUMED);
                    cache.set("hit_rate", "90%", ASSUMED);
                }
                _ => self.service(cx, name),
            }
        }
    }

    fn service(&self, cx: &mut Cx<'_>, name: &str) {
        if cx.service(name).has("endpoints") {
            return;
        }
        let mut steps = vec![single("work", "5ms", ASSUMED)];
        for (caller, used, at) in &self.uses {
            let place = cx.place(*at);
            let Some(sort) = self.sorts.get(used).filter(|_| caller == name && used != name) else { continue };
            let back = self.uses.iter().any(|(a, b, _)| a == used && b == name) && used < caller;
            if back {
                cx.not_mapped(
                    *at,
                    format!("{caller} and {used} name each other: only {used} -> {caller} is taken"),
                    "",
                );
                continue;
            }
            let step = match sort {
                Sort::Service => {
                    cx.calls.push((name.to_owned(), used.clone()));
                    single("call", format!("{used}.{ENDPOINT}"), &place)
                }
                Sort::Database => single("query", used.clone(), &place),
                Sort::Cache => single("get", used.clone(), &place),
            };
            steps.push(step);
        }
        cx.service(name).map("endpoints").map(ENDPOINT).set("steps", steps, "");
        self.way_in(cx, name);
    }

    /// Whoever nobody names is asked from outside.
    fn way_in(&self, cx: &mut Cx<'_>, name: &str) {
        if cx.added || self.uses.iter().any(|(caller, used, _)| used == name && caller != name) {
            return;
        }
        let mut load = Map::default();
        load.set("name", name, "");
        load.set("to", format!("{name}.{ENDPOINT}"), "");
        load.set("rate", "100/s", "");
        load.set("arrivals", "poisson", "");
        cx.doc.root.list("load").push(Item::new(load).beside(format!("{ASSUMED}: put in your load")));
        cx.doc.root.entry("load").above = vec![String::new()];
    }
}

fn single(key: &str, value: impl Into<String>, beside: &str) -> Item {
    let mut map = Map::default();
    map.set(key, value.into(), beside);
    Item::new(map)
}

/// Hosts in a text such as `http://inventory:8080/api` or `inventory:8080`.
fn hosts(text: &str) -> Vec<&str> {
    let mut hosts = Vec::new();
    for part in text.split([',', ' ', ';']) {
        let rest = part.split_once("://").map_or(part, |(_, rest)| rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
        if !host.is_empty() {
            hosts.push(host);
        }
    }
    hosts
}

pub(super) fn compose(cx: &mut Cx<'_>) {
    let documents = cx.documents();
    let mut system = System::default();
    for document in &documents {
        let fields = Fields::of(document);
        for entry in fields.entries("services") {
            let name = cx.name(&entry.key.text);
            let service = Fields::of(&entry.value);
            system.add(&name, service.text("image").map_or(Sort::Service, sort));
        }
        for entry in fields.entries("services") {
            let name = cx.name(&entry.key.text);
            compose_service(cx, (&name, &Fields::of(&entry.value)), &mut system);
        }
        for quiet in ["version", "name", "networks", "volumes", "configs", "secrets"] {
            fields.entry(quiet);
        }
        cx.rest(&fields, "the Compose file");
    }
    system.write(cx);
}

fn compose_service(cx: &mut Cx<'_>, (name, fields): (&str, &Fields<'_>), system: &mut System) {
    let is_service = system.sorts.get(name) == Some(&Sort::Service);
    let deploy = fields.inner("deploy");
    let replicas = deploy.as_ref().and_then(|deploy| cx.field(deploy, "replicas", Cx::count));
    let replicas = replicas.or_else(|| cx.field(fields, "scale", Cx::count));
    let limits = deploy.as_ref().and_then(|deploy| deploy.inner("resources")).and_then(|of| of.inner("limits"));
    let cores = limits
        .as_ref()
        .and_then(|limits| cx.field(limits, "cpus", Cx::number))
        .or_else(|| cx.field(fields, "cpus", Cx::number));
    let memory = limits
        .as_ref()
        .and_then(|limits| cx.field(limits, "memory", size))
        .or_else(|| cx.field(fields, "mem_limit", size));
    if is_service {
        let service = cx.service(name);
        service.put_some("replicas", replicas.filter(|said| said.value > 0));
        resources(service, cores, memory);
    }
    let mut uses = |used: &str, at: At| {
        if system.sorts.contains_key(used) && !system.uses.iter().any(|(a, b, _)| a == name && b == used) {
            system.uses.push((name.to_owned(), used.to_owned(), at));
        }
    };
    if let Some(node) = fields.get("depends_on").or_else(|| fields.get("links")) {
        node.items()
            .iter()
            .filter_map(|item| Some((item.text()?, item.at)))
            .for_each(|(used, at)| uses(used.split(':').next().unwrap_or(used), at));
        node.entries().iter().for_each(|entry| uses(&entry.key.text, entry.key.at));
    }
    if let Some(node) = fields.get("environment") {
        let listed = node.items().iter().filter_map(|item| Some((item.text()?.split_once('=')?.1, item.at)));
        let mapped = node.entries().iter().filter_map(|entry| Some((entry.value.text()?, entry.value.at)));
        for (text, at) in listed.chain(mapped) {
            hosts(text).into_iter().for_each(|host| uses(host, at));
        }
    }
    if let Some(entry) = fields.entry("healthcheck") {
        cx.not_mapped(entry.key.at, format!("the health check of {name}"), "");
    }
}

fn resources(service: &mut Map, cores: Option<Said<f64>>, memory: Option<Said<String>>) {
    service.put_some("cores", cores.filter(|said| said.value > 0.0));
    if let Some(memory) = memory {
        service.map("memory").put("limit", memory);
    }
}

/// `512M`, `1Gi`, bytes: as topologies have sizes.
fn size(cx: &mut Cx<'_>, node: &Node) -> Option<String> {
    let text = node.text().unwrap_or_default().trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" | "ki" | "kib" => 1024.0,
        "m" | "mb" | "mi" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gi" | "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => f64::NAN,
    };
    let bytes = number
        .parse::<f64>()
        .ok()
        .map(|number| number * factor)
        .filter(|bytes| bytes.is_finite() && *bytes > 0.0 && *bytes < 1e15);
    let Some(bytes) = bytes else {
        cx.error(node.at, format!("expected a size such as `512Mi`, found {}", node.shown()), "");
        return None;
    };
    Some(format!("{}KiB", (bytes / 1024.0).ceil().max(1.0)))
}

pub(super) fn kubernetes(cx: &mut Cx<'_>) {
    let documents = cx.documents();
    let all: Vec<&Node> = manifests(&documents).collect();
    let names = service_names(cx, &all);
    let mut system = System::default();
    let mut pods: Vec<(String, &Node)> = Vec::new();
    for document in &all {
        let fields = Fields::of(document);
        match fields.text("kind") {
            Some("Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet" | "Rollout") => {
                let (name, pod) = workload(cx, &fields, (&names, &mut system));
                pods.extend(pod.map(|pod| (name, pod)));
            }
            Some("Service" | "HorizontalPodAutoscaler" | "ConfigMap" | "Secret" | "Namespace" | "ServiceAccount") => {}
            Some(kind) => cx.not_mapped(document.at, format!("a {kind}"), ""),
            None => cx.error(document.at, "a document without `kind`", "is it a manifest of Kubernetes?"),
        }
    }
    for (name, pod) in pods {
        for container in Fields::of(pod).items("containers") {
            for variable in Fields::of(container).items("env") {
                let variable = Fields::of(variable);
                let Some(value) = variable.get("value") else { continue };
                for host in hosts(value.text().unwrap_or_default()) {
                    let used = cx.name(host.split('.').next().unwrap_or(host));
                    if system.sorts.contains_key(&used) && !system.uses.iter().any(|(a, b, _)| *a == name && *b == used)
                    {
                        system.uses.push((name.clone(), used, value.at));
                    }
                }
            }
        }
    }
    for document in &all {
        let fields = Fields::of(document);
        if fields.text("kind") == Some("HorizontalPodAutoscaler") {
            autoscaler(cx, &fields, &names);
        }
    }
    system.write(cx);
}

fn name_of<'a>(fields: &Fields<'a>) -> Option<&'a str> {
    fields.inner("metadata").and_then(|metadata| metadata.text("name"))
}

/// By workload: the Service that chooses its pods, whose name others call it by.
fn service_names(cx: &Cx<'_>, all: &[&Node]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for document in all {
        let service = Fields::of(document);
        if service.text("kind") != Some("Service") {
            continue;
        }
        let (Some(name), Some(spec)) = (name_of(&service), service.inner("spec")) else { continue };
        let selector: Vec<(&str, Option<&str>)> =
            spec.entries("selector").iter().map(|entry| (entry.key.text.as_str(), entry.value.text())).collect();
        for other in all.iter().filter(|_| !selector.is_empty()) {
            let workload = Fields::of(other);
            let template = workload
                .inner("spec")
                .and_then(|spec| spec.inner("template"))
                .and_then(|template| template.inner("metadata"));
            let (Some(of), Some(template)) = (name_of(&workload), template) else { continue };
            let labels = template.entries("labels");
            let has = |(key, value): &(&str, Option<&str>)| {
                labels.iter().any(|label| label.key.text == *key && label.value.text() == *value)
            };
            if selector.iter().all(has) {
                names.entry(of.to_owned()).or_insert_with(|| cx.name(name));
            }
        }
    }
    names
}

fn workload<'a>(
    cx: &mut Cx<'_>,
    fields: &Fields<'a>,
    (names, system): (&BTreeMap<String, String>, &mut System),
) -> (String, Option<&'a Node>) {
    let own = name_of(fields).unwrap_or("unnamed");
    let name = names.get(own).cloned().unwrap_or_else(|| cx.name(own));
    let Some(spec) = fields.inner("spec") else {
        cx.error(fields.node().at, format!("{own} has no `spec`"), "");
        return (name, None);
    };
    let pod = spec.inner("template").and_then(|template| template.get("spec"));
    let containers = pod.map_or(&[][..], |pod| Fields::of(pod).items("containers"));
    let image = containers.first().and_then(|container| Fields::of(container).text("image"));
    let sort = image.map_or(Sort::Service, sort);
    system.add(&name, sort);
    if sort != Sort::Service {
        return (name, None);
    }
    let replicas = cx.field(&spec, "replicas", Cx::count);
    let (mut cores, mut memory, mut cold) = (None, None, None);
    for container in containers.iter().take(1) {
        let container = Fields::of(container);
        let limits = container.inner("resources").and_then(|resources| resources.inner("limits"));
        if let Some(limits) = limits {
            cores = cx.field(&limits, "cpu", cpu);
            memory = cx.field(&limits, "memory", size);
        }
        let probe = container.inner("startupProbe").or_else(|| container.inner("readinessProbe"));
        cold = probe.and_then(|probe| cx.field(&probe, "initialDelaySeconds", Cx::count)).filter(|said| said.value > 0);
    }
    if replicas.as_ref().is_some_and(|said| said.value == 0) {
        cx.not_mapped(spec.node().at, format!("{own} has no replicas: one is assumed"), "");
    }
    let service = cx.service(&name);
    let usual = Said::default(1, "default");
    service.put("replicas", replicas.filter(|said| said.value > 0).unwrap_or(usual));
    resources(service, cores, memory);
    service.put_some("cold_start", cold.map(|said| said.map(|seconds| format!("{seconds}s"))));
    (name, pod)
}

/// `500m` is half a core.
fn cpu(cx: &mut Cx<'_>, node: &Node) -> Option<f64> {
    let text = node.text().unwrap_or_default();
    let (number, factor) = text.strip_suffix('m').map_or((text, 1.0), |milli| (milli, 0.001));
    let cores = number.parse::<f64>().ok().map(|number| number * factor);
    let cores = cores.filter(|cores| cores.is_finite() && *cores > 0.0 && *cores < 1e6);
    if cores.is_none() {
        cx.error(node.at, format!("expected CPU such as `500m`, found {}", node.shown()), "");
    }
    cores
}

fn autoscaler(cx: &mut Cx<'_>, fields: &Fields<'_>, names: &BTreeMap<String, String>) {
    let Some(spec) = fields.inner("spec") else { return };
    let Some(of) = spec.inner("scaleTargetRef").and_then(|target| target.text("name")) else {
        return cx.error(fields.node().at, "an autoscaler without `scaleTargetRef`", "");
    };
    let name = names.get(of).cloned().unwrap_or_else(|| cx.name(of));
    let least = cx.field(&spec, "minReplicas", Cx::count).unwrap_or_else(|| Said::default(1, "default"));
    let Some(most) = cx.field(&spec, "maxReplicas", Cx::count) else {
        return cx.error(spec.node().at, "an autoscaler without `maxReplicas`", "");
    };
    let mut target = cx.field(&spec, "targetCPUUtilizationPercentage", Cx::percent);
    for metric in spec.items("metrics") {
        let resource = Fields::of(metric).inner("resource");
        let is_cpu = resource.as_ref().is_some_and(|resource| resource.text("name") == Some("cpu"));
        let found = resource.filter(|_| is_cpu).and_then(|resource| resource.inner("target"));
        match found.and_then(|found| cx.field(&found, "averageUtilization", Cx::percent)) {
            Some(found) => target = Some(found),
            None => cx.not_mapped(metric.at, "a metric other than the use of CPU", ""),
        }
    }
    let at = spec.node().at;
    let window = spec
        .inner("behavior")
        .and_then(|behavior| behavior.inner("scaleDown"))
        .and_then(|down| cx.field(&down, "stabilizationWindowSeconds", Cx::count));
    if cx.doc.root.inner("services").is_none_or(|services| !services.has(&name)) {
        return cx.not_mapped(at, format!("the autoscaler of {of}, which is not in the files"), "");
    }
    let scale = cx.service(&name).map("autoscale");
    scale.put("min", least);
    scale.put("max", most);
    scale.put("target", target.unwrap_or_else(|| Said::default(Percent(80.0), "default")));
    scale.set("of", "cpu", "");
    scale.set("every", "15s", "default");
    scale.put(
        "scale_down_after",
        window.map_or_else(|| Said::default("5m".into(), "default"), |said| said.map(|seconds| format!("{seconds}s"))),
    );
    if !cx.service(&name).has("cores") {
        cx.service(&name).set("cores", "1", format!("{ASSUMED}: the autoscaler looks at CPU"));
    }
}
