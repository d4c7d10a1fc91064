//! The same export request in protocol buffers, which is what every collector takes over HTTP. Field numbers are those of
//! opentelemetry-proto 1.x (`trace/v1/trace.proto`, `common/v1/common.proto`).

use super::otlp::{AnyValue, KeyValue, Otlp, OtlpSpan, ResourceSpans, ScopeSpans};
use crate::varint;

/// An export request as bytes.
pub fn protobuf(otlp: &Otlp) -> Vec<u8> {
    let mut message = Message::default();
    otlp.resource_spans.iter().for_each(|spans| message.message(1, &resource_spans(spans)));
    message.0
}

/// A message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;

impl Message {
    fn tag(&mut self, field: u64, kind: u64) {
        varint::write(&mut self.0, field << 3 | kind);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.tag(field, VARINT);
        varint::write(&mut self.0, value);
    }

    fn fixed(&mut self, field: u64, value: u64) {
        self.tag(field, FIXED64);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, LENGTH);
        varint::write(&mut self.0, bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, inner: &Self) {
        self.bytes(field, &inner.0);
    }
}

fn resource_spans(spans: &ResourceSpans) -> Message {
    let (mut message, mut resource) = (Message::default(), Message::default());
    spans.resource.attributes.iter().for_each(|attribute| resource.message(1, &key_value(attribute)));
    message.message(1, &resource);
    spans.scope_spans.iter().for_each(|spans| message.message(2, &scope_spans(spans)));
    message
}

fn scope_spans(spans: &ScopeSpans) -> Message {
    let (mut message, mut scope) = (Message::default(), Message::default());
    scope.text(1, &spans.scope.name);
    scope.text(2, &spans.scope.version);
    message.message(1, &scope);
    spans.spans.iter().for_each(|one| message.message(2, &span(one)));
    message
}

fn span(span: &OtlpSpan) -> Message {
    let mut message = Message::default();
    message.bytes(1, &unhex(&span.trace_id));
    message.bytes(2, &unhex(&span.span_id));
    if !span.parent_span_id.is_empty() {
        message.bytes(4, &unhex(&span.parent_span_id));
    }
    message.text(5, &span.name);
    message.number(6, u64::from(span.kind));
    message.fixed(7, span.start_time_unix_nano.parse().unwrap_or(0));
    message.fixed(8, span.end_time_unix_nano.parse().unwrap_or(0));
    span.attributes.iter().for_each(|attribute| message.message(9, &key_value(attribute)));
    let mut status = Message::default();
    if !span.status.message.is_empty() {
        status.text(2, &span.status.message);
    }
    status.number(3, u64::from(span.status.code));
    message.message(15, &status);
    message
}

fn key_value(attribute: &KeyValue) -> Message {
    let (mut message, mut value) = (Message::default(), Message::default());
    match &attribute.value {
        AnyValue::Text(text) => value.text(1, text),
        AnyValue::Flag(flag) => value.number(2, u64::from(*flag)),
        AnyValue::Count(count) => value.number(3, count.parse().unwrap_or(0)),
    }
    message.text(1, &attribute.key);
    message.message(2, &value);
    message
}

/// The bytes of hexadecimal digits.
fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs.filter_map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_are_written_as_the_encoding_says() {
        let mut message = Message::default();
        message.number(1, 150);
        message.text(2, "testing");
        message.fixed(3, 1);
        assert_eq!(message.0, [&b"\x08\x96\x01\x12\x07testing\x19\x01"[..], &[0; 7]].concat());
        assert_eq!(unhex("0aff"), [0x0a, 0xff]);
    }
}
