//! From a topology to other tools' files: one file a format; data in, text out. What a format cannot say is told.

mod calls;
mod dotnet;
mod envoy;
mod graph;
mod grpc;
mod istio;
mod linkerd;
mod load;
mod manifests;
mod observe;
mod openapi;
mod resilience4j;

use squall_model::spec::Topology;

/// What came of it.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Exported {
    /// The file.
    pub text: String,
    /// What the format cannot say, each with the name of what it is about.
    pub notes: Vec<String>,
}

/// What the topology does not say.
#[derive(Clone, Debug)]
pub struct Options {
    /// The service whose calls are wanted; all, if none is named.
    pub of: Option<String>,
    /// The container image that has the program.
    pub image: String,
    /// The name of the topology's file inside that image.
    pub file: String,
    /// Where the first service listens.
    pub base_port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { of: None, image: "squall:latest".into(), file: "topology.yaml".into(), base_port: 8080 }
    }
}

/// Whose files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// resilience4j's `application.yml`.
    Resilience4j,
    /// An Envoy bootstrap.
    Envoy,
    /// Istio's `DestinationRule` and `VirtualService`.
    Istio,
    /// Linkerd's annotations.
    Linkerd,
    /// A gRPC service config.
    Grpc,
    /// .NET's `appsettings.json`.
    Dotnet,
    /// Docker Compose.
    Compose,
    /// Kubernetes manifests.
    Kubernetes,
    /// A Prometheus scrape configuration.
    Prometheus,
    /// Prometheus alert rules.
    Alerts,
    /// A Grafana dashboard.
    Grafana,
    /// A Locust script.
    Locust,
    /// A k6 script.
    K6,
    /// A Mermaid graph.
    Mermaid,
    /// A Graphviz graph.
    Graphviz,
    /// An SVG picture of the graph.
    Svg,
    /// `OpenAPI` of the live services.
    Openapi,
}

impl Format {
    /// Every format, its name, and what it writes.
    pub const ALL: &[(&str, Self, &str)] = &[
        ("resilience4j", Self::Resilience4j, "application.yml"),
        ("envoy", Self::Envoy, "bootstrap with clusters and routes, YAML"),
        ("istio", Self::Istio, "DestinationRule and VirtualService"),
        ("linkerd", Self::Linkerd, "annotated services"),
        ("grpc", Self::Grpc, "service config, JSON"),
        ("dotnet", Self::Dotnet, "HttpStandardResilience for appsettings.json"),
        ("compose", Self::Compose, "Docker Compose file: a container a service"),
        ("kubernetes", Self::Kubernetes, "manifests: a Deployment and a Service for each service"),
        ("prometheus", Self::Prometheus, "scrape configuration"),
        ("alerts", Self::Alerts, "Prometheus alert rules from `expect`"),
        ("grafana", Self::Grafana, "dashboard, JSON"),
        ("locust", Self::Locust, "load as a Locust script"),
        ("k6", Self::K6, "load as a k6 script"),
        ("mermaid", Self::Mermaid, "the graph"),
        ("graphviz", Self::Graphviz, "the graph"),
        ("svg", Self::Svg, "the graph as a picture"),
        ("openapi", Self::Openapi, "the live services' endpoints, OpenAPI 3.1"),
    ];
}

/// Writes `topology` as `format` has it; or says why that cannot be.
pub fn export(format: Format, topology: &Topology, options: &Options) -> Result<Exported, String> {
    if let Some(of) = &options.of
        && topology.services.find(of).is_none()
    {
        let names: Vec<&str> = topology.services.names().collect();
        return Err(format!("no service `{of}`; {}", squall_model::spec::did_you_mean(of, &names)));
    }
    Ok(match format {
        Format::Resilience4j => resilience4j::export(topology, options),
        Format::Envoy => envoy::export(topology, options),
        Format::Istio => istio::export(topology, options),
        Format::Linkerd => linkerd::export(topology, options),
        Format::Grpc => grpc::export(topology, options),
        Format::Dotnet => dotnet::export(topology, options),
        Format::Compose => manifests::compose(topology, options),
        Format::Kubernetes => manifests::kubernetes(topology, options),
        Format::Prometheus => observe::prometheus(topology, options),
        Format::Alerts => observe::alerts(topology),
        Format::Grafana => observe::grafana(topology),
        Format::Locust => load::locust(topology),
        Format::K6 => load::k6(topology, options),
        Format::Mermaid => graph::mermaid(topology),
        Format::Graphviz => graph::graphviz(topology),
        Format::Svg => graph::svg(topology),
        Format::Openapi => openapi::export(topology, options),
    })
}
