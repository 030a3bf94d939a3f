//! The core function library.

use crate::chars;
use crate::tree::{Document, NodeData};
use crate::xpath::eval::{Context, Evaluation};
use crate::xpath::number::round;
use crate::xpath::{Part, Value, XNode, XResult, invalid};

macro_rules! functions {
    ($($variant:ident $name:literal $min:literal $max:literal),* $(,)?) => {
        /// A function of the library.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Function { $($variant),* }

        impl Function {
            pub fn by_name(name: &str) -> Option<Function> {
                match name { $($name => Some(Function::$variant),)* _ => None }
            }

            /// How few and how many arguments it takes.
            fn arity(self) -> (usize, usize) {
                match self { $(Function::$variant => ($min, $max),)* }
            }
        }
    };
}

functions!(
    Last "last" 0 0, Position "position" 0 0, Count "count" 1 1, Id "id" 1 1, LocalName "local-name" 0 1,
    NamespaceUri "namespace-uri" 0 1, Name "name" 0 1, Text "string" 0 1, Concat "concat" 2 1000,
    StartsWith "starts-with" 2 2, Contains "contains" 2 2, SubstringBefore "substring-before" 2 2,
    SubstringAfter "substring-after" 2 2, Substring "substring" 2 3, StringLength "string-length" 0 1,
    NormalizeSpace "normalize-space" 0 1, Translate "translate" 3 3, Boolean "boolean" 1 1, Not "not" 1 1,
    True "true" 0 0, False "false" 0 0, Lang "lang" 1 1, Number "number" 0 1, Sum "sum" 1 1, Floor "floor" 1 1,
    Ceiling "ceiling" 1 1, Round "round" 1 1,
);

/// Prefix, local part and namespace of a node that has a name.
fn name_parts(d: &Document, node: XNode) -> (Option<String>, String, String) {
    let of = |name: &crate::tree::Name| {
        let uri = name.uri.as_deref().unwrap_or_default().to_owned();
        (
            name.prefix.as_deref().map(str::to_owned),
            name.local.to_string(),
            uri,
        )
    };
    match (node.part, &d.node(node.owner).data) {
        (Part::Own, NodeData::Element(e)) => of(&e.name),
        (Part::Own, NodeData::Pi { target, .. }) => (None, target.to_string(), String::new()),
        (Part::Attribute(k), NodeData::Element(e)) => e
            .attributes
            .get(k as usize)
            .map_or_else(Default::default, |a| of(&a.name)),
        (Part::Namespace(k), _) => {
            let scope = d.in_scope(node.owner);
            let prefix = scope.get(k as usize).and_then(|n| n.prefix.clone());
            (
                None,
                prefix.as_deref().unwrap_or_default().to_owned(),
                String::new(),
            )
        }
        _ => Default::default(),
    }
}

fn nodes(v: Option<&Value>) -> XResult<&[XNode]> {
    match v {
        Some(Value::Nodes(nodes)) => Ok(nodes),
        _ => invalid("Invalid type"),
    }
}

fn substring(text: &str, from: f64, length: Option<f64>) -> String {
    let first = round(from);
    let end = length.map(|l| first + round(l));
    let inside = |k: usize| {
        let position = (k + 1) as f64;
        position >= first && end.is_none_or(|end| position < end)
    };
    text.chars()
        .enumerate()
        .filter(|&(k, _)| inside(k))
        .map(|(_, c)| c)
        .collect()
}

fn normalize(text: &str) -> String {
    let words: Vec<&str> = text.split(chars::is_blank).filter(|w| !w.is_empty()).collect();
    words.join(" ")
}

fn translate(text: &str, from: &str, to: &str) -> String {
    let to: Vec<char> = to.chars().collect();
    let map = |c: char| match from.chars().position(|f| f == c) {
        Some(k) => to.get(k).copied(),
        None => Some(c),
    };
    text.chars().filter_map(map).collect()
}

