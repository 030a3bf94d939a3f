//! `xpath` and its kin, and what XMLTABLE asks of a document.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err, pieces};
use types::xml::{Strictness, Tree, errors, warnings};
use types::{ArrayValue, Datum, oids};
use xml::declaration;
use xml::names::escape_text;
use xml::parse::{Blanks, Mode};
use xml::serialize::node_to_string;
use xml::tree::{Document, NodeData};
use xml::xpath::{Evaluation, Part, Value, XNode, XPath, XPathError, number_to_string};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// Prefixes with the namespaces they mean.
pub type Namespaces = Vec<(String, String)>;

/// A document to be searched; namespaces must be in order.
pub fn document(text: &str, ctx: &FnContext<'_>) -> PgResult<Tree> {
    // What an encoding in the declaration says is not true of the text any more.
    let skip = declaration::parse(text).map_or(0, |d| d.len);
    let text = text.get(skip..).unwrap_or("");
    let parsed = Tree::parse(text, Mode::Document, Blanks::Keep, ctx.cancel)?;
    warnings(&parsed, Strictness::Namespaces).try_for_each(|w| ctx.session.notice(w))?;
    match errors(&parsed, Strictness::Namespaces) {
        Some(detail) => Err(pg_err!(INVALID_XML_DOCUMENT, "could not parse XML document").detail(detail)),
        None => Ok(parsed),
    }
}

fn failed(e: XPathError, message: &str, ctx: &FnContext<'_>) -> Box<PgError> {
    match e {
        XPathError::Invalid(detail) => pg_err!(INVALID_ARGUMENT_FOR_XQUERY, "{message}").detail(detail),
        XPathError::Interrupted => match ctx.cancel.check() {
            Err(e) => e,
            Ok(()) => common::internal!("path evaluation stopped for no reason"),
        },
    }
}

/// Compiles a path.
pub fn compile(text: &str, ctx: &FnContext<'_>) -> PgResult<XPath> {
    xml::xpath::compile(text).map_err(|e| failed(e, "invalid XPath expression", ctx))
}

/// The value of a path at a node, or at the document.
pub fn evaluate(
    path: &XPath,
    document: &Document,
    namespaces: &Namespaces,
    node: Option<XNode>,
    ctx: &FnContext<'_>,
) -> PgResult<Value> {
    let interrupted = || ctx.cancel.check().is_err();
    let evaluation = Evaluation::new(document, namespaces, &interrupted);
    let value = match node {
        Some(node) => evaluation.at(path, node),
        None => evaluation.at_document(path),
    };
    value.map_err(|e| failed(e, "could not create XPath object", ctx))
}

/// A node as a value of type `xml`.
pub fn node_text(document: &Document, node: XNode) -> String {
    match (node.part, &document.node(node.owner).data) {
        (Part::Own, NodeData::Text(s)) => escape_text(s),
        (Part::Own, _) => node_to_string(document, node.owner),
        _ => escape_text(&node.string_value(document)),
    }
}

/// A value of a path as the text of a column, whose type is XML or not.
pub fn column_text(
    document: &Document,
    value: &Value,
    type_oid: Oid,
    numeric: bool,
) -> PgResult<Option<String>> {
    Ok(match value {
        Value::Nodes(nodes) if type_oid == oids::XML => {
            let text = nodes.iter().map(|n| node_text(document, *n)).collect();
            (!nodes.is_empty()).then_some(text)
        }
        Value::Nodes(nodes) => match nodes[..] {
            [] => None,
            [one] => Some(one.string_value(document)),
            _ => {
                return Err(pg_err!(
                    CARDINALITY_VIOLATION,
                    "more than one value returned by column XPath expression"
                ));
            }
        },
        Value::Text(s) if type_oid == oids::XML => Some(escape_text(s)),
        Value::Text(s) => Some(s.clone()),
        Value::Bool(b) if numeric => Some(u8::from(*b).to_string()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Number(n) => Some(number_to_string(*n)),
    })
}

/// The mapping that users give as an array of pairs.
fn mapping(array: &ArrayValue) -> PgResult<Namespaces> {
    let wrong = || {
        pg_err!(DATA_EXCEPTION, "invalid array for XML namespace mapping")
            .detail("The array must be two-dimensional with length of the second axis equal to 2.")
    };
    if array.dims.is_empty() {
        return Ok(Namespaces::new());
    }
    if array.dims.len() != 2 || array.dims.get(1).is_none_or(|d| d.len != 2) {
        return Err(wrong());
    }
    let pairs = array.elements.chunks(2);
    pairs
        .map(|pair| match pair {
            [Datum::Text(prefix), Datum::Text(uri)] => Ok((prefix.to_string(), uri.to_string())),
            _ => Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "neither namespace name nor URI may be null"
            )),
        })
        .collect()
}

