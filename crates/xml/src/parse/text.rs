//! Character data, references, comments, processing instructions, the XML declaration.

use std::sync::Arc;

use crate::chars;
use crate::parse::input::{Domain, Input, Level};
use crate::parse::{Blanks, ENTITY_DEPTH_MAX, Parser};
use crate::tree::NodeData;

/// What a reference stands for.
enum Referent {
    Char(char),
    /// Name and replacement text of an internal entity.
    Text(Box<str>, Arc<str>),
    /// Something that is not read, or not there.
    Nothing,
}

/// Line ends become `\n`.
fn normalized(text: &str) -> String {
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text.to_owned()
    }
}

/// The first 50 bytes, as messages show what they found.
fn head(text: &str) -> &str {
    let mut len = text.len().min(50);
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    text.get(..len).unwrap_or("")
}

impl Parser<'_> {
    pub(super) fn char_data(&mut self) {
        let rest = self.input.rest();
        let stop = |c: char| matches!(c, '<' | '&') || !chars::is_char(c);
        let mut len = rest.find(stop).unwrap_or(rest.len());
        let misplaced = rest
            .get(..len + usize::from(len < rest.len()))
            .and_then(|t| t.find("]]>"));
        if let Some(at) = misplaced {
            self.error("Sequence ']]>' not allowed in content");
            len = at + 1;
        }
        let text = normalized(self.input.rest().get(..len).unwrap_or(""));
        self.input.advance(len);
        if !text.is_empty() && !self.is_layout(&text) {
            let parent = self.parent();
            self.document.append_text(parent, &text);
        }
        if misplaced.is_none()
            && let Some(c) = self.input.peek().filter(|&c| !chars::is_char(c))
        {
            self.error(&format!("PCDATA invalid Char value {}", u32::from(c)));
            self.input.advance_char();
        }
    }

    /// White space that only lays the document out, as libxml guesses.
    fn is_layout(&self, text: &str) -> bool {
        if self.blanks == Blanks::Keep
            || self.open.last().is_some_and(|o| o.preserve)
            || !text.chars().all(chars::is_blank)
            || self.input.byte(0) != b'<'
        {
            return false;
        }
        let parent = self.document.node(self.parent());
        let is_text = |id| matches!(self.document.node(id).data, NodeData::Text(_));
        match (parent.first_child, parent.last_child) {
            (Some(first), Some(last)) => !is_text(first) && !is_text(last),
            _ => self.input.byte(1) != b'/',
        }
    }

    pub(super) fn cdata(&mut self) {
        self.input.advance("<![CDATA[".len());
        let rest = self.input.rest();
        let end = rest.find("]]>");
        let valid = rest.find(|c| !chars::is_char(c)).unwrap_or(rest.len());
        match end.filter(|&end| end <= valid) {
            Some(end) => {
                let text = normalized(rest.get(..end).unwrap_or(""));
                self.input.advance(end + 3);
                if !text.is_empty() {
                    self.append(NodeData::CData(text));
                }
            }
            None => {
                let found = head(rest.get(..valid).unwrap_or("")).to_owned();
                self.input.advance(valid);
                self.error(&format!("CData section not finished\n{found}"));
            }
        }
    }

    pub(super) fn comment(&mut self) {
        self.input.advance(4);
        let rest = self.input.rest();
        let Some(end) = rest.find("-->") else {
            let found = head(rest).to_owned();
            self.input.advance(usize::MAX / 2);
            return self.error(&format!("Comment not terminated \n<!--{found}"));
        };
        let text = rest.get(..end).unwrap_or("").to_owned();
        let double = text
            .find("--")
            .or_else(|| text.ends_with('-').then(|| text.len() - 1));
        if let Some(at) = double {
            let found = head(text.get(..at).unwrap_or("")).to_owned();
            self.input.advance(at);
            self.error(&format!("Double hyphen within comment: <!--{found}"));
            self.input.advance(end - at + 3);
            return;
        }
        if let Some(at) = text.find(|c| !chars::is_char(c)) {
            let value = text.get(at..).and_then(|t| t.chars().next()).map_or(0, u32::from);
            self.input.advance(at);
            self.error(&format!("xmlParseComment: invalid xmlChar value {value}"));
            self.input.advance(end - at + 3);
            return;
        }
        self.input.advance(end + 3);
        self.append(NodeData::Comment(normalized(&text).into()));
    }

    pub(super) fn pi(&mut self) {
        self.input.advance(2);
        let Some(target) = self.input.name() else {
            return self.error("xmlParsePI : no target name");
        };
        if target == "xml" {
            self.error("XML declaration allowed only at the start of the document");
        } else if target.eq_ignore_ascii_case("xml") {
            self.error("xmlParsePITarget: invalid name prefix 'xml'");
        } else if target.contains(':') {
            self.namespace_error(&format!("colons are forbidden from PI names '{target}'"));
        }
        if !self.input.starts("?>") && !self.input.skip_blanks() {
            self.error(&format!("ParsePI: PI {target} space expected"));
        }
        let rest = self.input.rest();
        let Some(end) = rest.find("?>") else {
            self.input.advance(usize::MAX / 2);
            return self.error(&format!("ParsePI: PI {target} never end ..."));
        };
        let data = normalized(rest.get(..end).unwrap_or(""));
        self.input.advance(end + 2);
        self.append(NodeData::Pi {
            target: target.into(),
            data: data.into(),
        });
    }

    /// A reference in content.
    pub(super) fn reference(&mut self) {
        let parent = self.parent();
        match self.referent(false) {
            Some(Referent::Char(c)) => self.document.append_text(parent, c.encode_utf8(&mut [0; 4])),
            Some(Referent::Text(name, text)) => self.expand(name, &text),
            Some(Referent::Nothing) | None => {}
        }
    }

    /// What an entity stands for, as content.
    fn expand(&mut self, name: Box<str>, text: &Arc<str>) {
        if !self.enter(name, text.len()) {
            return;
        }
        let outer = std::mem::replace(&mut self.input, Input::new(Arc::clone(text)));
        let depth = self.open.len();
        self.content(depth);
        if self.open.len() > depth || !(self.input.at_end() || self.halted) {
            self.error("chunk is not well balanced");
            while self.open.len() > depth {
                if let Some(open) = self.open.pop() {
                    self.scope.truncate(open.scope);
                }
            }
        }
        self.input = outer;
        self.expanding.pop();
    }

    /// Begins an expansion, unless it repeats itself, is too deep or too large.
    fn enter(&mut self, name: Box<str>, bytes: usize) -> bool {
        if self.expanding.contains(&name) || self.expanding.len() >= ENTITY_DEPTH_MAX {
            self.error("Detected an entity reference loop");
            self.halted = true;
            return false;
        }
        let Some(left) = self.budget.checked_sub(bytes + 1) else {
            self.error("Maximum entity amplification factor exceeded, see xmlCtxtSetMaxAmplification.");
            self.halted = true;
            return false;
        };
        self.budget = left;
        self.expanding.push(name);
        true
    }

    fn referent(&mut self, in_attribute: bool) -> Option<Referent> {
        if self.input.starts("&#") {
            return self.char_ref().map(Referent::Char);
        }
        self.input.advance(1);
        let Some(name) = self.input.name() else {
            self.error("xmlParseEntityRef: no name");
            return None;
        };
        if !self.input.eat(";") {
            self.error("EntityRef: expecting ';'");
            return None;
        }
        let predefined = match name.as_str() {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => None,
        };
        if let Some(c) = predefined {
            return Some(Referent::Char(c));
        }
        match self.entities.get(name.as_str()).cloned() {
            None if self.declarations_unseen && !self.standalone => Some(Referent::Nothing),
            None => {
                self.error(&format!("Entity '{name}' not defined"));
                None
            }
            Some(e) if e.unparsed => {
                self.error(&format!("Entity reference to unparsed entity {name}"));
                None
            }
            Some(e) => match e.value {
                Some(text) => Some(Referent::Text(name.into(), text)),
                None if in_attribute => {
                    self.error(&format!("Attribute references external entity '{name}'"));
                    None
                }
                None => Some(Referent::Nothing),
            },
        }
    }

    /// `&#...;`
    pub(super) fn char_ref(&mut self) -> Option<char> {
        let hex = self.input.starts("&#x");
        let (radix, word) = if hex { (16, "hexadecimal") } else { (10, "decimal") };
        self.input.advance(if hex { 3 } else { 2 });
        let mut value: u32 = 0;
        let mut digits = 0;
        while self.input.byte(0) != b';' {
            let Some(digit) = char::from(self.input.byte(0)).to_digit(radix) else {
                digits = 0;
                break;
            };
            value = value.saturating_mul(radix).saturating_add(digit);
            digits += 1;
            self.input.advance(1);
        }
        if digits == 0 && self.input.byte(0) != b';' {
            self.error(&format!("CharRef: invalid {word} value"));
            value = 0;
        }
        if self.input.byte(0) == b';' {
            self.input.advance(1);
        }
        if value >= 0x11_0000 {
            self.error("xmlParseCharRef: character reference out of bounds");
            return None;
        }
        let found = char::from_u32(value).filter(|&c| chars::is_char(c));
        if found.is_none() {
            self.error(&format!("xmlParseCharRef: invalid xmlChar value {value}"));
        }
        found
    }

    /// A quoted value, references resolved; `None` when it does not begin with a quote.
    pub(super) fn attribute_value(&mut self) -> Option<String> {
        let quote = self.input.byte(0);
        if !matches!(quote, b'"' | b'\'') {
            self.error("AttValue: \" or ' expected");
            return None;
        }
        self.input.advance(1);
        let mut out = String::new();
        self.attribute_text(Some(char::from(quote)), &mut out);
        if self.halted {
            return Some(out);
        }
        match self.input.peek() {
            Some(c) if c == char::from(quote) => self.input.advance(1),
            Some('<') => self.error("Unescaped '<' not allowed in attributes values"),
            Some(c) if !chars::is_char(c) => self.error("invalid character in attribute value"),
            _ => self.error("AttValue: ' expected"),
        }
        Some(out)
    }

    fn attribute_text(&mut self, quote: Option<char>, out: &mut String) {
        while let Some(c) = self.input.peek().filter(|_| !self.halted) {
            if Some(c) == quote || c == '<' || !chars::is_char(c) {
                return;
            }
            if c != '&' {
                self.input.advance_char();
                match c {
                    '\r' if self.input.byte(0) == b'\n' => {}
                    '\t' | '\n' | '\r' => out.push(' '),
                    c => out.push(c),
                }
                continue;
            }
            match self.referent(true) {
                Some(Referent::Char(c)) => out.push(c),
                Some(Referent::Text(name, text)) => self.expand_in_attribute(name, &text, out),
                Some(Referent::Nothing) | None => {}
            }
        }
    }

    fn expand_in_attribute(&mut self, name: Box<str>, text: &Arc<str>, out: &mut String) {
        if text.contains('<') {
            return self.error(&format!(
                "'<' in entity '{name}' is not allowed in attributes values"
            ));
        }
        if !self.enter(name, text.len()) {
            return;
        }
        let outer = std::mem::replace(&mut self.input, Input::new(Arc::clone(text)));
        self.attribute_text(None, out);
        self.input = outer;
        self.expanding.pop();
    }

    /// `<?xml ...?>` at the start.
    pub(super) fn declaration(&mut self) {
        self.has_declaration = true;
        self.input.advance(5);
        self.input.skip_blanks();
        match self.pseudo_attribute("version") {
            None => self.error("Malformed declaration expecting version"),
            Some(version) if version == "1.0" => {}
            Some(version) => {
                let message = format!("Unsupported version '{version}'");
                let level = if version.starts_with("1.") {
                    Level::Warning
                } else {
                    Level::Error
                };
                self.report(level, Domain::Parser, &message);
            }
        }
        let blank = self.input.skip_blanks();
        if !blank && !self.input.starts("?>") {
            self.error("Blank needed here");
        }
        if let Some(encoding) = self.pseudo_attribute("encoding") {
            let named = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if !encoding.starts_with(|c: char| c.is_ascii_alphabetic()) || !encoding.chars().all(named) {
                self.error("Invalid XML encoding name");
            }
            if !self.input.skip_blanks() && !self.input.starts("?>") {
                self.error("Blank needed here");
            }
        }
        if let Some(standalone) = self.pseudo_attribute("standalone") {
            match standalone.as_str() {
                "yes" => self.standalone = true,
                "no" => {}
                _ => self.error("standalone accepts only 'yes' or 'no'"),
            }
        }
        self.input.skip_blanks();
        if !self.input.eat("?>") {
            self.error("parsing XML declaration: '?>' expected");
            let rest = self.input.rest();
            let skip = rest.find('>').map_or(rest.len(), |at| at + 1);
            self.input.advance(skip);
        }
    }

    fn pseudo_attribute(&mut self, name: &str) -> Option<String> {
        if !self.input.eat(name) {
            return None;
        }
        self.input.skip_blanks();
        if !self.input.eat("=") {
            self.error("expected '='");
            return None;
        }
        self.input.skip_blanks();
        let quote = char::from(self.input.byte(0));
        if !matches!(quote, '"' | '\'') {
            self.error("String not started expecting ' or \"");
            return None;
        }
        self.input.advance(1);
        let value = self
            .input
            .take_while(|c| !matches!(c, '"' | '\'' | '<' | '>' | '?'));
        if char::from(self.input.byte(0)) == quote {
            self.input.advance(1);
        } else {
            self.error("String not closed expecting \" or '");
        }
        Some(value)
    }
}
