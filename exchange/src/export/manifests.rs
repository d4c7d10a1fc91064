//! Docker Compose and Kubernetes: the live services, one in a container or pod of its own.
//!
//! A service listens on loopback. In a container of its own a relay beside it takes what comes from outside.

use squall_model::spec::{ScaleOn, Topology};

use super::calls::{Say, calls};
use super::{Exported, Options};
use crate::doc::{Doc, Item, Map, Value, quote, scalar};

/// The port that every service has inside its container.
const PORT: u16 = 8080;
/// What relays to loopback.
const RELAY: &str = "alpine/socat:1.8.0.3";

/// Names and places of every replica, as `squall up --peers` takes them, and the hosts they are on.
fn peers(topology: &Topology) -> (String, Vec<String>) {
    let (mut lines, mut hosts) = (String::new(), Vec::new());
    for (name, service) in topology.services.iter() {
        for replica in 0..*service.replicas {
            let (who, host) = names(&name.value, *service.replicas, replica);
            lines += &format!("{who} http://{host}:{PORT}\n");
            hosts.push(host);
        }
    }
    (lines, hosts)
}

/// What a replica is called, by squall and on the network.
fn names(service: &str, replicas: u32, replica: u32) -> (String, String) {
    let host = host(service);
    if replicas == 1 {
        (service.to_owned(), host)
    } else {
        (format!("{service}[{replica}]"), format!("{host}-{replica}"))
    }
}

/// A name as DNS has them.
fn host(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>()
        .trim_matches('-')
        .to_owned()
}

fn command(who: &str, hosts: &[String], options: &Options) -> Vec<Item> {
    let mut words =
        vec!["squall".into(), "up".into(), format!("/etc/squall/{}", options.file), "--only".into(), who.to_owned()];
    words.extend(["--peers".into(), "/etc/squall/peers".into()]);
    for host in hosts {
        words.extend(["--allow-remote".into(), host.clone()]);
    }
    words.iter().map(|word| Item::new(scalar(word))).collect()
}

/// Listens where others can reach it, and hands on to loopback.
fn relay() -> Vec<Item> {
    let script =
        format!("exec socat TCP-LISTEN:{PORT},fork,reuseaddr,bind=$(hostname -i | cut -d' ' -f1) TCP:127.0.0.1:{PORT}");
    vec![Item::new("sh"), Item::new("-c"), Item::new(quote(&script))]
}

pub(super) fn compose(topology: &Topology, options: &Options) -> Exported {
    let (peers, hosts) = peers(topology);
    let mut doc = Doc {
        header: vec![format!(
            "The topology {}, a container a service. Put its file beside this one as {}.",
            topology.name.value, options.file
        )],
        ..Doc::default()
    };
    doc.root.say("name", scalar(&host(&topology.name)));
    let called: Vec<&str> = calls(topology, &Options::default(), &mut Vec::new()).iter().map(|call| call.to).collect();
    let mut port = options.base_port;
    for (name, service) in topology.services.iter() {
        for replica in 0..*service.replicas {
            let (who, host) = names(&name.value, *service.replicas, replica);
            let container = doc.root.map("services").map(&host);
            container.say("image", quote(&options.image));
            container.set("command", command(&who, &hosts, options), "");
            container.set("configs", vec![config("topology", &options.file), config("peers", "peers")], "");
            if !called.contains(&name.value.as_str()) {
                container.set("ports", vec![Item::new(quote(&format!("127.0.0.1:{port}:{PORT}")))], "");
                port = port.saturating_add(1);
            }
            let beside = doc.root.map("services").map(&format!("{host}-relay"));
            beside.say("image", quote(RELAY));
            beside.say("network_mode", quote(&format!("service:{host}")));
            beside.set(
                "entrypoint",
                relay().into_iter().map(|item| Item { value: doubled(item.value), ..item }).collect::<Vec<_>>(),
                "",
            );
        }
    }
    let configs = doc.root.map("configs");
    configs.map("topology").say("file", scalar(&options.file));
    configs.map("peers").say("content", quote(&peers));
    Exported { text: doc.render(), notes: Vec::new() }
}

