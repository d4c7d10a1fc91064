//! Spans as trees: who was called from where. Knows no format.

use std::collections::BTreeMap;

use super::fit;
use super::{Kind, Span};

/// All spans, by their parents.
pub(super) struct Forest {
    pub(super) spans: Vec<Span>,
    /// By span: those that it is the parent of, in order of their start.
    pub(super) children: Vec<Vec<usize>>,
    /// By span: its parent.
    pub(super) parent: Vec<Option<usize>>,
    pub(super) notes: Vec<String>,
}

impl Forest {
    pub(super) fn new(mut spans: Vec<Span>) -> Self {
        spans.sort_by(|a, b| (&a.trace, a.start, &a.id).cmp(&(&b.trace, b.start, &b.id)));
        spans.dedup_by(|a, b| a.trace == b.trace && a.id == b.id);
        let ids: BTreeMap<(&str, &str), usize> =
            spans.iter().enumerate().map(|(index, span)| ((span.trace.as_str(), span.id.as_str()), index)).collect();
        let find = |span: &Span| {
            let parent = span.parent.as_deref()?;
            // Zipkin: a span's parent may be the server's half of a shared id.
            let shared = format!("{parent}/server");
            let halves = [(span.kind != Kind::Server).then_some(shared.as_str()), Some(parent), Some(shared.as_str())];
            halves.into_iter().flatten().find_map(|id| ids.get(&(span.trace.as_str(), id)).copied())
        };
        let mut parent: Vec<Option<usize>> = spans.iter().map(find).collect();
        let orphans =
            spans.iter().zip(&parent).filter(|(span, parent)| span.parent.is_some() && parent.is_none()).count();
        cut_circles(&mut parent);
        let mut children = vec![Vec::new(); spans.len()];
        for (index, parent) in parent.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(index);
            }
        }
        let mut notes = Vec::new();
        if orphans > 0 {
            notes.push(format!("{orphans} spans whose parents are not in the files: they count as asked from outside"));
        }
        Self { spans, children, parent, notes }
    }

    /// Whether a span is a request at a service: it is said, or its caller is another service, or it has none.
    pub(super) fn is_request(&self, index: usize) -> bool {
        let span = &self.spans[index];
        match span.kind {
            Kind::Server | Kind::Consumer => true,
            Kind::Client | Kind::Producer => false,
            Kind::Internal => match self.parent[index] {
                None => true,
                Some(parent) => self.spans[parent].service != span.service,
            },
        }
    }

    /// The request that a span is part of: itself, or the nearest above.
    pub(super) fn request_of(&self, index: usize) -> Option<usize> {
        let mut at = Some(index);
        while let Some(index) = at {
            if self.is_request(index) {
                return Some(index);
            }
            at = self.parent[index];
        }
        None
    }

    /// One way over the network: half of what a call takes longer than its request, the median of all.
    pub(super) fn network(&self) -> Option<String> {
        let mut halves: Vec<u64> = Vec::new();
        for (index, span) in self.spans.iter().enumerate() {
            let Some(parent) = self.parent[index].filter(|_| self.is_request(index)) else { continue };
            let caller = &self.spans[parent];
            if caller.kind == Kind::Client
                && caller.service != span.service
                && caller.end - caller.start >= span.end - span.start
            {
                halves.push(((caller.end - caller.start) - (span.end - span.start)) / 2);
            }
        }
        halves.sort_unstable();
        halves.get(halves.len() / 2).filter(|half| **half > 0).map(|half| fit::span(*half))
    }

    /// Every database that is asked, with how long a query takes and how many were seen.
    pub(super) fn databases(&self) -> Vec<(String, (String, usize))> {
        let mut all: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for span in &self.spans {
            if let Some(database) = &span.database {
                all.entry(database).or_default().push(span.end - span.start);
            }
        }
        all.into_iter()
            .map(|(name, times)| {
                let seen = times.len();
                (name.to_owned(), (fit::dist(times), seen))
            })
            .collect()
    }

    /// Requests without a caller: service, endpoint, and how many a second.
    pub(super) fn ways_in(&self) -> Vec<(String, String, f64)> {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        let (mut first, mut last) = (u64::MAX, 0);
        for (index, span) in self.spans.iter().enumerate() {
            let outside =
                self.is_request(index) && self.parent[index].is_none_or(|parent| self.request_of(parent).is_none());
            if outside {
                *counts.entry((span.service.clone(), self.endpoint(index))).or_default() += 1;
                (first, last) = (first.min(span.start), last.max(span.start));
            }
        }
        let total: u64 = counts.values().sum();
        // Of n arrivals n − 1 gaps are seen.
        let seconds =
            (last.saturating_sub(first) as f64 / 1e9) * total as f64 / (total.saturating_sub(1).max(1)) as f64;
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 1.0 };
        counts.into_iter().map(|((service, endpoint), count)| (service, endpoint, rate(count))).collect()
    }

    /// The endpoint that a request is for.
    pub(super) fn endpoint(&self, index: usize) -> String {
        let span = &self.spans[index];
        let name = if span.name.is_empty() { span.http.as_deref().unwrap_or("request") } else { &span.name };
        let own = name.strip_prefix(&format!("{}.", span.service)).unwrap_or(name);
        let words = own
            .split([' ', '/'])
            .filter(|word| !word.is_empty() && !matches!(*word, "GET" | "POST" | "PUT" | "DELETE" | "PATCH"));
        let joined: Vec<&str> = words.collect();
        if joined.is_empty() { "root".into() } else { joined.join("-") }
    }
}

/// A span above itself has no parent.
fn cut_circles(parent: &mut [Option<usize>]) {
    let mut safe = vec![false; parent.len()];
    for start in 0..parent.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(index) = at.filter(|index| !safe[*index]) {
            if path.contains(&index) {
                parent[index] = None;
                break;
            }
            path.push(index);
            at = parent[index];
            if path.len() > 10_000 {
                parent[index] = None;
                break;
            }
        }
        for index in path {
            safe[index] = true;
        }
    }
}
