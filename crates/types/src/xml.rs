//! What makes a text a value of type `xml`.
//!
//! A value is kept as the text that was given; parsing only checks it.

use std::ops::Deref;

use common::cancel::{self, CancelToken};
use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err, pieces};
use xml::declaration::{self, Declaration};
use xml::parse::{Blanks, Diagnostic, Domain, Level, Mode, Parsed};

/// XML option: what a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum XmlOption {
    /// One root element with its prolog.
    Document,
    /// Any well-balanced content.
    #[default]
    Content,
}

/// `xmlbinary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum XmlBinary {
    #[default]
    Base64,
    Hex,
}

/// What was parsed. It may have millions of nodes, which are freed as the elements of arrays are.
#[derive(Debug)]
pub struct Tree(Parsed);

impl Deref for Tree {
    type Target = Parsed;

    fn deref(&self) -> &Parsed {
        &self.0
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        cancel::discard_list(std::mem::take(&mut self.0.document).into_nodes());
    }
}

impl Tree {
    /// Parses a text, unless the statement is cancelled.
    pub fn parse(text: &str, mode: Mode, blanks: Blanks, cancel: &CancelToken) -> PgResult<Tree> {
        let stop = || cancel.is_cancelled();
        let tree = Tree(xml::parse::parse_until(text, mode, blanks, &stop));
        cancel.check()?;
        Ok(tree)
    }
}

/// A value that was parsed.
#[derive(Debug)]
pub struct XmlTree {
    /// The tree.
    pub parsed: Tree,
    /// It was read as a document: it had to be one, or it has a DOCTYPE.
    pub as_document: bool,
}

/// Which of the rules count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Those of XML.
    WellFormed,
    /// Those of namespaces too.
    Namespaces,
}

impl Strictness {
    fn counts(self, d: &Diagnostic) -> bool {
        d.domain == Domain::Parser || self == Strictness::Namespaces
    }
}

/// The errors that count, as one text; `None` without any.
pub fn errors(parsed: &Parsed, strictness: Strictness) -> Option<String> {
    let found = parsed
        .diagnostics
        .iter()
        .filter(|d| d.level == Level::Error && strictness.counts(d));
    let texts: Vec<&str> = found.map(|d| d.text.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// The warnings that count.
pub fn warnings(parsed: &Parsed, strictness: Strictness) -> impl Iterator<Item = Box<PgError>> + '_ {
    parsed
        .diagnostics
        .iter()
        .filter(move |d| d.level == Level::Warning && strictness.counts(d))
        .map(|d| {
            PgError::notice(
                common::error::Severity::Warning,
                common::sqlstate::WARNING,
                d.text.clone(),
            )
        })
}

/// Parses a text under an XML option.
pub fn parse(text: &str, option: XmlOption, blanks: Blanks, cancel: &CancelToken) -> PgResult<XmlTree> {
    let mut content = text;
    let mut as_document = option == XmlOption::Document;
    if !as_document {
        let declaration = declaration::parse(text).map_err(|e| {
            pg_err!(
                INVALID_XML_CONTENT,
                "invalid XML content: invalid XML declaration"
            )
            .detail(e.detail())
        })?;
        content = text.get(declaration.len..).unwrap_or("");
        as_document = declaration::begins_with_doctype(content);
    }
    let parsed = if as_document {
        Tree::parse(text, Mode::Document, blanks, cancel)?
    } else {
        Tree::parse(content, Mode::Content, blanks, cancel)?
    };
    match errors(&parsed, Strictness::WellFormed) {
        None => Ok(XmlTree { parsed, as_document }),
        Some(detail) if option == XmlOption::Document => {
            Err(pg_err!(INVALID_XML_DOCUMENT, "invalid XML document").detail(detail))
        }
        Some(detail) => Err(pg_err!(INVALID_XML_CONTENT, "invalid XML content").detail(detail)),
    }
}

/// The declaration of a stored value; nothing where it is damaged.
pub fn stored_declaration(text: &str) -> Declaration<'_> {
    declaration::parse(text).unwrap_or_default()
}

/// Appends a stored value as clients see it: without an encoding, which may not be theirs.
pub fn push_output(text: &str, cancel: &CancelToken, out: &mut String) -> PgResult<()> {
    let declaration = stored_declaration(text);
    let mut body = text.get(declaration.len..).unwrap_or("");
    if !declaration::print(out, declaration.version, declaration.standalone) && declaration.len > 0 {
        body = body.strip_prefix('\n').unwrap_or(body);
    }
    pieces::append(cancel, body, out)
}
