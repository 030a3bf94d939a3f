//! Tags, attributes and namespaces.

use std::sync::Arc;

use crate::DEPTH_MAX;
use crate::parse::input::{Domain, Level};
use crate::parse::{Open, Parser};
use crate::tree::{Attribute, Element, Name, Namespace, NodeData, XML_NAMESPACE};

/// The namespace of `xmlns` itself.
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// Prefix and local part as written.
type QName = (Option<Box<str>>, Box<str>);

/// An attribute before its namespace is known.
type RawAttribute = (QName, String);

fn written((prefix, local): &QName) -> String {
    match prefix {
        Some(p) => format!("{p}:{local}"),
        None => local.to_string(),
    }
}

/// What may be said of a namespace's URI.
enum Uri {
    Absolute,
    Relative,
    Invalid,
}

fn classify_uri(uri: &str) -> Uri {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    if !uri.bytes().all(allowed) {
        return Uri::Invalid;
    }
    let scheme = uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    });
    if scheme { Uri::Absolute } else { Uri::Relative }
}

impl Parser<'_> {
    /// A start tag; true when the element is open behind it.
    pub(super) fn start_element(&mut self) -> bool {
        if self.open.len() > DEPTH_MAX {
            self.error(&format!(
                "Excessive depth in document: {DEPTH_MAX} use XML_PARSE_HUGE option"
            ));
            self.halted = true;
            return false;
        }
        let line = self.input.line();
        let scope = self.scope.len();
        self.input.advance(1);
        let Some(name) = self.qname() else {
            self.error("StartTag: invalid element name");
            return false;
        };
        let mut namespaces = Vec::new();
        let raw = self.attributes(&mut namespaces);
        let attributes = self.resolve_attributes(&name, raw);
        let local = name.1.clone();
        let prefix = name.0.clone();
        let name = self.resolve_element(name);
        let mut preserve = self.open.last().is_some_and(|o| o.preserve);
        for a in &attributes {
            if a.name.prefix.as_deref() == Some("xml") && &*a.name.local == "space" {
                preserve = &*a.value == "preserve";
            }
        }
        let node = self.append(NodeData::Element(Box::new(Element {
            name,
            attributes,
            namespaces,
        })));
        if self.input.eat("/>") {
            self.scope.truncate(scope);
            return false;
        }
        if !self.input.eat(">") {
            self.error(&format!("Couldn't find end of Start Tag {local} line {line}"));
            self.scope.truncate(scope);
            return false;
        }
        self.open.push(Open {
            prefix,
            local,
            line,
            node,
            scope,
            preserve,
        });
        true
    }

    pub(super) fn end_element(&mut self) {
        self.input.advance(2);
        let Some(open) = self.open.pop() else { return };
        self.scope.truncate(open.scope);
        let (matches, found) = if open.prefix.is_none() {
            let name = self.input.name();
            (name.as_deref() == Some(&*open.local), name)
        } else {
            let name = self.qname();
            let same = name
                .as_ref()
                .is_some_and(|n| n.0 == open.prefix && n.1 == open.local);
            (same, name.map(|n| n.1.to_string()))
        };
        self.input.skip_blanks();
        if !self.input.eat(">") {
            self.error("expected '>'");
        }
        if !matches {
            let found = found.unwrap_or_else(|| "unparsable".to_owned());
            self.error(&format!(
                "Opening and ending tag mismatch: {} line {} and {found}",
                open.local, open.line
            ));
        }
    }

    /// A name with at most one colon; more is an error, but a name.
    fn qname(&mut self) -> Option<QName> {
        let Some(first) = self.input.nc_name() else {
            if self.input.byte(0) == b':' {
                let name = self.input.name()?;
                self.namespace_error(&format!("Failed to parse QName '{name}'"));
                return Some((None, name.into()));
            }
            return None;
        };
        if !self.input.eat(":") {
            return Some((None, first.into()));
        }
        let Some(local) = self.input.nc_name() else {
            self.namespace_error(&format!("Failed to parse QName '{first}:'"));
            let more = self
                .input
                .take_while(|c| crate::chars::is_name_char(c) || c == ':');
            return Some((None, format!("{first}:{more}").into()));
        };
        if self.input.byte(0) == b':' {
            self.namespace_error(&format!("Failed to parse QName '{first}:{local}:'"));
            let more = self
                .input
                .take_while(|c| crate::chars::is_name_char(c) || c == ':');
            return Some((Some(first.into()), format!("{local}{more}").into()));
        }
        Some((Some(first.into()), local.into()))
    }

    /// All attributes; declarations of namespaces go to `namespaces` and the scope.
    fn attributes(&mut self, namespaces: &mut Vec<Namespace>) -> Vec<RawAttribute> {
        let mut raw = Vec::new();
        self.input.skip_blanks();
        while self.running() && self.input.byte(0) != b'>' && !self.input.starts("/>") {
            let Some(name) = self.qname() else {
                self.error("error parsing attribute name");
                self.error("internal error: xmlParseStartTag: problem parsing attributes");
                break;
            };
            self.input.skip_blanks();
            if self.input.eat("=") {
                self.input.skip_blanks();
                if let Some(value) = self.attribute_value() {
                    self.keep_attribute(name, value, namespaces, &mut raw);
                }
            } else {
                let name = &name.1;
                self.error(&format!("Specification mandates value for attribute {name}"));
            }
            if self.input.byte(0) == b'>' || self.input.starts("/>") {
                break;
            }
            if !self.input.skip_blanks() {
                self.error("attributes construct error");
                break;
            }
        }
        raw
    }

    fn keep_attribute(
        &mut self,
        name: QName,
        value: String,
        namespaces: &mut Vec<Namespace>,
        raw: &mut Vec<RawAttribute>,
    ) {
        let prefix = match (&name.0, &*name.1) {
            (None, "xmlns") => None,
            (Some(p), local) if &**p == "xmlns" => Some(local.into()),
            _ => return raw.push((name, value)),
        };
        if !self.namespace_allowed(prefix.as_deref(), &value) {
            return;
        }
        if namespaces.iter().any(|n| n.prefix == prefix) {
            return self.error(&format!("Attribute {} redefined", written(&name)));
        }
        let uri: Arc<str> = value.into();
        self.scope.push((prefix.clone(), Arc::clone(&uri)));
        namespaces.push(Namespace { prefix, uri });
    }

    /// Checks a declaration; false when it declares nothing.
    fn namespace_allowed(&mut self, prefix: Option<&str>, uri: &str) -> bool {
        let refusal = match prefix {
            None if uri == XML_NAMESPACE => "xml namespace URI cannot be the default namespace".to_owned(),
            Some("xml") if uri != XML_NAMESPACE => "xml namespace prefix mapped to wrong URI".to_owned(),
            Some("xml") => return false,
            Some(_) if uri == XML_NAMESPACE => "xml namespace URI mapped to wrong prefix".to_owned(),
            Some("xmlns") => "redefinition of the xmlns prefix is forbidden".to_owned(),
            _ if uri == XMLNS_NAMESPACE => "reuse of the xmlns namespace name is forbidden".to_owned(),
            Some(p) if uri.is_empty() => format!("xmlns:{p}: Empty XML namespace is not allowed"),
            _ => String::new(),
        };
        if !refusal.is_empty() {
            self.namespace_error(&refusal);
            return false;
        }
        if uri.is_empty() {
            return true;
        }
        let word = prefix.map_or_else(|| "xmlns".to_owned(), |p| format!("xmlns:{p}"));
        match classify_uri(uri) {
            Uri::Absolute => {}
            Uri::Relative => {
                let message = format!("{word}: URI {uri} is not absolute");
                self.report(Level::Warning, Domain::Namespace, &message);
            }
            Uri::Invalid => self.namespace_error(&format!("{word}: '{uri}' is not a valid URI")),
        }
        true
    }

    fn lookup(&self, prefix: Option<&str>) -> Option<Arc<str>> {
        if prefix == Some("xml") {
            return Some(XML_NAMESPACE.into());
        }
        let found = self.scope.iter().rev().find(|(p, _)| p.as_deref() == prefix);
        found
            .map(|(_, uri)| Arc::clone(uri))
            .filter(|uri| !uri.is_empty())
    }

    fn resolve_element(&mut self, (prefix, local): QName) -> Name {
        let uri = self.lookup(prefix.as_deref());
        if let (Some(p), None) = (&prefix, &uri) {
            self.namespace_error(&format!("Namespace prefix {p} on {local} is not defined"));
            return Name {
                prefix: None,
                local: format!("{p}:{local}").into(),
                uri: None,
            };
        }
        Name { prefix, local, uri }
    }

    fn resolve_attributes(&mut self, element: &QName, raw: Vec<RawAttribute>) -> Vec<Attribute> {
        let mut out: Vec<Attribute> = Vec::with_capacity(raw.len());
        let mut seen = std::collections::HashSet::new();
        let mut seen_in_namespace = std::collections::HashSet::new();
        for ((prefix, local), value) in raw {
            let mut uri = None;
            if let Some(p) = &prefix {
                uri = self.lookup(Some(p));
                if uri.is_none() {
                    self.namespace_error(&format!(
                        "Namespace prefix {p} for {local} on {} is not defined",
                        element.1
                    ));
                }
            }
            if !seen.insert((prefix.clone(), local.clone())) {
                self.error(&format!("Attribute {} redefined", written(&(prefix, local))));
                continue;
            }
            if let Some(uri) = &uri
                && !seen_in_namespace.insert((local.clone(), Arc::clone(uri)))
            {
                self.namespace_error(&format!("Namespaced Attribute {local} in '{uri}' redefined"));
                continue;
            }
            out.push(Attribute {
                name: Name { prefix, local, uri },
                value: value.into(),
            });
        }
        out
    }
}