/// Compose takes `$` for its own.
fn doubled(value: Value) -> Value {
    match value {
        Value::Plain(text) => Value::Plain(text.replace('$', "$$")),
        other => other,
    }
}

fn config(source: &str, file: &str) -> Item {
    let mut config = Map::default();
    config.say("source", source);
    config.say("target", format!("/etc/squall/{file}"));
    Item::new(config)
}

pub(super) fn kubernetes(topology: &Topology, options: &Options) -> Exported {
    let (peers, hosts) = peers(topology);
    let mut notes = Vec::new();
    let app = host(&topology.name);
    let mut texts = vec![config_map(&app, &peers, options)];
    for (name, service) in topology.services.iter() {
        for replica in 0..*service.replicas {
            let (who, host) = names(&name.value, *service.replicas, replica);
            texts.push(deployment((&app, &host), &command(&who, &hosts, options), options));
            texts.push(service_of(&app, &host));
        }
        if let Some(autoscale) = &service.autoscale {
            notes.push(format!(
                "{}: replicas here are deployments of their own; the autoscaler stays squall's",
                name.value
            ));
            let _ = (autoscale.of.value == ScaleOn::Cpu, autoscale.max.value);
        }
    }
    notes.push(format!("the topology's file: kubectl create configmap {app}-topology --from-file={}", options.file));
    Exported { text: texts.join("---\n"), notes }
}

fn manifest((version, kind): (&str, &str), app: &str, name: &str) -> Doc {
    let mut doc = Doc::default();
    doc.root.say("apiVersion", version);
    doc.root.say("kind", kind);
    let metadata = doc.root.map("metadata");
    metadata.say("name", scalar(name));
    metadata.map("labels").say("app.kubernetes.io/part-of", scalar(app));
    doc
}

fn config_map(app: &str, peers: &str, _options: &Options) -> String {
    let mut doc = manifest(("v1", "ConfigMap"), app, &format!("{app}-peers"));
    doc.root.map("data").say("peers", quote(peers));
    doc.render()
}

fn deployment((app, host): (&str, &str), command: &[Item], options: &Options) -> String {
    let mut doc = manifest(("apps/v1", "Deployment"), app, host);
    let spec = doc.root.map("spec");
    spec.say("replicas", 1);
    spec.map("selector").map("matchLabels").say("app", scalar(host));
    let template = spec.map("template");
    template.map("metadata").map("labels").say("app", scalar(host));
    let pod = template.map("spec");
    let mut main = Map::default();
    main.say("name", "squall");
    main.say("image", quote(&options.image));
    main.set("command", command.to_vec(), "");
    let mut mounts = Vec::new();
    for (volume, file) in [("topology", options.file.as_str()), ("peers", "peers")] {
        let mut mount = Map::default();
        mount.say("name", volume);
        mount.say("mountPath", format!("/etc/squall/{file}"));
        mount.say("subPath", file);
        mounts.push(Item::new(mount));
    }
    main.set("volumeMounts", mounts, "");
    let mut probe = Map::default();
    let get = probe.map("httpGet");
    get.say("path", "/ready");
    get.say("port", PORT);
    let mut beside = Map::default();
    beside.say("name", "relay");
    beside.say("image", quote(RELAY));
    beside.set("command", relay(), "");
    let mut port = Map::default();
    port.say("name", "http");
    port.say("containerPort", PORT);
    beside.set("ports", vec![Item::new(port)], "");
    beside.set("readinessProbe", probe, "");
    pod.set("containers", vec![Item::new(main), Item::new(beside)], "");
    let mut volumes = Vec::new();
    for volume in ["topology", "peers"] {
        let mut from = Map::default();
        from.say("name", volume);
        from.map("configMap").say("name", scalar(&format!("{app}-{volume}")));
        volumes.push(Item::new(from));
    }
    pod.set("volumes", volumes, "");
    doc.render()
}

fn service_of(app: &str, host: &str) -> String {
    let mut doc = manifest(("v1", "Service"), app, host);
    doc.root.map("spec").map("selector").say("app", scalar(host));
    let mut port = Map::default();
    port.say("name", "http");
    port.say("port", PORT);
    port.say("targetPort", PORT);
    doc.root.map("spec").set("ports", vec![Item::new(port)], "");
    doc.render()
}
