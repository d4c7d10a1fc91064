//! From other tools' files to a topology: one file a dialect. Each value says in a comment where it came from, what could
//! not be mapped is listed with its place, and each trap of a dialect is warned of.

mod cx;
mod dotnet;
mod envoy;
mod grpc;
mod hystrix;
mod istio;
mod linkerd;
mod load;
mod manifests;
mod mesh;
mod resilience4j;
mod skeleton;
mod traces;
mod values;

use squall_model::spec::Problem;

use crate::doc::Doc;
use cx::Cx;

pub(crate) use dotnet::TRANSIENT as DOTNET_TRANSIENT;
pub(crate) use grpc::outcomes as outcomes_of_grpc;
pub(crate) use linkerd::outcomes as outcomes_of_linkerd;
pub(crate) use mesh::outcomes as outcomes_of_retry_on;
pub(crate) use resilience4j::outcomes as outcomes_of_exception;

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Its name, as typed.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// What the files do not say.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// The service that makes the calls, for files that name only the callee.
    pub from: Option<String>,
    /// The service that is called, for files that do not name it.
    pub to: Option<String>,
    /// The profile whose values count, for files that have several.
    pub profile: Option<String>,
    /// What the program's own errors are here: `java.io.IOException` and `refused`.
    pub outcomes: Vec<(String, String)>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The topology.
    pub doc: Doc,
    /// Traps, and what could not be mapped, in the order of the files. The source of a place is the number of the input;
    /// of the topology that was added to, the number behind the last input.
    pub notes: Vec<Problem>,
}

/// Whose files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `application.yml` or `application.properties` of resilience4j.
    Resilience4j,
    /// Envoy: a bootstrap, clusters, routes, a configuration dump.
    Envoy,
    /// Istio: `DestinationRule` and `VirtualService`.
    Istio,
    /// Linkerd: annotations of services and routes, `ServiceProfile`.
    Linkerd,
    /// A gRPC service config.
    Grpc,
    /// .NET's standard resilience handler in `appsettings.json`.
    Dotnet,
    /// Options of Polly v8's strategies.
    Polly,
    /// Hystrix properties.
    Hystrix,
    /// Docker Compose.
    Compose,
    /// Manifests of Kubernetes.
    Kubernetes,
    /// Traces as OTLP/JSON.
    Otlp,
    /// Traces as Jaeger downloads them.
    Jaeger,
    /// Traces as Zipkin v2 has them.
    Zipkin,
    /// A web server's access log.
    AccessLog,
    /// A k6 script.
    K6,
    /// A Locust file.
    Locust,
}

impl Format {
    /// Every format, its name, and what it reads.
    pub const ALL: &[(&str, Self, &str)] = &[
        ("resilience4j", Self::Resilience4j, "application.yml or .properties"),
        ("envoy", Self::Envoy, "bootstrap, clusters and routes, YAML or JSON"),
        ("istio", Self::Istio, "DestinationRule and VirtualService"),
        ("linkerd", Self::Linkerd, "annotations, ServiceProfile"),
        ("grpc", Self::Grpc, "service config, JSON"),
        ("dotnet", Self::Dotnet, "HttpStandardResilience in appsettings.json"),
        ("polly", Self::Polly, "options of Polly v8's strategies"),
        ("hystrix", Self::Hystrix, "properties"),
        ("compose", Self::Compose, "Docker Compose: services, whom they name, what they may use"),
        ("kubernetes", Self::Kubernetes, "Deployments, Services, autoscalers"),
        ("otlp", Self::Otlp, "traces as OTLP/JSON"),
        ("jaeger", Self::Jaeger, "traces as Jaeger's JSON"),
        ("zipkin", Self::Zipkin, "traces as Zipkin v2"),
        ("access-log", Self::AccessLog, "load: common or combined format, JSON lines"),
        ("k6", Self::K6, "load: scenarios and requests of a script"),
        ("locust", Self::Locust, "load: users, tasks, weights"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, format, _)| *format == self).map_or("", |(name, ..)| name)
    }
}

/// Turns `inputs` into a topology, or adds them to `into`. Answers every mistake if there is one; places as in
/// [`Imported::notes`].
pub fn import(
    format: Format,
    inputs: &[Input<'_>],
    into: Option<Input<'_>>,
    options: &Options,
) -> Result<Imported, Vec<Problem>> {
    let mut cx = Cx::new(format, inputs, into, options)?;
    match format {
        Format::Resilience4j => resilience4j::import(&mut cx),
        Format::Envoy => envoy::import(&mut cx),
        Format::Istio => istio::import(&mut cx),
        Format::Linkerd => linkerd::import(&mut cx),
        Format::Grpc => grpc::import(&mut cx),
        Format::Dotnet => dotnet::import(&mut cx),
        Format::Polly => dotnet::import_polly(&mut cx),
        Format::Hystrix => hystrix::import(&mut cx),
        Format::Compose => manifests::compose(&mut cx),
        Format::Kubernetes => manifests::kubernetes(&mut cx),
        Format::AccessLog => load::access_log(&mut cx),
        Format::K6 => load::k6(&mut cx),
        Format::Locust => load::locust(&mut cx),
        Format::Otlp => traces::import(&mut cx, traces::Source::Otlp),
        Format::Jaeger => traces::import(&mut cx, traces::Source::Jaeger),
        Format::Zipkin => traces::import(&mut cx, traces::Source::Zipkin),
    }
    cx.finish()
}

/// In the order of the files, each once.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (a.at, &a.what).cmp(&(b.at, &b.what)));
    problems.dedup_by(|a, b| a.at == b.at && a.what == b.what);
    problems
}

/// A note: nothing is wrong, but someone should know.
fn note(at: squall_model::spec::At, kind: &'static str, what: impl Into<String>) -> Problem {
    Problem::warning(at, kind, what)
}
