//! The four shapes of the format as tables: elements with fields, words, kinds, and one-of. Each table is the type, its
//! decoder and its schema at once.

/// A mapping with known keys. A field without `=` must be given; `["key"]` is its name in the file where Rust's differs;
/// `short "key"` lets that key's value stand for the whole; `none make` lets the word `none` stand for `Self::make(at)`;
/// `..name: Type` takes in another element's keys.
macro_rules! element {
    (
        $(#[doc = $about:literal])*
        $noun:literal
        $(#[derive($derive:ident)])?
        pub struct $name:ident $(short $short:literal)? $(none $none:ident)? {
            $(
                $(#[doc = $doc:literal])*
                $field:ident $([$key:literal])? : $type:ty $(= $default:expr)?,
            )*
            $(..$flat:ident : $flat_type:ty,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq, Debug $(, $derive)?)]
        pub struct $name {
            $($(#[doc = $doc])* pub $field: $type,)*
            $(#[doc = concat!("The keys of [`", stringify!($flat_type), "`].")] pub $flat: $flat_type,)?
        }

        impl $crate::spec::decode::Object for $name {
            fn keys() -> Vec<&'static str> {
                #[allow(unused_mut)]
                let mut keys = vec![$(element!(@key $field $($key)?)),*];
                $(keys.extend(<$flat_type as $crate::spec::decode::Object>::keys());)?
                keys
            }

            #[allow(unused_variables, reason = "an element may have no field")]
            fn read(
                fields: &mut $crate::spec::decode::Fields<'_>,
                cx: &mut $crate::spec::decode::Cx<'_>,
            ) -> Option<Self> {
                $(let $field: Option<$type> =
                    element!(@read fields, element!(@key $field $($key)?), cx $(, $default)?);)*
                $(let $flat = <$flat_type as $crate::spec::decode::Object>::read(fields, cx);)?
                Some(Self { $($field: $field?,)* $($flat: $flat?,)? })
            }

            #[allow(unused_variables, reason = "an element may have no field")]
            fn properties(
                defs: &mut $crate::spec::decode::Defs,
                properties: &mut $crate::spec::decode::Properties,
            ) {
                $(
                    let schema = <$type as $crate::spec::decode::Decode>::schema(defs);
                    properties.add(element!(@key $field $($key)?), schema, concat!($($doc),*));
                    element!(@require properties, element!(@key $field $($key)?) $(, $default)?);
                )*
                $(<$flat_type as $crate::spec::decode::Object>::properties(defs, properties);)?
            }
        }

        impl $crate::spec::decode::Decode for $name {
            const NOUN: &'static str = $noun;
            $(const KNOWS_NONE: bool = element!(@yes $none);)?

            fn decode(node: &$crate::spec::tree::Node, cx: &mut $crate::spec::decode::Cx<'_>) -> Option<Self> {
                $(if node.text() == Some("none") {
                    return Some(Self::$none(node.at));
                })?
                let keys = <Self as $crate::spec::decode::Object>::keys();
                let mut fields =
                    $crate::spec::decode::Fields::open(node, Self::NOUN, element!(@short $($short)?), cx, &keys)?;
                <Self as $crate::spec::decode::Object>::read(&mut fields, cx)
            }

            fn schema(defs: &mut $crate::spec::decode::Defs) -> serde_json::Value {
                defs.part(stringify!($name), |defs| {
                    let mut properties = $crate::spec::decode::Properties::default();
                    <Self as $crate::spec::decode::Object>::properties(defs, &mut properties);
                    let whole = properties.into_schema(element!(@short $($short)?));
                    $(let whole = element!(@or_none whole, $none);)?
                    whole
                })
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@yes $word:ident) => { true };
    (@or_none $whole:ident, $word:ident) => { $crate::spec::decode::or_none($whole) };
    (@short) => { None };
    (@short $short:literal) => { Some($short) };
    (@read $fields:ident, $key:expr, $cx:ident) => { $fields.required($key, $cx) };
    (@read $fields:ident, $key:expr, $cx:ident, $default:expr) => { Some($fields.optional($key, || $default, $cx)) };
    (@require $properties:ident, $key:expr) => { $properties.require($key) };
    (@require $properties:ident, $key:expr, $default:expr) => {};
}

/// One word of several.
macro_rules! words {
    (
        $(#[doc = $about:literal])*
        $noun:literal
        pub enum $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $word:literal,)* }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum $name { $($(#[doc = $doc])* $variant,)* }

        impl $name {
            /// Every word and what it means.
            pub const ALL: &[(&str, Self)] = &[$(($word, Self::$variant)),*];

            /// The word for it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl $crate::spec::decode::Decode for $name {
            const NOUN: &'static str = $noun;

            fn decode(node: &$crate::spec::tree::Node, cx: &mut $crate::spec::decode::Cx<'_>) -> Option<Self> {
                $crate::spec::decode::decode_word(node, Self::NOUN, Self::ALL, cx)
            }

            fn schema(_: &mut $crate::spec::decode::Defs) -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),*] })
            }
        }
    };
}

/// A mapping whose `kind` says which keys it has; `= "kind"` is the one meant where none is named, and with
/// `or Variant(Type)` a plain value is that; with `by word` a plain word is the kind of that name, all its keys left out.
macro_rules! kinds {
    (
        $(#[doc = $about:literal])*
        $noun:literal
        pub enum $name:ident $(= $usual:literal)? $(or $plain:ident($plain_type:ty))? $(by $by:ident)? {
            $($(#[doc = $doc:literal])* $variant:ident($type:ident) = $kind:literal,)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq, Debug)]
        pub enum $name {
            $(#[doc = "A plain value."] $plain($plain_type),)?
            $($(#[doc = $doc])* $variant(Box<$type>),)*
        }

        impl $crate::spec::decode::Decode for $name {
            const NOUN: &'static str = $noun;

            fn decode(node: &$crate::spec::tree::Node, cx: &mut $crate::spec::decode::Cx<'_>) -> Option<Self> {
                $(if node.text().is_some() && !node.is_null() {
                    return <$plain_type as $crate::spec::decode::Decode>::decode(node, cx).map(Self::$plain);
                })?
                let kinds = [$(($kind, $kind)),*];
                let mut kind: Option<&str> = kinds!(@usual $($usual)?);
                $(
                    let $by = $crate::spec::tree::Node::empty(node.at);
                    let node = if node.text().is_some() && !node.is_null() {
                        kind = Some($crate::spec::decode::decode_word(node, Self::NOUN, &kinds, cx)?);
                        &$by
                    } else {
                        node
                    };
                )?
                if let Some(given) = node.entry("kind") {
                    let noun = concat!("a kind of ", stringify!($name));
                    kind = Some($crate::spec::decode::decode_word(given, &noun.to_lowercase(), &kinds, cx)?);
                }
                match kind {
                    $(Some($kind) => {
                        let mut keys = <$type as $crate::spec::decode::Object>::keys();
                        keys.insert(0, "kind");
                        let noun = concat!("a `", $kind, "`");
                        let mut fields = $crate::spec::decode::Fields::open(node, noun, None, cx, &keys)?;
                        let element = <$type as $crate::spec::decode::Object>::read(&mut fields, cx)?;
                        Some(Self::$variant(Box::new(element)))
                    })*
                    _ => {
                        if let $crate::spec::tree::Kind::Map(_) = node.kind {
                            let known = [$($kind),*].join(", ");
                            let problem = $crate::spec::Problem::error(node.at, "`kind` is missing");
                            cx.report(problem.hint(format!("known: {known}")));
                        } else {
                            cx.expected(Self::NOUN, node);
                        }
                        None
                    }
                }
            }

            fn schema(defs: &mut $crate::spec::decode::Defs) -> serde_json::Value {
                defs.part(stringify!($name), |defs| {
                    #[allow(unused_mut)]
                    let mut options: Vec<serde_json::Value> = vec![];
                    $(options.push(<$plain_type as $crate::spec::decode::Decode>::schema(defs));)?
                    let by_word = [$($kind),*];
                    $(
                        let $by = by_word;
                        options.push(serde_json::json!({ "enum": $by }));
                    )?
                    let _ = by_word;
                    let usual: Option<&str> = kinds!(@usual $($usual)?);
                    $({
                        let mut properties = $crate::spec::decode::Properties::default();
                        properties.add("kind", serde_json::json!({ "const": $kind }), concat!($($doc),*));
                        if usual != Some($kind) {
                            properties.require("kind");
                        }
                        <$type as $crate::spec::decode::Object>::properties(defs, &mut properties);
                        options.push(properties.into_schema(None));
                    })*
                    $crate::spec::decode::any_of(options)
                })
            }
        }
    };
    (@usual) => { None };
    (@usual $usual:literal) => { Some($usual) };
}

/// A mapping with exactly one key, which says what the value is.
macro_rules! one_of {
    (
        $(#[doc = $about:literal])*
        $noun:literal
        pub enum $name:ident { $($(#[doc = $doc:literal])* $variant:ident($type:ty) = $key:literal,)* }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq, Debug)]
        pub enum $name { $($(#[doc = $doc])* $variant($type),)* }

        impl $crate::spec::decode::Decode for $name {
            const NOUN: &'static str = $noun;

            fn decode(node: &$crate::spec::tree::Node, cx: &mut $crate::spec::decode::Cx<'_>) -> Option<Self> {
                let known = [$($key),*];
                let entry = $crate::spec::decode::single_entry(node, Self::NOUN, &known, cx)?;
                match entry.key.text.as_str() {
                    $($key => <$type as $crate::spec::decode::Decode>::decode(&entry.value, cx).map(Self::$variant),)*
                    _ => None,
                }
            }

            fn schema(defs: &mut $crate::spec::decode::Defs) -> serde_json::Value {
                defs.part(stringify!($name), |defs| {
                    let options = vec![$({
                        let mut properties = $crate::spec::decode::Properties::default();
                        let schema = <$type as $crate::spec::decode::Decode>::schema(defs);
                        properties.add($key, schema, concat!($($doc),*));
                        properties.require($key);
                        properties.into_schema(None)
                    }),*];
                    $crate::spec::decode::any_of(options)
                })
            }
        }
    };
}

pub(crate) use {element, kinds, one_of, words};
