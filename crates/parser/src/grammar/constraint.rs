//! Column and table constraints.

use common::{PgResult, Span};

use crate::ast::{
    CollateClause, ConstrType, Constraint, DefElem, ExclusionElem, FkAction, FkMatchType, GeneratedWhen,
    Ident,
};
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

/// PostgreSQL's CAS_* bits.
mod cas {
    pub const NOT_DEFERRABLE: u32 = 0x01;
    pub const DEFERRABLE: u32 = 0x02;
    pub const INITIALLY_IMMEDIATE: u32 = 0x04;
    pub const INITIALLY_DEFERRED: u32 = 0x08;
    pub const NOT_VALID: u32 = 0x10;
    pub const NO_INHERIT: u32 = 0x20;
    pub const NOT_ENFORCED: u32 = 0x40;
    pub const ENFORCED: u32 = 0x80;
}

/// The attributes written after a table constraint.
#[derive(Clone, Copy, Default)]
pub struct ConstraintAttributes {
    bits: u32,
    span: Option<Span>,
}

impl ConstraintAttributes {
    fn has(self, bit: u32) -> bool {
        self.bits & bit != 0
    }

    /// Some deferrability was written.
    pub fn deferrability(self) -> Option<(bool, bool)> {
        let mask = cas::NOT_DEFERRABLE | cas::DEFERRABLE | cas::INITIALLY_DEFERRED | cas::INITIALLY_IMMEDIATE;
        if self.bits & mask == 0 {
            return None;
        }
        let deferred = self.has(cas::INITIALLY_DEFERRED);
        Some((deferred || self.has(cas::DEFERRABLE), deferred))
    }

    /// [NOT] ENFORCED, if written.
    pub fn enforced(self) -> Option<bool> {
        if self.has(cas::ENFORCED) {
            Some(true)
        } else if self.has(cas::NOT_ENFORCED) {
            Some(false)
        } else {
            None
        }
    }

    /// NO INHERIT was written.
    pub fn no_inherit(self) -> bool {
        self.has(cas::NO_INHERIT)
    }

    /// NOT VALID was written.
    pub fn not_valid(self) -> bool {
        self.has(cas::NOT_VALID)
    }

    /// Where the attributes stand.
    pub fn span(self) -> Span {
        self.span.unwrap_or(Span::NONE)
    }
}

/// Which attributes a kind of constraint takes.
#[derive(Clone, Copy)]
pub struct Allowed {
    pub kind: &'static str,
    pub deferrable: bool,
    pub not_valid: bool,
    pub no_inherit: bool,
    pub enforced: bool,
}

