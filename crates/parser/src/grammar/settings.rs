//! SET, RESET, SHOW, DISCARD, ALTER SYSTEM, SET CONSTRAINTS.

use common::{PgResult, Span};

use crate::ast::{
    AConst, AlterSystemStmt, ConstValue, ConstraintsSetStmt, DiscardMode, DiscardStmt, Expr, Ident, Name,
    SetArg, Statement, TypeCast, VariableSetKind, VariableSetStmt, VariableShowStmt,
};
use crate::grammar::expr::str_const;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

fn node(kind: VariableSetKind, name: Option<Name>, args: Vec<SetArg>) -> VariableSetStmt {
    VariableSetStmt {
        kind,
        name,
        args,
        is_local: false,
        span: Span::NONE,
    }
}

impl Parser<'_> {
    /// SET in all its forms.
    pub fn set_stmt(&mut self) -> R<Statement> {
        let start = self.start();
        self.expect(K::Set)?;
        if self.at(K::Constraints) && !self.names_variable() {
            return self.constraints_set(start);
        }
        let mut is_local = false;
        if self.at(K::Local) && !self.names_variable() {
            self.bump();
            is_local = true;
        } else if self.at(K::Session)
            && !self.names_variable()
            && !self.next_is(K::Authorization)
            && (!self.next_is(K::Characteristics) || self.peek(2) != Tok::Kw(K::As))
        {
            self.bump();
        }
        let mut stmt = self.set_rest()?;
        stmt.is_local = is_local;
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    /// True if the current word is the name of a variable, whatever else it could start.
    fn names_variable(&self) -> bool {
        matches!(self.peek(1), Tok::Kw(K::To | K::From) | Tok::Char(b'=' | b'.'))
    }

    /// `set_rest`: what may follow SET in SET and ALTER FUNCTION.
    pub fn set_rest(&mut self) -> R<VariableSetStmt> {
        let start = self.start();
        let mut stmt = if self.at(K::Transaction) && !self.names_variable() {
            self.bump();
            if self.eat(K::Snapshot) {
                let id = self.sconst()?;
                let arg = SetArg::Expr(str_const(id.name, id.span));
                node(
                    VariableSetKind::Multi,
                    Some(Name::new_static("TRANSACTION SNAPSHOT")),
                    vec![arg],
                )
            } else {
                let modes = self
                    .transaction_mode_list()?
                    .into_iter()
                    .map(SetArg::Option)
                    .collect();
                node(
                    VariableSetKind::Multi,
                    Some(Name::new_static("TRANSACTION")),
                    modes,
                )
            }
        } else if self.at2(K::Session, K::Characteristics) && self.peek(2) == Tok::Kw(K::As) {
            self.expect_all(&[K::Session, K::Characteristics, K::As, K::Transaction])?;
            let modes = self
                .transaction_mode_list()?
                .into_iter()
                .map(SetArg::Option)
                .collect();
            node(
                VariableSetKind::Multi,
                Some(Name::new_static("SESSION CHARACTERISTICS")),
                modes,
            )
        } else {
            self.set_rest_more()?
        };
        stmt.span = self.span_from(start);
        Ok(stmt)
    }

    /// `set_rest_more`: a variable with its value, or one of the special spellings.
    pub fn set_rest_more(&mut self) -> R<VariableSetStmt> {
        let value = |name: &'static str, arg: Expr| {
            node(
                VariableSetKind::Value,
                Some(Name::new_static(name)),
                vec![SetArg::Expr(arg)],
            )
        };
        let default =
            |name: &'static str| node(VariableSetKind::Default, Some(Name::new_static(name)), Vec::new());
        match self.tok {
            Tok::Kw(K::Time) if self.next_is(K::Zone) => {
                self.bump();
                self.bump();
                match self.zone_value()? {
                    Some(zone) => Ok(value("timezone", zone)),
                    None => Ok(default("timezone")),
                }
            }
            Tok::Kw(K::Catalog) if self.next_is(Tok::SConst) => {
                self.bump();
                let span = self.span();
                Err(self.not_supported("current database cannot be changed", span))
            }
            Tok::Kw(K::Schema) if self.next_is(Tok::SConst) => {
                self.bump();
                let name = self.sconst()?;
                Ok(value("search_path", str_const(name.name, name.span)))
            }
            Tok::Kw(K::Names) if !self.names_variable() => {
                self.bump();
                if self.at(Tok::SConst) {
                    let encoding = self.sconst()?;
                    return Ok(value("client_encoding", str_const(encoding.name, encoding.span)));
                }
                self.eat(K::Default);
                Ok(default("client_encoding"))
            }
            Tok::Kw(K::Role) if !self.names_variable() => {
                self.bump();
                let role = self.non_reserved_word_or_sconst()?;
                Ok(value("role", str_const(role.name, role.span)))
            }
            Tok::Kw(K::Session) if self.next_is(K::Authorization) => {
                self.bump();
                self.bump();
                if self.eat(K::Default) {
                    return Ok(default("session_authorization"));
                }
                let role = self.non_reserved_word_or_sconst()?;
                Ok(value("session_authorization", str_const(role.name, role.span)))
            }
            Tok::Kw(K::Xml) if self.next_is(K::Option) => {
                self.bump();
                self.bump();
                let span = self.span();
                let text = if self.eat(K::Document) {
                    "DOCUMENT"
                } else {
                    "CONTENT"
                };
                if text == "CONTENT" {
                    self.expect(K::Content)?;
                }
                Ok(value("xmloption", str_const(text, span)))
            }
            _ => self.generic_set(),
        }
    }

    /// `name = values | name TO DEFAULT | name FROM CURRENT`.
    pub fn generic_set(&mut self) -> R<VariableSetStmt> {
        let name = self.var_name()?;
        if self.eat(K::From) {
            self.expect(K::Current)?;
            return Ok(node(VariableSetKind::Current, Some(name), Vec::new()));
        }
        self.set_value(name)
    }

    /// `(= | TO) (values | DEFAULT)` after the variable's name.
    fn set_value(&mut self, name: Name) -> R<VariableSetStmt> {
        if !self.eat(K::To) {
            self.expect('=')?;
        }
        if self.eat(K::Default) {
            return Ok(node(VariableSetKind::Default, Some(name), Vec::new()));
        }
        let args = self.comma_list(|p| Ok(SetArg::Expr(p.var_value()?)))?;
        Ok(node(VariableSetKind::Value, Some(name), args))
    }

    /// `var_name`: parts joined by dots.
    pub fn var_name(&mut self) -> R<Name> {
        let first = self.col_id()?;
        if !self.at('.') {
            return Ok(first.name);
        }
        let mut full = first.name.to_string();
        while self.eat('.') {
            full.push('.');
            full.push_str(self.col_id()?.as_str());
        }
        Ok(Name::from(full))
    }

    fn var_value(&mut self) -> R<Expr> {
        match self.tok {
            Tok::IConst | Tok::FConst | Tok::Char(b'+' | b'-') => self.numeric_only(),
            _ => {
                let word = self.opt_boolean_or_string()?;
                Ok(str_const(word.name, word.span))
            }
        }
    }

    /// `opt_boolean_or_string`: TRUE, FALSE, ON, a word or a string.
    pub fn opt_boolean_or_string(&mut self) -> R<Ident> {
        if matches!(self.tok, Tok::Kw(K::True | K::False | K::On)) {
            return Ok(self.take_name());
        }
        self.non_reserved_word_or_sconst()
    }

    /// `NumericOnly`: a number with an optional sign, as a constant.
    pub fn numeric_only(&mut self) -> R<Expr> {
        let start = self.start();
        let negative = self.at('-');
        if negative || self.at('+') {
            self.bump();
        }
        let token = self.token();
        let value = match token.tok {
            Tok::IConst if negative => ConstValue::Integer((token.value as i32).wrapping_neg()),
            Tok::IConst => ConstValue::Integer(token.value as i32),
            Tok::FConst if negative => ConstValue::Float(Name::from(format!("-{}", self.source(token)))),
            Tok::FConst => ConstValue::Float(Name::new(self.source(token))),
            _ => return self.fail(),
        };
        self.bump();
        Ok(Expr::AConst(AConst {
            value,
            span: self.span_from(start),
        }))
    }

    /// The value of SET TIME ZONE; `None` is DEFAULT or LOCAL.
    fn zone_value(&mut self) -> R<Option<Expr>> {
        match self.tok {
            Tok::Kw(K::Default | K::Local) => {
                self.bump();
                Ok(None)
            }
            Tok::SConst => {
                let zone = self.sconst()?;
                Ok(Some(str_const(zone.name, zone.span)))
            }
            Tok::Ident => {
                let zone = self.take_name();
                Ok(Some(str_const(zone.name, zone.span)))
            }
            Tok::Kw(K::Interval) => self.zone_interval().map(Some),
            _ => self.numeric_only().map(Some),
        }
    }

    fn zone_interval(&mut self) -> R<Expr> {
        let Some(mut type_name) = self.const_typename()? else {
            self.bump();
            return self.fail();
        };
        let with_precision = !type_name.typmods.is_empty();
        let literal = self.sconst()?;
        if !with_precision {
            let fields_at = self.span();
            type_name.typmods = self.opt_interval()?;
            let allowed = (1 << 10) | (1 << 11);
            if let Some(Expr::AConst(AConst {
                value: ConstValue::Integer(mask),
                ..
            })) = type_name.typmods.first()
                && mask & !allowed != 0
            {
                let message = "time zone interval must be HOUR or HOUR TO MINUTE";
                return Err(self.grammar_error(message, fields_at));
            }
        }
        let arg = str_const(literal.name, literal.span);
        let span = type_name.span;
        Ok(Expr::TypeCast(Box::new(TypeCast { arg, type_name, span })))
    }

    // ---- RESET, SHOW, DISCARD -----------------------------------------------------------------------------------

    /// RESET.
    pub fn reset_stmt(&mut self) -> R<Statement> {
        Ok(self.variable_reset()?.into())
    }

    /// RESET as the part of another statement.
    pub fn variable_reset(&mut self) -> R<VariableSetStmt> {
        let start = self.start();
        self.expect(K::Reset)?;
        let mut stmt = node(VariableSetKind::Reset, None, Vec::new());
        if self.eat(K::All) {
            stmt.kind = VariableSetKind::ResetAll;
        } else {
            stmt.name = Some(self.special_var_name()?);
        }
        stmt.span = self.span_from(start);
        Ok(stmt)
    }

    /// A variable's name or one of the spellings of several words.
    fn special_var_name(&mut self) -> R<Name> {
        if self.eat2(K::Time, K::Zone) {
            return Ok(Name::new_static("timezone"));
        }
        if self.at2(K::Transaction, K::Isolation) {
            self.expect_all(&[K::Transaction, K::Isolation, K::Level])?;
            return Ok(Name::new_static("transaction_isolation"));
        }
        if self.eat2(K::Session, K::Authorization) {
            return Ok(Name::new_static("session_authorization"));
        }
        self.var_name()
    }

    /// SHOW.
    pub fn show_stmt(&mut self) -> R<Statement> {
        let start = self.start();
        self.expect(K::Show)?;
        let name = if self.eat(K::All) {
            Name::new_static("all")
        } else {
            self.special_var_name()?
        };
        Ok(VariableShowStmt {
            name,
            span: self.span_from(start),
        }
        .into())
    }

    /// DISCARD.
    pub fn discard_stmt(&mut self) -> R<Statement> {
        let start = self.start();
        self.expect(K::Discard)?;
        let target = match self.tok {
            Tok::Kw(K::All) => DiscardMode::All,
            Tok::Kw(K::Temp | K::Temporary) => DiscardMode::Temp,
            Tok::Kw(K::Plans) => DiscardMode::Plans,
            Tok::Kw(K::Sequences) => DiscardMode::Sequences,
            _ => return self.fail(),
        };
        self.bump();
        Ok(DiscardStmt {
            target,
            span: self.span_from(start),
        }
        .into())
    }

    /// ALTER SYSTEM; both words have been read.
    pub fn alter_system(&mut self, start: u32) -> R<Statement> {
        let setstmt = if self.eat(K::Set) {
            self.generic_set_no_current()?
        } else {
            self.variable_reset_generic()?
        };
        Ok(AlterSystemStmt {
            setstmt,
            span: self.span_from(start),
        }
        .into())
    }

    fn generic_set_no_current(&mut self) -> R<VariableSetStmt> {
        let name = self.var_name()?;
        self.set_value(name)
    }

    fn variable_reset_generic(&mut self) -> R<VariableSetStmt> {
        let start = self.start();
        self.expect(K::Reset)?;
        let mut stmt = node(VariableSetKind::Reset, None, Vec::new());
        if self.eat(K::All) {
            stmt.kind = VariableSetKind::ResetAll;
        } else {
            stmt.name = Some(self.var_name()?);
        }
        stmt.span = self.span_from(start);
        Ok(stmt)
    }

    fn constraints_set(&mut self, start: u32) -> R<Statement> {
        self.bump();
        let constraints = if self.eat(K::All) {
            Vec::new()
        } else {
            self.comma_list(|p| p.qualified_name())?
        };
        let deferred = self.eat(K::Deferred);
        if !deferred {
            self.expect(K::Immediate)?;
        }
        Ok(ConstraintsSetStmt {
            constraints,
            deferred,
            span: self.span_from(start),
        }
        .into())
    }
}
