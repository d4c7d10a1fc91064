//! Puts `defaults.service` under every service, and `defaults.call` and a service's `calls.default` under every call.
//! Works on the tree, so that what is decoded is already whole and every value keeps the place it was written at.

use super::elements::CallStep;
use super::tree::{Entry, Kind, Node};

/// Merges the defaults of a topology into it.
pub(super) fn defaults(root: &mut Node) {
    let section = |name: &str| root.entry("defaults").and_then(|defaults| defaults.entry(name)).cloned();
    let (service, call) = (section("service"), section("call"));
    let Some(Node { kind: Kind::Map(services), .. }) = root.entry_mut("services") else { return };
    for entry in services {
        if let Some(service) = &service {
            entry.value.put_under(service);
        }
        calls(&mut entry.value, call.as_ref());
    }
}

/// Merges within one service.
fn calls(service: &mut Node, call: Option<&Node>) {
    let own = service.entry("calls").and_then(|calls| calls.entry("default"));
    let mut default = own.cloned().unwrap_or_else(|| Node::empty(service.at));
    if let Some(call) = call {
        default.put_under(call);
    }
    if default.entries().is_empty() && service.entry("calls").is_none() {
        return;
    }
    let at = service.at;
    let Kind::Map(fields) = &mut service.kind else { return };
    if !fields.iter().any(|field| field.key.text == "calls") {
        fields.push(Entry::made("calls", Node::empty(at)));
    }
    let Some(calls) = service.entry_mut("calls") else { return };
    if calls.is_null() {
        calls.kind = Kind::Map(Vec::new());
    }
    let Kind::Map(callees) = &mut calls.kind else { return };
    callees.retain(|callee| callee.key.text != "default");
    for callee in callees.iter_mut() {
        callee.value.put_under(&default);
    }
    callees.push(Entry::made("default", default));
    let calls = calls.clone();
    let Some(Node { kind: Kind::Map(endpoints), .. }) = service.entry_mut("endpoints") else { return };
    for endpoint in endpoints {
        if let Some(steps) = endpoint.value.entry_mut("steps") {
            call_steps(steps, &calls);
        }
    }
}

/// Merges under every call step that has policies of its own.
fn call_steps(node: &mut Node, calls: &Node) {
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| call_steps(item, calls)),
        Kind::Map(entries) => {
            for entry in entries {
                match entry.key.text.as_str() {
                    "call" => call_step(&mut entry.value, calls),
                    _ => call_steps(&mut entry.value, calls),
                }
            }
        }
        _ => {}
    }
}

fn call_step(step: &mut Node, calls: &Node) {
    let own = step.entries().iter().any(|entry| !CallStep::OWN_KEYS.contains(&entry.key.text.as_str()));
    let to = step.entry("to").and_then(Node::text).unwrap_or_default();
    let callee = to.split('.').next().unwrap_or_default();
    if let (true, Some(policy)) = (own, calls.entry(callee).or_else(|| calls.entry("default"))) {
        step.put_under(&policy.clone());
    }
}

impl Entry {
    fn made(key: &str, value: Node) -> Self {
        let at = value.at;
        Self { key: super::tree::Key { text: key.into(), at, made_up: false }, value }
    }
}

impl Node {
    /// Takes over what `under` says and this does not. Mappings are merged key by key, unless they are of different
    /// kinds; everything else stays whole.
    fn put_under(&mut self, under: &Self) {
        if self.is_null() {
            *self = Self { at: self.at, kind: Kind::Map(Vec::new()) };
        }
        let kind = |node: &Self| node.entry("kind").and_then(Self::text).map(str::to_owned);
        let other_kind = kind(self).is_some() && kind(self) != kind(under);
        let (Kind::Map(own), Kind::Map(theirs), false) = (&mut self.kind, &under.kind, other_kind) else { return };
        for entry in theirs {
            match own.iter_mut().find(|known| known.key.text == entry.key.text) {
                Some(known) if matches!(known.value.kind, Kind::Map(_)) => known.value.put_under(&entry.value),
                Some(_) => {}
                None => own.push(entry.clone()),
            }
        }
    }
}