impl Parser<'_> {
    // ---- columns ------------------------------------------------------------------------------------------------

    /// Constraints, attributes and COLLATE of a column.
    pub fn col_qual_list(
        &mut self,
        constraints: &mut Vec<Constraint>,
        collation: &mut Option<CollateClause>,
    ) -> R<()> {
        let mut duplicate = None;
        loop {
            let span = self.span();
            if self.at(K::Collate) {
                let clause = self.opt_collate_clause()?;
                if collation.is_some() {
                    duplicate = duplicate.or(Some(span));
                } else {
                    *collation = clause;
                }
            } else if self.eat(K::Constraint) {
                let name = self.name()?;
                let Some(mut constraint) = self.col_constraint_elem()? else {
                    return self.fail();
                };
                constraint.conname = Some(name);
                constraint.span = self.span_from(span.start);
                constraints.push(constraint);
            } else if let Some(constraint) = self.constraint_attr()? {
                constraints.push(constraint);
            } else if let Some(constraint) = self.col_constraint_elem()? {
                constraints.push(constraint);
            } else {
                break;
            }
        }
        match duplicate {
            Some(span) => Err(self.grammar_error("multiple COLLATE clauses not allowed", span)),
            None => Ok(()),
        }
    }

    /// DEFERRABLE and relatives as pseudo constraints.
    fn constraint_attr(&mut self) -> R<Option<Constraint>> {
        let span = self.span();
        let contype = match (self.tok, self.peek(1)) {
            (Tok::Kw(K::Deferrable), _) => ConstrType::AttrDeferrable,
            (Tok::Kw(K::Enforced), _) => ConstrType::AttrEnforced,
            (Tok::Kw(K::Not), Tok::Kw(K::Deferrable)) => ConstrType::AttrNotDeferrable,
            (Tok::Kw(K::Not), Tok::Kw(K::Enforced)) => ConstrType::AttrNotEnforced,
            (Tok::Kw(K::Initially), Tok::Kw(K::Deferred)) => ConstrType::AttrDeferred,
            (Tok::Kw(K::Initially), Tok::Kw(K::Immediate)) => ConstrType::AttrImmediate,
            (Tok::Kw(K::Initially), _) => {
                self.bump();
                return self.fail();
            }
            _ => return Ok(None),
        };
        if !matches!(contype, ConstrType::AttrDeferrable | ConstrType::AttrEnforced) {
            self.bump();
        }
        self.bump();
        Ok(Some(Constraint::new(contype, span)))
    }

    fn col_constraint_elem(&mut self) -> R<Option<Constraint>> {
        let span = self.span();
        let new = |contype| Constraint::new(contype, span);
        let mut constraint = match self.tok {
            Tok::Kw(K::Not) => {
                self.bump();
                self.expect(K::Null)?;
                let mut c = new(ConstrType::NotNull);
                c.is_no_inherit = self.opt_no_inherit()?;
                c
            }
            Tok::Kw(K::Null) => {
                self.bump();
                new(ConstrType::Null)
            }
            Tok::Kw(word @ (K::Unique | K::Primary)) => self.col_index_constraint(word, span)?,
            Tok::Kw(K::Check) => {
                self.bump();
                let mut c = new(ConstrType::Check);
                self.expect('(')?;
                c.raw_expr = Some(self.a_expr()?);
                self.expect(')')?;
                c.is_no_inherit = self.opt_no_inherit()?;
                c
            }
            Tok::Kw(K::Default) => {
                self.bump();
                let mut c = new(ConstrType::Default);
                c.raw_expr = Some(self.b_expr()?);
                c
            }
            Tok::Kw(K::Generated) => self.generated_constraint(span)?,
            Tok::Kw(K::References) => {
                let mut c = new(ConstrType::Foreign);
                self.references(&mut c)?;
                c
            }
            _ => return Ok(None),
        };
        constraint.span = self.span_from(span.start);
        Ok(Some(constraint))
    }

    fn col_index_constraint(&mut self, word: K, span: Span) -> R<Constraint> {
        self.bump();
        let mut c = Constraint::new(ConstrType::Unique, span);
        if word == K::Unique {
            c.nulls_not_distinct = self.opt_unique_null_treatment()?;
        } else {
            self.expect(K::Key)?;
            c.contype = ConstrType::Primary;
        }
        c.index_options = self.opt_definition()?;
        c.indexspace = self.opt_cons_tablespace()?;
        Ok(c)
    }

    fn generated_constraint(&mut self, span: Span) -> R<Constraint> {
        self.bump();
        let when_at = self.span();
        let when = self.generated_when()?;
        self.expect(K::As)?;
        if self.eat(K::Identity) {
            let mut c = Constraint::new(ConstrType::Identity, span);
            c.generated_when = when;
            c.options = self.opt_parenthesized_seq_options()?;
            return Ok(c);
        }
        let mut c = Constraint::new(ConstrType::Generated, span);
        self.expect('(')?;
        c.raw_expr = Some(self.a_expr()?);
        self.expect(')')?;
        if self.eat(K::Stored) {
            c.generated_virtual = false;
        } else {
            self.eat(K::Virtual);
        }
        if when != GeneratedWhen::Always {
            let message = "for a generated column, GENERATED ALWAYS must be specified";
            return Err(self.grammar_error(message, when_at));
        }
        Ok(c)
    }

    /// `ALWAYS | BY DEFAULT`.
    pub fn generated_when(&mut self) -> R<GeneratedWhen> {
        if self.eat(K::Always) {
            return Ok(GeneratedWhen::Always);
        }
        self.expect_all(&[K::By, K::Default])?;
        Ok(GeneratedWhen::ByDefault)
    }

    /// `['(' sequence options ')']`.
    pub fn opt_parenthesized_seq_options(&mut self) -> R<Vec<DefElem>> {
        if !self.eat('(') {
            return Ok(Vec::new());
        }
        let options = self.seq_options()?;
        if options.is_empty() {
            return self.fail();
        }
        self.expect(')')?;
        Ok(options)
    }

    fn opt_no_inherit(&mut self) -> R<bool> {
        if !self.eat(K::No) {
            return Ok(false);
        }
        self.expect(K::Inherit)?;
        Ok(true)
    }

    fn opt_cons_tablespace(&mut self) -> R<Option<Ident>> {
        if !self.eat(K::Using) {
            return Ok(None);
        }
        self.expect_all(&[K::Index, K::Tablespace])?;
        Ok(Some(self.name()?))
    }

    // ---- tables -------------------------------------------------------------------------------------------------

    /// `[CONSTRAINT name] ConstraintElem`.
    pub fn table_constraint(&mut self) -> R<Constraint> {
        let start = self.start();
        let conname = if self.eat(K::Constraint) {
            Some(self.name()?)
        } else {
            None
        };
        let mut constraint = self.constraint_elem()?;
        constraint.conname = conname;
        constraint.span = self.span_from(start);
        Ok(constraint)
    }

    fn constraint_elem(&mut self) -> R<Constraint> {
        let span = self.span();
        let allow = |kind, deferrable, not_valid, no_inherit, enforced| Allowed {
            kind,
            deferrable,
            not_valid,
            no_inherit,
            enforced,
        };
        let (mut constraint, allowed) = match self.tok {
            Tok::Kw(K::Check) => {
                self.bump();
                let mut c = Constraint::new(ConstrType::Check, span);
                self.expect('(')?;
                c.raw_expr = Some(self.a_expr()?);
                self.expect(')')?;
                (c, allow("CHECK", false, true, true, true))
            }
            Tok::Kw(K::Not) => {
                self.bump();
                self.expect(K::Null)?;
                let mut c = Constraint::new(ConstrType::NotNull, span);
                c.keys = vec![self.col_id()?];
                (c, allow("NOT NULL", false, true, true, false))
            }
            Tok::Kw(K::Unique) => {
                self.bump();
                (
                    self.index_constraint(ConstrType::Unique, span)?,
                    allow("UNIQUE", true, false, false, false),
                )
            }
            Tok::Kw(K::Primary) => {
                self.bump();
                self.expect(K::Key)?;
                let c = self.index_constraint(ConstrType::Primary, span)?;
                (c, allow("PRIMARY KEY", true, false, false, false))
            }
            Tok::Kw(K::Exclude) => {
                self.bump();
                (
                    self.exclusion_constraint(span)?,
                    allow("EXCLUDE", true, false, false, false),
                )
            }
            Tok::Kw(K::Foreign) => {
                self.bump();
                (
                    self.foreign_key(span)?,
                    allow("FOREIGN KEY", true, true, false, true),
                )
            }
            _ => return self.fail(),
        };
        let attributes = self.constraint_attribute_spec()?;
        self.process_cas_bits(attributes, &mut constraint, allowed)?;
        Ok(constraint)
    }

    fn index_constraint(&mut self, contype: ConstrType, span: Span) -> R<Constraint> {
        let mut c = Constraint::new(contype, span);
        if self.eat(K::Using) {
            self.expect(K::Index)?;
            c.indexname = Some(self.name()?);
            return Ok(c);
        }
        if contype == ConstrType::Unique {
            c.nulls_not_distinct = self.opt_unique_null_treatment()?;
        }
        self.expect('(')?;
        c.keys = self.comma_list(|p| p.col_id())?;
        if self.eat(K::Without) {
            self.expect(K::Overlaps)?;
            c.without_overlaps = true;
        }
        self.expect(')')?;
        self.index_constraint_rest(&mut c)?;
        Ok(c)
    }

    fn index_constraint_rest(&mut self, c: &mut Constraint) -> R<()> {
        if self.eat(K::Include) {
            c.including = self.paren_list(|p| p.col_id())?;
        }
        c.index_options = self.opt_definition()?;
        c.indexspace = self.opt_cons_tablespace()?;
        Ok(())
    }

    fn exclusion_constraint(&mut self, span: Span) -> R<Constraint> {
        let mut c = Constraint::new(ConstrType::Exclusion, span);
        c.access_method = self.table_access_method_clause()?;
        c.exclusions = self.paren_list(|p| {
            let elem = p.index_elem()?;
            p.expect(K::With)?;
            let operator = if p.at2(K::Operator, '(') {
                p.qual_op()?
            } else {
                p.any_operator()?
            };
            Ok(ExclusionElem { elem, operator })
        })?;
        self.index_constraint_rest(&mut c)?;
        if self.eat(K::Where) {
            self.expect('(')?;
            c.where_clause = Some(self.a_expr()?);
            self.expect(')')?;
        }
        Ok(c)
    }

    fn foreign_key(&mut self, span: Span) -> R<Constraint> {
        let mut c = Constraint::new(ConstrType::Foreign, span);
        self.expect(K::Key)?;
        (c.fk_attrs, c.fk_with_period) = self.columns_and_period()?;
        if !self.at(K::References) {
            return self.fail();
        }
        self.references(&mut c)?;
        Ok(c)
    }

    /// `'(' columns [, PERIOD column] ')'`.
    fn columns_and_period(&mut self) -> R<(Vec<Ident>, bool)> {
        self.expect('(')?;
        let mut columns = vec![self.col_id()?];
        let mut period = false;
        while self.eat(',') {
            if self.at(K::Period) && crate::parser::is_col_id(self.peek(1)) {
                self.bump();
                period = true;
                columns.push(self.col_id()?);
                break;
            }
            columns.push(self.col_id()?);
        }
        self.expect(')')?;
        Ok((columns, period))
    }

    /// `REFERENCES table [(columns)] [MATCH ...] [ON ...]`.
    fn references(&mut self, c: &mut Constraint) -> R<()> {
        self.expect(K::References)?;
        c.pktable = Some(self.qualified_name()?);
        if self.at('(') {
            (c.pk_attrs, c.pk_with_period) = self.columns_and_period()?;
        }
        if self.at(K::Match) {
            let span = self.take().span();
            c.fk_matchtype = match self.tok {
                Tok::Kw(K::Full) => FkMatchType::Full,
                Tok::Kw(K::Simple) => FkMatchType::Simple,
                Tok::Kw(K::Partial) => {
                    return Err(self.not_supported("MATCH PARTIAL not yet implemented", span));
                }
                _ => return self.fail(),
            };
            self.bump();
        }
        self.key_actions(c)
    }

    fn key_actions(&mut self, c: &mut Constraint) -> R<()> {
        let (mut update_seen, mut delete_seen) = (false, false);
        while self.at(K::On) {
            match self.peek(1) {
                Tok::Kw(K::Update) if !update_seen => {
                    let start = self.take().span();
                    self.bump();
                    let (action, columns, word) = self.key_action()?;
                    if !columns.is_empty() {
                        let message =
                            format!("a column list with {word} is only supported for ON DELETE actions");
                        return Err(self.not_supported(&message, start));
                    }
                    c.fk_upd_action = action;
                    update_seen = true;
                }
                Tok::Kw(K::Delete) if !delete_seen => {
                    self.bump();
                    self.bump();
                    let (action, columns, _) = self.key_action()?;
                    c.fk_del_action = action;
                    c.fk_del_set_cols = columns;
                    delete_seen = true;
                }
                _ => {
                    if !(update_seen && delete_seen) {
                        self.bump();
                    }
                    return self.fail();
                }
            }
        }
        Ok(())
    }

    fn key_action(&mut self) -> R<(FkAction, Vec<Ident>, &'static str)> {
        if self.eat(K::No) {
            self.expect(K::Action)?;
            return Ok((FkAction::NoAction, Vec::new(), ""));
        }
        if self.eat(K::Restrict) {
            return Ok((FkAction::Restrict, Vec::new(), ""));
        }
        if self.eat(K::Cascade) {
            return Ok((FkAction::Cascade, Vec::new(), ""));
        }
        self.expect(K::Set)?;
        if self.eat(K::Null) {
            return Ok((FkAction::SetNull, self.opt_column_list()?, "SET NULL"));
        }
        self.expect(K::Default)?;
        Ok((FkAction::SetDefault, self.opt_column_list()?, "SET DEFAULT"))
    }

    // ---- attributes ---------------------------------------------------------------------------------------------

    /// `ConstraintAttributeSpec`.
    pub fn constraint_attribute_spec(&mut self) -> R<ConstraintAttributes> {
        let mut attributes = ConstraintAttributes::default();
        loop {
            let span = self.span();
            let bit = match self.tok {
                Tok::Kw(K::Deferrable) => cas::DEFERRABLE,
                Tok::Kw(K::Enforced) => cas::ENFORCED,
                Tok::Kw(K::Initially) => {
                    self.bump();
                    match self.tok {
                        Tok::Kw(K::Immediate) => cas::INITIALLY_IMMEDIATE,
                        Tok::Kw(K::Deferred) => cas::INITIALLY_DEFERRED,
                        _ => return self.fail(),
                    }
                }
                Tok::Kw(K::Not) => {
                    self.bump();
                    match self.tok {
                        Tok::Kw(K::Deferrable) => cas::NOT_DEFERRABLE,
                        Tok::Kw(K::Valid) => cas::NOT_VALID,
                        Tok::Kw(K::Enforced) => cas::NOT_ENFORCED,
                        _ => return self.fail(),
                    }
                }
                Tok::Kw(K::No) => {
                    self.bump();
                    if !self.at(K::Inherit) {
                        return self.fail();
                    }
                    cas::NO_INHERIT
                }
                _ => return Ok(attributes),
            };
            self.bump();
            self.add_attribute(&mut attributes, bit, span)?;
        }
    }

    fn add_attribute(&mut self, attributes: &mut ConstraintAttributes, bit: u32, span: Span) -> R<()> {
        let bits = attributes.bits | bit;
        let both = |a: u32, b: u32| bits & (a | b) == (a | b);
        if both(cas::NOT_DEFERRABLE, cas::INITIALLY_DEFERRED) {
            let message = "constraint declared INITIALLY DEFERRED must be DEFERRABLE";
            return Err(self.grammar_error(message, span));
        }
        if both(cas::NOT_DEFERRABLE, cas::DEFERRABLE)
            || both(cas::INITIALLY_IMMEDIATE, cas::INITIALLY_DEFERRED)
            || both(cas::NOT_ENFORCED, cas::ENFORCED)
        {
            return Err(self.grammar_error("conflicting constraint properties", span));
        }
        attributes.bits = bits;
        attributes.span = Some(attributes.span.map_or(span, |s| s.to(span)));
        Ok(())
    }

    /// Stores the attributes, or refuses those the kind of constraint does not take.
    pub fn process_cas_bits(
        &self,
        given: ConstraintAttributes,
        c: &mut Constraint,
        allowed: Allowed,
    ) -> R<()> {
        let refuse = |what: &str| {
            let message = format!("{} constraints cannot be marked {what}", allowed.kind);
            Err(self.not_supported(&message, given.span()))
        };
        if given.has(cas::DEFERRABLE | cas::INITIALLY_DEFERRED) {
            if !allowed.deferrable {
                return refuse("DEFERRABLE");
            }
            c.deferrable = true;
        }
        if given.has(cas::INITIALLY_DEFERRED) {
            c.initdeferred = true;
        }
        if given.has(cas::NOT_VALID) {
            if !allowed.not_valid {
                return refuse("NOT VALID");
            }
            c.skip_validation = true;
            c.initially_valid = false;
        }
        if given.has(cas::NO_INHERIT) {
            if !allowed.no_inherit {
                return refuse("NO INHERIT");
            }
            c.is_no_inherit = true;
        }
        if given.has(cas::NOT_ENFORCED) {
            if !allowed.enforced {
                return refuse("NOT ENFORCED");
            }
            c.is_enforced = false;
            c.skip_validation = true;
            c.initially_valid = false;
        }
        if given.has(cas::ENFORCED) && !allowed.enforced {
            return refuse("ENFORCED");
        }
        Ok(())
    }
}
