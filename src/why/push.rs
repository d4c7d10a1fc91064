//! Hands traces to an OpenTelemetry collector: OTLP over HTTP, in protocol buffers, which every collector takes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use squall_loadgen::{Client, Target};

/// Where OTLP over HTTP goes by its specification.
const PATH: &str = "/v1/traces";
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Posts the body of an export request; or says why it was not taken.
pub(crate) fn push(mut target: Target, body: Vec<u8>) -> Result<(), String> {
    // Some write the whole address of it.
    if target.prefix.ends_with(PATH) {
        target.prefix.truncate(target.prefix.len() - PATH.len());
    }
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(PATH);
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let sent = runtime.block_on(async {
        let client = Client::new(vec![target]);
        tokio::time::timeout(PATIENCE, client.send(0, request, false)).await
    });
    match sent {
        Ok(Ok(reply)) if reply.status.is_success() => Ok(()),
        Ok(Ok(reply)) => Err(format!("it answers {}", reply.status)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
