//! Text to tree, with libxml's verdicts and words.
//!
//! # How it works
//! The parser goes on after an error, as libxml does, because one document may yield several messages. Elements that are open
//! stand on a stack of its own: the Rust stack does not grow with the depth of a document.
//!
//! # Not here
//! Validation against a DTD, external subsets, default attributes of an ATTLIST, parameter entities: read past, not applied.

mod dtd;
mod element;
mod input;
mod text;

use std::collections::HashMap;
use std::sync::Arc;

use self::input::Input;
pub use self::input::{Diagnostic, Domain, Level};
use crate::tree::{DOCUMENT, Document, NodeData, NodeId};

/// What a text is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One element with prolog and epilog.
    Document,
    /// Whatever may stand in an element.
    Content,
}

/// What becomes of white space between elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blanks {
    /// It is text.
    Keep,
    /// It goes where it seems to be layout only.
    Drop,
}

/// A parsed text.
#[derive(Debug)]
pub struct Parsed {
    /// The tree; of use only when there are no errors.
    pub document: Document,
    /// In the order they were found.
    pub diagnostics: Vec<Diagnostic>,
    /// What the XML declaration says, when there is one.
    pub has_declaration: bool,
}

/// Expansion that needs no leave.
const EXPANSION_FREE: usize = 1_000_000;
/// Beyond that, the text may grow by this factor.
const AMPLIFICATION_MAX: usize = 5;
/// Entities inside entities.
const ENTITY_DEPTH_MAX: usize = 40;
/// A text with more errors is given up.
const DIAGNOSTICS_MAX: usize = 1_000;

/// An open element.
#[derive(Debug)]
struct Open {
    prefix: Option<Box<str>>,
    local: Box<str>,
    line: u32,
    node: NodeId,
    /// Namespaces in scope outside of it.
    scope: usize,
    /// `xml:space="preserve"`.
    preserve: bool,
}

/// A declared entity.
#[derive(Clone, Debug)]
struct Entity {
    /// Replacement text; `None`: external.
    value: Option<Arc<str>>,
    unparsed: bool,
}

struct Parser<'s> {
    document: Document,
    input: Input,
    diagnostics: Vec<Diagnostic>,
    open: Vec<Open>,
    scope: Vec<(Option<Box<str>>, Arc<str>)>,
    blanks: Blanks,
    halted: bool,
    entities: HashMap<Box<str>, Entity>,
    /// Entities being expanded.
    expanding: Vec<Box<str>>,
    /// Bytes that entities may still become.
    budget: usize,
    /// Entities may be declared where we do not look.
    declarations_unseen: bool,
    standalone: bool,
    has_declaration: bool,
    /// Asked between the parts of content.
    stop: &'s dyn Fn() -> bool,
}

/// Parses `text`.
pub fn parse(text: &str, mode: Mode, blanks: Blanks) -> Parsed {
    parse_until(text, mode, blanks, &|| false)
}

/// The same; what is found of it when `stop` says so.
pub fn parse_until(text: &str, mode: Mode, blanks: Blanks, stop: &dyn Fn() -> bool) -> Parsed {
    let text: Arc<str> = text.into();
    let mut p = Parser {
        document: Document::default(),
        budget: EXPANSION_FREE.max(text.len().saturating_mul(AMPLIFICATION_MAX)),
        input: Input::new(text),
        diagnostics: Vec::new(),
        open: Vec::new(),
        scope: Vec::new(),
        blanks,
        halted: false,
        entities: HashMap::new(),
        expanding: Vec::new(),
        declarations_unseen: false,
        standalone: false,
        has_declaration: false,
        stop,
    };
    match mode {
        Mode::Document => p.document(),
        Mode::Content => p.content_only(),
    }
    Parsed {
        document: p.document,
        diagnostics: p.diagnostics,
        has_declaration: p.has_declaration,
    }
}

impl Parser<'_> {
    fn report(&mut self, level: Level, domain: Domain, message: &str) {
        if self.diagnostics.len() >= DIAGNOSTICS_MAX {
            self.halted = true;
            return;
        }
        let line = self.input.line();
        self.diagnostics.push(Diagnostic {
            level,
            domain,
            text: format!("line {line}: {message}\n{}", self.input.context()),
        });
    }

    /// An error that makes the text no XML.
    fn error(&mut self, message: &str) {
        self.report(Level::Error, Domain::Parser, message);
    }

    fn namespace_error(&mut self, message: &str) {
        self.report(Level::Error, Domain::Namespace, message);
    }

    fn running(&self) -> bool {
        !self.halted && !self.input.at_end() && !(self.stop)()
    }

    /// Where text and elements go now.
    fn parent(&self) -> NodeId {
        self.open.last().map_or(DOCUMENT, |o| o.node)
    }

    fn document(&mut self) {
        if self.input.at_end() {
            return self.error("Document is empty");
        }
        if self.input.starts("<?xml") && matches!(self.input.byte(5), b' ' | b'\t' | b'\n' | b'\r') {
            self.declaration();
        }
        self.misc();
        if self.input.starts("<!DOCTYPE") {
            self.doctype();
            self.misc();
        }
        if self.halted {
            return;
        }
        if self.input.byte(0) != b'<' {
            return self.error("Start tag expected, '<' not found");
        }
        self.root_element();
        if self.halted {
            return;
        }
        self.misc();
        if !self.input.at_end() {
            self.error("Extra content at the end of the document");
        }
    }

    fn root_element(&mut self) {
        if !self.start_element() {
            return;
        }
        self.content(1);
        if self.input.at_end() {
            return self.premature_end();
        }
        if !self.halted {
            self.end_element();
        }
    }

    fn content_only(&mut self) {
        self.content(0);
        if self.halted {
            return;
        }
        if !self.open.is_empty() {
            self.premature_end();
        }
        // It follows errors that say more.
        if self.input.starts("</") && self.no_errors_yet() {
            self.error("chunk is not well balanced");
        }
    }

    fn no_errors_yet(&self) -> bool {
        let is_error = |d: &Diagnostic| d.level == Level::Error && d.domain == Domain::Parser;
        !self.diagnostics.iter().any(is_error)
    }

    fn premature_end(&mut self) {
        if let Some(open) = self.open.last() {
            let message = format!("Premature end of data in tag {} line {}", open.local, open.line);
            self.error(&message);
        }
    }

    /// Comments, processing instructions and white space round the root.
    fn misc(&mut self) {
        while self.running() {
            self.input.skip_blanks();
            if self.input.starts("<?") {
                self.pi();
            } else if self.input.starts("<!--") {
                self.comment();
            } else {
                return;
            }
        }
    }

    /// Reads content until an end tag that closes what stood open before.
    fn content(&mut self, depth: usize) {
        while self.running() {
            if self.input.starts("<?") {
                self.pi();
            } else if self.input.starts("<![CDATA[") {
                self.cdata();
            } else if self.input.starts("<!--") {
                self.comment();
            } else if self.input.starts("</") {
                if self.open.len() <= depth {
                    return;
                }
                self.end_element();
            } else if self.input.byte(0) == b'<' {
                self.start_element();
            } else if self.input.byte(0) == b'&' {
                self.reference();
            } else {
                self.char_data();
            }
        }
    }

    fn append(&mut self, data: NodeData) -> NodeId {
        let parent = self.parent();
        self.document.append(parent, data)
    }
}