/// The path of this call, compiled once for as long as its text stays.
fn cached(text: &str, ctx: &mut FnContext<'_>) -> PgResult<Arc<XPath>> {
    let mut cache = std::mem::take(ctx.cache);
    let compiled = cache.get_or_try_insert(
        |(known, _): &(String, Arc<XPath>)| known == text,
        || Ok((text.to_owned(), Arc::new(compile(text, ctx)?))),
    );
    let compiled = compiled.map(|c| Arc::clone(&c.1));
    *ctx.cache = cache;
    compiled
}

fn search(
    path: &str,
    data: &str,
    namespaces: Option<&ArrayValue>,
    ctx: &mut FnContext<'_>,
) -> PgResult<(Tree, Value)> {
    let namespaces = namespaces.map(mapping).transpose()?.unwrap_or_default();
    if path.is_empty() {
        return Err(pg_err!(INVALID_ARGUMENT_FOR_XQUERY, "empty XPath expression"));
    }
    let tree = document(data, ctx)?;
    let path = cached(path, ctx)?;
    let value = evaluate(&path, &tree.document, &namespaces, None, ctx)?;
    Ok((tree, value))
}

fn found(value: &Value) -> bool {
    match value {
        Value::Nodes(nodes) => !nodes.is_empty(),
        _ => true,
    }
}

fn xpath_in(ctx: &mut FnContext<'_>, path: &str, data: &str, ns: Option<&ArrayValue>) -> PgResult<Datum> {
    let (tree, value) = search(path, data, ns, ctx)?;
    let items: Vec<Datum> = match &value {
        Value::Nodes(nodes) => {
            let texts = nodes.iter().map(|n| Datum::text(node_text(&tree.document, *n)));
            pieces::list(ctx.cancel, texts)?
        }
        Value::Bool(b) => vec![Datum::text(b.to_string())],
        Value::Number(n) => {
            let mut text = String::new();
            types::io::output(oids::FLOAT8, &Datum::Float8(*n), &ctx.io(), &mut text)?;
            vec![Datum::text(text)]
        }
        Value::Text(s) => vec![Datum::text(escape_text(s))],
    };
    Ok(Datum::Array(Arc::new(ArrayValue::from_elements(
        oids::XML,
        items,
    ))))
}

/// The namespaces among the arguments, as the third.
fn array(args: &[Datum]) -> Option<&ArrayValue> {
    match args.get(2) {
        Some(Datum::Array(a)) => Some(a),
        _ => None,
    }
}

fn two_texts(args: &[Datum]) -> PgResult<(&str, &str)> {
    match args {
        [Datum::Text(path), Datum::Text(data), ..] => Ok((path, data)),
        _ => Err(common::internal!("path and document expected")),
    }
}

/// The forms without namespaces are functions in SQL, as errors tell.
fn within(name: &str, args: &[Datum]) -> impl FnOnce(Box<PgError>) -> Box<PgError> {
    let written_in_sql = args.len() == 2;
    let context = format!("SQL function \"{name}\" statement 1");
    move |e| if written_in_sql { e.context(context) } else { e }
}

fn xpath(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let (path, data) = two_texts(args)?;
    xpath_in(ctx, path, data, array(args)).map_err(within("xpath", args))
}

fn xpath_exists(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let (path, data) = two_texts(args)?;
    let answer = search(path, data, array(args), ctx).map_err(within("xpath_exists", args))?;
    Ok(Datum::Bool(found(&answer.1)))
}

fn xmlexists(ctx: &mut FnContext<'_>, path: &str, data: &str) -> PgResult<bool> {
    Ok(found(&search(path, data, None, ctx)?.1))
}

builtins! {
    xpath[general strict](text, xml, text_array) -> xml_array;
    xpath[general strict](text, xml) -> xml_array;
    xpath_exists[general strict](text, xml, text_array) -> bool;
    xpath_exists[general strict](text, xml) -> bool;
    xmlexists(ctx, a: text, b: xml) -> bool;
}
