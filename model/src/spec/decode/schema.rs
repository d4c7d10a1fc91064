//! Collects the parts of a JSON Schema (draft 2020-12) while types describe themselves.

use serde_json::{Map, Value as Json, json};

/// The named parts of a schema.
#[derive(Default)]
pub struct Defs {
    parts: Map<String, Json>,
}

impl Defs {
    /// A reference to the part `name`, which `build` describes the first time. A part may refer to itself.
    pub fn part(&mut self, name: &str, build: impl FnOnce(&mut Self) -> Json) -> Json {
        if !self.parts.contains_key(name) {
            self.parts.insert(name.to_owned(), Json::Bool(true));
            let part = build(self);
            self.parts.insert(name.to_owned(), part);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// All parts, by name.
    pub fn into_parts(self) -> Map<String, Json> {
        self.parts
    }
}

/// Any one of several.
pub(crate) fn any_of(options: impl IntoIterator<Item = Json>) -> Json {
    json!({ "anyOf": options.into_iter().collect::<Vec<_>>() })
}

/// `schema`, or the word `none`.
pub(crate) fn or_none(schema: Json) -> Json {
    any_of([json!({ "const": "none" }), schema])
}

/// Puts a description beside a schema, if there is one.
pub(crate) fn described(mut schema: Json, about: &str) -> Json {
    let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
    if let (Json::Object(parts), false) = (&mut schema, about.is_empty()) {
        parts.insert("description".into(), about.into());
    }
    schema
}
