//! DOCTYPE: entities are kept, other declarations are read past.

use std::sync::Arc;

use crate::parse::{Entity, Parser};
use crate::tree::NodeData;

/// An external identifier: was it there, and did it parse?
#[derive(PartialEq, Eq)]
enum ExternalId {
    Absent,
    Present,
}

impl Parser<'_> {
    pub(super) fn doctype(&mut self) {
        let start = self.input.pos();
        self.input.advance("<!DOCTYPE".len());
        if !self.input.skip_blanks() {
            self.error("Space required after '<!DOCTYPE'");
        }
        if self.input.name().is_none() {
            self.error("xmlParseDocTypeDecl : no DOCTYPE name !");
        }
        self.input.skip_blanks();
        if self.external_id() == ExternalId::Present {
            self.declarations_unseen = true;
        }
        self.input.skip_blanks();
        if self.input.eat("[") {
            self.internal_subset();
            self.input.skip_blanks();
        }
        if !self.input.eat(">") {
            self.error("DOCTYPE improperly terminated");
        }
        let text = self.input.since(start).into();
        self.append(NodeData::Doctype(text));
    }

    fn external_id(&mut self) -> ExternalId {
        if self.input.eat("SYSTEM") {
            if !self.input.skip_blanks() {
                self.error("Space required after 'SYSTEM'");
            }
            if self.literal().is_none() {
                self.error("SYSTEM or PUBLIC, the URI is missing");
            }
            return ExternalId::Present;
        }
        if self.input.eat("PUBLIC") {
            if !self.input.skip_blanks() {
                self.error("Space required after 'PUBLIC'");
            }
            if self.literal().is_none() {
                self.error("PUBLIC, the Public Identifier is missing");
            }
            if !self.input.skip_blanks() {
                self.error("Space required after the Public Identifier");
            }
            if self.literal().is_none() {
                self.error("SYSTEM or PUBLIC, the URI is missing");
            }
            return ExternalId::Present;
        }
        ExternalId::Absent
    }

    fn literal(&mut self) -> Option<String> {
        let quote = char::from(self.input.byte(0));
        if !matches!(quote, '"' | '\'') {
            self.error("SystemLiteral \" or ' expected");
            return None;
        }
        self.input.advance(1);
        let text = self.input.take_while(|c| c != quote);
        if self.input.at_end() {
            self.error("Unfinished System or Public ID \" or ' expected");
        } else {
            self.input.advance(1);
        }
        Some(text)
    }

    fn internal_subset(&mut self) {
        while self.running() {
            self.input.skip_blanks();
            if self.input.eat("]") {
                return;
            }
            if self.input.starts("<!ENTITY") {
                self.entity_declaration();
            } else if self.input.starts("<!--") {
                let before = self.document.node(self.parent()).last_child;
                self.comment();
                self.forget_after(before);
            } else if self.input.starts("<?") {
                let before = self.document.node(self.parent()).last_child;
                self.pi();
                self.forget_after(before);
            } else if ["<!ELEMENT", "<!ATTLIST", "<!NOTATION"]
                .iter()
                .any(|w| self.input.starts(w))
            {
                self.skip_declaration();
            } else if self.input.byte(0) == b'%' {
                self.parameter_reference();
            } else {
                if !self.input.at_end() {
                    self.error(
                        "internal error: xmlParseInternalSubset: error detected in Markup declaration",
                    );
                }
                self.error("DOCTYPE improperly terminated");
                self.halted = true;
            }
        }
    }

    /// Comments inside the DOCTYPE are part of its text, not nodes beside it.
    fn forget_after(&mut self, before: Option<u32>) {
        let parent = self.parent();
        self.document.truncate_children(parent, before);
    }

    fn parameter_reference(&mut self) {
        self.input.advance(1);
        if self.input.name().is_none() {
            return self.error("PEReference: no name");
        }
        if !self.input.eat(";") {
            return self.error("PEReference: expecting ';'");
        }
        self.declarations_unseen = true;
    }

    /// Goes to the `>` outside of quotes.
    fn skip_declaration(&mut self) {
        let mut quote = None;
        while let Some(c) = self.input.peek() {
            self.input.advance_char();
            match quote {
                Some(q) if c == q => quote = None,
                Some(_) => {}
                None if matches!(c, '"' | '\'') => quote = Some(c),
                None if c == '>' => return,
                None => {}
            }
        }
    }

    fn entity_declaration(&mut self) {
        self.input.advance("<!ENTITY".len());
        if !self.input.skip_blanks() {
            self.error("Space required after '<!ENTITY'");
        }
        let parameter = self.input.eat("%");
        if parameter && !self.input.skip_blanks() {
            self.error("Space required after '%'");
        }
        let Some(name) = self.input.name() else {
            self.error("xmlParseEntityDecl: no name");
            return self.skip_declaration();
        };
        if !self.input.skip_blanks() {
            self.error("Space required after the entity name");
        }
        let mut entity = Entity {
            value: None,
            unparsed: false,
        };
        if matches!(self.input.byte(0), b'"' | b'\'') {
            entity.value = Some(self.entity_value());
        } else if self.external_id() == ExternalId::Present {
            if self.input.skip_blanks() && self.input.eat("NDATA") {
                self.input.skip_blanks();
                self.input.name();
                entity.unparsed = true;
            }
        } else {
            self.error("Entity value required");
        }
        self.input.skip_blanks();
        if !self.input.eat(">") {
            self.error(&format!("xmlParseEntityDecl: entity {name} not terminated"));
            self.halted = true;
        }
        // The first declaration counts.
        if !parameter {
            self.entities.entry(name.into()).or_insert(entity);
        }
    }

    /// A quoted replacement text; character references are resolved here, entities where they are used.
    fn entity_value(&mut self) -> Arc<str> {
        let quote = char::from(self.input.byte(0));
        self.input.advance(1);
        let mut out = String::new();
        while let Some(c) = self.input.peek().filter(|&c| c != quote) {
            if self.input.starts("&#") {
                out.extend(self.char_ref());
            } else {
                out.push(c);
                self.input.advance_char();
            }
        }
        if self.input.at_end() {
            self.error("EntityValue: \" or ' expected");
        } else {
            self.input.advance(1);
        }
        out.into()
    }
}
