//! Evaluation of SQL/XML expressions.

use std::sync::Arc;

use common::{Oid, PgError, PgResult, internal};
use functions::xml::construct::{self, NamedValue, Standalone, checked};
use functions::{CallInfo, FnContext};
use nodes::xml::{XmlExprKind, XmlStandalone};
use types::{Datum, PhysType, Selection, Vector, oids};

use crate::eval::Cx;
use crate::program::Node;

/// An SQL/XML expression, compiled.
#[derive(Debug)]
pub(crate) struct XmlNode {
    pub kind: XmlExprKind,
    pub args: Vec<Node>,
    /// Types of the arguments and of the result.
    pub info: CallInfo,
    pub site: usize,
}

/// The value for a row whose arguments are `args`.
fn value(x: &XmlExprKind, args: &[Datum], ctx: &FnContext<'_>) -> PgResult<Datum> {
    let type_of = |k: usize| -> Oid { ctx.call.args.get(k).map_or(oids::UNKNOWN, |t| t.oid) };
    let named =
        |names: &'_ [Box<str>]| -> Vec<(usize, Box<str>)> { names.iter().cloned().enumerate().collect() };
    let text = |k: usize| args.get(k).and_then(Datum::as_str);
    let or_null = |made: Option<String>| made.map_or(Datum::Null, Datum::text);
    Ok(match x {
        XmlExprKind::Concat => {
            let texts: Vec<&str> = args.iter().filter_map(Datum::as_str).collect();
            or_null((!texts.is_empty()).then(|| construct::concat(&texts)))
        }
        XmlExprKind::Element { name, attributes } => {
            let names = named(attributes);
            let named: Vec<NamedValue<'_>> = names
                .iter()
                .zip(args)
                .map(|((k, n), v)| (&**n, v, type_of(*k)))
                .collect();
            let content = args.iter().enumerate().skip(attributes.len());
            let content: Vec<(&Datum, Oid)> = content.map(|(k, v)| (v, type_of(k))).collect();
            Datum::text(construct::element(name, &named, &content, ctx)?)
        }
        XmlExprKind::Forest(names) => {
            let names = named(names);
            let named: Vec<NamedValue<'_>> = names
                .iter()
                .zip(args)
                .map(|((k, n), v)| (&**n, v, type_of(*k)))
                .collect();
            or_null(construct::forest(&named, ctx)?)
        }
        XmlExprKind::Parse { option, .. } => match text(0) {
            Some(text) => {
                checked(text, *option, ctx)?;
                Datum::text(text)
            }
            None => Datum::Null,
        },
        XmlExprKind::Pi(target) => or_null(construct::processing_instruction(target, args.first())?),
        XmlExprKind::Root(standalone) => {
            let standalone = match standalone {
                XmlStandalone::Yes => Standalone::Yes,
                XmlStandalone::No => Standalone::No,
                XmlStandalone::NoValue => Standalone::NoValue,
                XmlStandalone::Omitted => Standalone::Omitted,
            };
            or_null(text(0).map(|x| construct::root(x, text(1), standalone)))
        }
        XmlExprKind::Serialize { option, indent, .. } => match text(0) {
            Some(text) => Datum::text(construct::serialize(text, *option, *indent, ctx.cancel)?),
            None => Datum::Null,
        },
        XmlExprKind::IsDocument => match text(0) {
            Some(text) => Datum::Bool(construct::is_document(text, ctx.cancel)?),
            None => Datum::Null,
        },
        XmlExprKind::Table(_) => return Err(internal!("XMLTABLE outside of FROM")),
    })
}

impl Cx<'_, '_> {
    pub(crate) fn xml_expr(&mut self, phys: PhysType, x: &XmlNode, sel: &Selection) -> PgResult<Arc<Vector>> {
        let values = self.args(&x.args, sel)?;
        let mut out = self.output(phys);
        self.with_call_site(&x.info, x.site, |ctx| {
            sel.try_for_each(|i| {
                let row: Vec<Datum> = values.iter().map(|v| v.datum(i)).collect();
                out.set(i, &value(&x.kind, &row, ctx)?);
                Ok::<_, Box<PgError>>(())
            })
        })?;
        Ok(Arc::new(out))
    }
}
