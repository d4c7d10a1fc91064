//! Something a service can be asked for.

use super::Step;
use crate::spec::Spanned;
use crate::spec::decode::element;
use crate::spec::values::Http;

element! {
    /// Something a service can be asked for.
    "an endpoint"
    pub struct Endpoint {
        /// Its method and path over HTTP. Default: `GET /` and its name.
        http: Option<Spanned<Http>> = None,
        /// Shed last under priority shedding. Default false.
        critical: Spanned<bool> = Spanned::unwritten(false),
        /// What it does, in order; the first step that fails ends the request.
        steps: Vec<Spanned<Step>> = Vec::new(),
    }
}

impl Endpoint {
    /// Method and path of the endpoint `name`: its own, or `GET /name`.
    pub fn http_or_default(&self, name: &str) -> Http {
        match &self.http {
            Some(http) => http.value.clone(),
            None => Http { method: "GET".into(), path: format!("/{name}") },
        }
    }
}
