//! Paths of endpoints: which endpoint of a service a request is for, and the path to ask for one. `{id}` segments match
//! anything.

use http::Method;
use squall_model::plan::{EndpointId, Plan, ServiceId};

/// The endpoints of one service.
#[derive(Debug)]
pub(crate) struct Paths(Vec<Route>);

#[derive(Debug)]
struct Route {
    method: String,
    /// `None` matches anything.
    segments: Vec<Option<String>>,
    endpoint: EndpointId,
}

/// What a request is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Endpoint(EndpointId),
    /// The path is known, with these methods.
    OtherMethods(String),
    Nothing,
}

impl Paths {
    pub(crate) fn new(plan: &Plan, service: ServiceId) -> Self {
        let row = &plan.services[service.index()];
        let routes = row.endpoint_range().map(|id| {
            let endpoint = &plan.endpoints[id];
            let segments = segments(&endpoint.path).map(|s| (!is_open(s)).then(|| encoded(s))).collect();
            Route { method: endpoint.method.clone(), segments, endpoint: EndpointId::from(id) }
        });
        let mut routes: Vec<_> = routes.collect();
        // The more a path says, the sooner it is looked at.
        routes.sort_by_key(|route| route.segments.iter().map(Option::is_none).collect::<Vec<_>>());
        Self(routes)
    }

    /// The endpoint that answers to this.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let mut others = Vec::new();
        for route in self.0.iter().filter(|route| route.matches(path)) {
            if route.method == method.as_str() {
                return Found::Endpoint(route.endpoint);
            }
            others.push(route.method.as_str());
        }
        if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others.join(", ")) }
    }
}

impl Route {
    fn matches(&self, path: &str) -> bool {
        let mut asked = segments(path);
        let same = self.segments.iter().all(|segment| match (segment, asked.next()) {
            (Some(known), Some(asked)) => known == asked,
            (None, Some(asked)) => !asked.is_empty(),
            (_, None) => false,
        });
        same && asked.next().is_none()
    }
}

/// A path that asks for an endpoint: `1` for every `{id}`.
pub fn sample_path(path: &str) -> String {
    let filled = segments(path).map(|segment| if is_open(segment) { "1".to_owned() } else { encoded(segment) });
    format!("/{}", filled.collect::<Vec<_>>().join("/"))
}

fn segments(path: &str) -> core::str::Split<'_, char> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn is_open(segment: &str) -> bool {
    segment.starts_with('{')
}

/// A segment as it travels: all but RFC 3986's `pchar` percent-encoded.
fn encoded(segment: &str) -> String {
    let travels = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&b);
    segment.bytes().map(|b| if travels(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{plan, spec};

    const USERS: &str = "
name: users
duration: 1s
services:
  users:
    endpoints:
      one: {http: 'GET /users/{id}'}
      me: {http: GET /users/me}
      rename: {http: 'PUT /users/{id}'}
      root: {http: GET /}
      odd: {http: 'GET /a|b/{x}/c'}
load: [{name: l, to: users.me, rate: 1/s}]
";

    #[test]
    fn what_is_written_out_wins_over_what_matches_anything() {
        let loaded = spec::load(USERS, &[], &|_| Err(String::new())).unwrap();
        let plan = plan::compile(&loaded.topology).unwrap();
        let paths = Paths::new(&plan, ServiceId(0));
        let table = [
            ("GET", "/users/7", Found::Endpoint(EndpointId(0))),
            ("GET", "/users/me", Found::Endpoint(EndpointId(1))),
            ("PUT", "/users/me", Found::Endpoint(EndpointId(2))),
            ("GET", "/", Found::Endpoint(EndpointId(3))),
            ("DELETE", "/users/7", Found::OtherMethods("GET, PUT".into())),
            ("GET", "/users", Found::Nothing),
            ("GET", "/users/", Found::Nothing),
            ("GET", "/users/7/8", Found::Nothing),
            ("GET", "//", Found::Nothing),
        ];
        for (method, path, found) in table {
            assert_eq!(paths.find(&method.parse().unwrap(), path), found, "{method} {path}");
        }
        for (id, endpoint) in plan.endpoints.iter().take(5).enumerate() {
            let path = sample_path(&endpoint.path);
            assert!(path.parse::<http::Uri>().is_ok(), "{path}");
            assert_eq!(paths.find(&endpoint.method.parse().unwrap(), &path), Found::Endpoint(EndpointId::from(id)));
        }
    }
}