/// Does the nearest `xml:lang` say `wanted`, or a dialect of it?
fn lang(d: &Document, node: XNode, wanted: &str) -> bool {
    let mut at = Some(node.owner);
    while let Some(id) = at {
        let attributes = d.element(id).map_or(&[][..], |e| &e.attributes);
        let is_lang = |n: &crate::tree::Name| n.prefix.as_deref() == Some("xml") && &*n.local == "lang";
        if let Some(a) = attributes.iter().find(|a| is_lang(&a.name)) {
            let value = a.value.to_ascii_lowercase();
            let rest = value.strip_prefix(&wanted.to_ascii_lowercase());
            return rest.is_some_and(|r| r.is_empty() || r.starts_with('-'));
        }
        at = d.node(id).parent;
    }
    false
}

impl Function {
    pub fn call(self, e: &Evaluation<'_>, ctx: Context, args: &[Value]) -> XResult<Value> {
        let (min, max) = self.arity();
        if args.len() < min || args.len() > max {
            return invalid("Invalid number of arguments");
        }
        let d = e.document;
        let text = |k: usize| args.get(k).map_or_else(String::new, |v| v.to_text(d));
        let number = |k: usize| args.get(k).map_or(f64::NAN, |v| v.to_number(d));
        // Where an argument is left out, the context node takes its place.
        let own_text = || {
            args.first()
                .map_or_else(|| ctx.node.string_value(d), |v| v.to_text(d))
        };
        let named = || -> XResult<(Option<String>, String, String)> {
            if args.is_empty() {
                return Ok(name_parts(d, ctx.node));
            }
            Ok(nodes(args.first())?
                .first()
                .map_or_else(Default::default, |&n| name_parts(d, n)))
        };
        Ok(match self {
            Function::Last => Value::Number(ctx.size as f64),
            Function::Position => Value::Number(ctx.position as f64),
            Function::Count => Value::Number(nodes(args.first())?.len() as f64),
            Function::Id => Value::Nodes(Vec::new()),
            Function::LocalName => Value::Text(named()?.1),
            Function::NamespaceUri => Value::Text(named()?.2),
            Function::Name => {
                let (prefix, local, _) = named()?;
                Value::Text(prefix.map_or_else(|| local.clone(), |p| format!("{p}:{local}")))
            }
            Function::Text => Value::Text(own_text()),
            Function::Concat => Value::Text((0..args.len()).map(text).collect()),
            Function::StartsWith => Value::Bool(text(0).starts_with(&text(1))),
            Function::Contains => Value::Bool(text(0).contains(&text(1))),
            Function::SubstringBefore => {
                Value::Text(text(0).split_once(&text(1)).map_or("", |p| p.0).to_owned())
            }
            Function::SubstringAfter => {
                Value::Text(text(0).split_once(&text(1)).map_or("", |p| p.1).to_owned())
            }
            Function::Substring => {
                let length = (args.len() > 2).then(|| number(2));
                Value::Text(substring(&text(0), number(1), length))
            }
            Function::StringLength => Value::Number(own_text().chars().count() as f64),
            Function::NormalizeSpace => Value::Text(normalize(&own_text())),
            Function::Translate => Value::Text(translate(&text(0), &text(1), &text(2))),
            Function::Boolean => Value::Bool(args.first().is_some_and(Value::to_bool)),
            Function::Not => Value::Bool(!args.first().is_some_and(Value::to_bool)),
            Function::True => Value::Bool(true),
            Function::False => Value::Bool(false),
            Function::Lang => Value::Bool(lang(d, ctx.node, &text(0))),
            Function::Number => Value::Number(match args.first() {
                Some(v) => v.to_number(d),
                None => Value::Nodes(vec![ctx.node]).to_number(d),
            }),
            Function::Sum => {
                let of = |n: &XNode| Value::Nodes(vec![*n]).to_number(d);
                Value::Number(nodes(args.first())?.iter().map(of).sum())
            }
            Function::Floor => Value::Number(number(0).floor()),
            Function::Ceiling => Value::Number(number(0).ceil()),
            Function::Round => Value::Number(round(number(0))),
        })
    }
}
