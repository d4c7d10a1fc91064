//! The JSON Schema of the topology file, from the very tables that decode it.

use serde_json::{Value as Json, json};

use super::Topology;
use super::decode::{Decode, Defs};

/// The JSON Schema (draft 2020-12) of a topology file.
pub fn schema() -> Json {
    let mut defs = Defs::default();
    let root = Topology::schema(&mut defs);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "squall topology",
        "$ref": root["$ref"],
        "$defs": defs.into_parts(),
    })
}
