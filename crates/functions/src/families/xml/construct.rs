//! XMLELEMENT, XMLFOREST, XMLCONCAT, XMLPI, XMLROOT, XMLSERIALIZE.

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use types::Datum;
use types::xml::{Strictness, XmlOption, parse, stored_declaration, warnings};
use xml::declaration;
use xml::parse::Blanks;
use xml::serialize::{indent_content, indent_document};

use crate::families::xml::value::{Escaping, push_value};
use crate::framework::context::FnContext;

/// A name with a value and its type.
pub type NamedValue<'v> = (&'v str, &'v Datum, Oid);

fn push_attribute_value(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
}

/// XMLELEMENT: attributes, then content by value and type.
pub fn element(
    name: &str,
    attributes: &[NamedValue<'_>],
    content: &[(&Datum, Oid)],
    ctx: &FnContext<'_>,
) -> PgResult<String> {
    let mut out = format!("<{name}");
    for (name, value, type_oid) in attributes {
        if value.is_null() {
            continue;
        }
        let mut text = String::new();
        push_value(value, *type_oid, Escaping::Raw, ctx, &mut text)?;
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        push_attribute_value(&text, &mut out);
        out.push('"');
    }
    let mut open = false;
    for (value, type_oid) in content.iter().filter(|(v, _)| !v.is_null()) {
        if !open {
            out.push('>');
            open = true;
        }
        push_value(value, *type_oid, Escaping::Escaped, ctx, &mut out)?;
    }
    if open {
        out.push_str(&format!("</{name}>"));
    } else {
        out.push_str("/>");
    }
    Ok(out)
}

/// XMLFOREST; `None` when all values are NULL.
pub fn forest(values: &[NamedValue<'_>], ctx: &FnContext<'_>) -> PgResult<Option<String>> {
    let mut out = None;
    for (name, value, type_oid) in values.iter().filter(|(_, v, _)| !v.is_null()) {
        let out = out.get_or_insert_with(String::new);
        out.push_str(&format!("<{name}>"));
        push_value(value, *type_oid, Escaping::Escaped, ctx, out)?;
        out.push_str(&format!("</{name}>"));
    }
    Ok(out)
}

/// XMLCONCAT of values that are not NULL: one declaration that is true for all of them, if there is one.
pub fn concat(values: &[&str]) -> String {
    let mut version: Option<&str> = None;
    let mut no_version = false;
    let mut standalone = Some(true);
    let mut body = String::new();
    for text in values {
        let d = stored_declaration(text);
        match d.standalone {
            None => standalone = None,
            Some(false) if standalone == Some(true) => standalone = Some(false),
            Some(_) => {}
        }
        match (d.version, version) {
            (None, _) => no_version = true,
            (Some(v), None) => version = Some(v),
            (Some(v), Some(first)) => no_version |= v != first,
        }
        body.push_str(text.get(d.len..).unwrap_or(""));
    }
    if no_version && standalone.is_none() {
        return body;
    }
    let mut out = String::new();
    declaration::print(&mut out, version.filter(|_| !no_version), standalone);
    out.push_str(&body);
    out
}

/// XMLPI; `None` for NULL content.
pub fn processing_instruction(target: &str, content: Option<&Datum>) -> PgResult<Option<String>> {
    let refused = || {
        pg_err!(
            INVALID_XML_PROCESSING_INSTRUCTION,
            "invalid XML processing instruction"
        )
    };
    if target.eq_ignore_ascii_case("xml") {
        return Err(refused().detail(format!(
            "XML processing instruction target name cannot be \"{target}\"."
        )));
    }
    match content {
        None => Ok(Some(format!("<?{target}?>"))),
        Some(Datum::Text(text)) if text.contains("?>") => {
            Err(refused().detail("XML processing instruction cannot contain \"?>\"."))
        }
        Some(Datum::Text(text)) => Ok(Some(format!("<?{target} {}?>", text.trim_start_matches(' ')))),
        Some(_) => Ok(None),
    }
}

/// STANDALONE of XMLROOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Standalone {
    Yes,
    No,
    NoValue,
    Omitted,
}

/// XMLROOT: the value under another declaration.
pub fn root(text: &str, version: Option<&str>, standalone: Standalone) -> String {
    let old = stored_declaration(text);
    let standalone = match standalone {
        Standalone::Yes => Some(true),
        Standalone::No => Some(false),
        Standalone::NoValue => None,
        Standalone::Omitted => old.standalone,
    };
    let mut out = String::new();
    declaration::print(&mut out, version, standalone);
    out.push_str(text.get(old.len..).unwrap_or(""));
    out
}

/// XMLSERIALIZE; `indent` lays the text out.
pub fn serialize(text: &str, option: XmlOption, indent: bool, cancel: &CancelToken) -> PgResult<String> {
    if option == XmlOption::Content && !indent {
        return Ok(text.to_owned());
    }
    let blanks = if indent { Blanks::Drop } else { Blanks::Keep };
    let Ok(tree) = parse(text, option, blanks, cancel) else {
        cancel.check()?;
        return Err(pg_err!(NOT_AN_XML_DOCUMENT, "not an XML document"));
    };
    if !indent {
        return Ok(text.to_owned());
    }
    let declared = stored_declaration(text).len > 0;
    let stop = || cancel.is_cancelled();
    let mut out = match tree.as_document {
        true => indent_document(&tree.parsed.document, declared, &stop),
        false => indent_content(&tree.parsed.document, &stop),
    };
    cancel.check()?;
    if !tree.as_document {
        return Ok(out);
    }
    if option == XmlOption::Document {
        out.truncate(out.trim_end_matches(['\n', '\r']).len());
    }
    Ok(out)
}

/// IS DOCUMENT.
pub fn is_document(text: &str, cancel: &CancelToken) -> PgResult<bool> {
    is_well_formed(text, XmlOption::Document, cancel)
}

/// Whether the text is what the option says.
pub(crate) fn is_well_formed(text: &str, option: XmlOption, cancel: &CancelToken) -> PgResult<bool> {
    let parsed = parse(text, option, Blanks::Keep, cancel);
    cancel.check()?;
    Ok(parsed.is_ok())
}

/// XMLPARSE: is the text what the option says?
pub fn checked(text: &str, option: XmlOption, ctx: &FnContext<'_>) -> PgResult<()> {
    let tree = parse(text, option, Blanks::Keep, ctx.cancel)?;
    warnings(&tree.parsed, Strictness::WellFormed).try_for_each(|w| ctx.session.notice(w))
}
