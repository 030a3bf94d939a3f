//! Functions of `xml` that are called by name, and `xmlagg`.

use common::{PgResult, pg_err, unsupported};
use types::xml::{XmlOption, stored_declaration};
use types::{Datum, Selection, Vector};

use crate::families::xml::construct::{checked, concat, is_well_formed};
use crate::framework::aggregate::{Accumulator, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::macros::{aggregates, builtins};

fn xmlcomment(text: &str) -> PgResult<String> {
    if text.contains("--") || text.ends_with('-') {
        return Err(pg_err!(INVALID_XML_COMMENT, "invalid XML comment"));
    }
    Ok(format!("<!--{text}-->"))
}

fn xmltext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
    out
}

fn texttoxml(ctx: &mut FnContext<'_>, text: &str) -> PgResult<String> {
    checked(text, ctx.settings.xml_option, ctx)?;
    Ok(text.to_owned())
}

fn xmltotext(text: &str) -> String {
    text.to_owned()
}

fn xmlvalidate(_document: &str, _dtd: &str) -> PgResult<bool> {
    Err(unsupported!("xmlvalidate is not implemented"))
}

fn xml_is_well_formed(ctx: &mut FnContext<'_>, text: &str) -> PgResult<bool> {
    is_well_formed(text, ctx.settings.xml_option, ctx.cancel)
}

fn xml_is_well_formed_document(ctx: &mut FnContext<'_>, text: &str) -> PgResult<bool> {
    is_well_formed(text, XmlOption::Document, ctx.cancel)
}

fn xml_is_well_formed_content(ctx: &mut FnContext<'_>, text: &str) -> PgResult<bool> {
    is_well_formed(text, XmlOption::Content, ctx.cancel)
}

fn xmlconcat2(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let texts: Vec<&str> = args.iter().filter_map(Datum::as_str).collect();
    Ok(match texts[..] {
        [] => Datum::Null,
        [one] => Datum::text(one),
        ref both => Datum::text(concat(both)),
    })
}

builtins! {
    xmlcomment(a: text) -> xml;
    xmltext(a: text) -> xml;
    texttoxml(ctx, a: text) -> xml;
    xmltotext(a: xml) -> text;
    xmlvalidate(a: xml, b: text) -> bool;
    xml_is_well_formed(ctx, a: text) -> bool;
    xml_is_well_formed_document(ctx, a: text) -> bool;
    xml_is_well_formed_content(ctx, a: text) -> bool;
    xmlconcat2[general](xml, xml) -> xml;
}

/// `xmlagg`: what XMLCONCAT makes of the group's values; `None` before the first.
#[derive(Default)]
struct XmlAgg {
    groups: Vec<Option<String>>,
}

impl XmlAgg {
    fn add(&mut self, group: usize, text: &str) -> PgResult<()> {
        let Some(state) = self.groups.get_mut(group) else {
            return Err(common::internal!("no such group"));
        };
        match state {
            // Without declarations the texts just follow each other.
            Some(so_far) if stored_declaration(so_far).len == 0 => {
                so_far.push_str(text.get(stored_declaration(text).len..).unwrap_or(""));
            }
            Some(so_far) => *so_far = concat(&[so_far, text]),
            None => *state = Some(text.to_owned()),
        }
        Ok(())
    }
}

impl Accumulator for XmlAgg {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, Option::default);
    }

    fn update(
        &mut self,
        _: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let Some(values) = args.first() else {
            return Err(common::internal!("xmlagg without an argument"));
        };
        for (i, &group) in sel.iter().zip(groups) {
            if let Datum::Text(text) = values.datum(i) {
                self.add(group as usize, &text)?;
            }
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<XmlAgg>(other)?;
        for (text, &to) in other.groups.iter().zip(map) {
            if let Some(text) = text {
                self.add(to as usize, text)?;
            }
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let state = self.groups.get_mut(group as usize).and_then(Option::take);
        Ok(state.map_or(Datum::Null, Datum::text))
    }

    fn memory_bytes(&self) -> usize {
        let texts: usize = self.groups.iter().flatten().map(String::capacity).sum();
        texts + self.groups.capacity() * size_of::<Option<String>>()
    }
}

fn xml_agg(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
    Ok(Box::new(XmlAgg::default()))
}

aggregates! {
    xmlagg(xml) -> xml = xml_agg;
}
