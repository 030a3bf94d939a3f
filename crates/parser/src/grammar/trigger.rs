//! Triggers, event triggers, rules, policies.

use common::error::ErrorExt;
use common::{PgResult, Span};

use crate::ast::{
    AlterEventTrigStmt, AlterPolicyStmt, ConstrType, Constraint, CreateEventTrigStmt, CreatePolicyStmt,
    CreateTrigStmt, DefArg, DefElem, EnableState, Ident, Name, RuleEvent, RuleStmt, Statement, TriggerEvents,
    TriggerTiming, TriggerTransition,
};
use crate::grammar::constraint::{Allowed, ConstraintAttributes};
use crate::grammar::options::named_option;
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_col_label};
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// CREATE [CONSTRAINT] TRIGGER; the current token is CONSTRAINT or TRIGGER.
    pub fn create_trigger(&mut self, start: u32, replace: bool) -> R<Statement> {
        let isconstraint = self.eat(K::Constraint);
        self.expect(K::Trigger)?;
        let trigname = self.name()?;
        let timing = if isconstraint {
            self.expect(K::After)?;
            TriggerTiming::After
        } else {
            self.trigger_timing()?
        };
        let events = self.trigger_events()?;
        self.expect(K::On)?;
        let relation = self.qualified_name()?;
        let mut stmt = CreateTrigStmt {
            replace,
            isconstraint,
            trigname,
            relation,
            funcname: Vec::new(),
            args: Vec::new(),
            row: isconstraint,
            timing,
            events,
            when_clause: None,
            transition_rels: Vec::new(),
            deferrable: false,
            initdeferred: false,
            constrrel: None,
            span: Span::NONE,
        };
        let mut attributes = ConstraintAttributes::default();
        if isconstraint {
            attributes = self.constraint_trigger_clauses(&mut stmt)?;
        } else {
            if self.eat(K::Referencing) {
                stmt.transition_rels = self.trigger_transitions()?;
            }
            stmt.row = self.trigger_for_spec()?;
        }
        if self.eat(K::When) {
            self.expect('(')?;
            stmt.when_clause = Some(self.a_expr()?);
            self.expect(')')?;
        }
        self.execute_function_words()?;
        stmt.funcname = self.func_name()?;
        stmt.args = self.trigger_func_args()?;
        if isconstraint && replace {
            let message = "CREATE OR REPLACE CONSTRAINT TRIGGER is not supported";
            return Err(self.not_supported(message, Span::new(start, start)));
        }
        let allowed = Allowed {
            kind: "TRIGGER",
            deferrable: true,
            not_valid: false,
            no_inherit: false,
            enforced: false,
        };
        let mut scratch = Constraint::new(ConstrType::Check, Span::NONE);
        self.process_cas_bits(attributes, &mut scratch, allowed)?;
        stmt.deferrable = scratch.deferrable;
        stmt.initdeferred = scratch.initdeferred;
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    fn constraint_trigger_clauses(&mut self, stmt: &mut CreateTrigStmt) -> R<ConstraintAttributes> {
        if self.eat(K::From) {
            stmt.constrrel = Some(self.qualified_name()?);
        }
        let attributes = self.constraint_attribute_spec()?;
        self.expect_all(&[K::For, K::Each, K::Row])?;
        Ok(attributes)
    }

    fn trigger_timing(&mut self) -> R<TriggerTiming> {
        if self.eat(K::Before) {
            return Ok(TriggerTiming::Before);
        }
        if self.eat(K::After) {
            return Ok(TriggerTiming::After);
        }
        self.expect_all(&[K::Instead, K::Of])?;
        Ok(TriggerTiming::InsteadOf)
    }

    fn trigger_events(&mut self) -> R<TriggerEvents> {
        let mut events = TriggerEvents::default();
        loop {
            let slot = match self.tok {
                Tok::Kw(K::Insert) => &mut events.insert,
                Tok::Kw(K::Delete) => &mut events.delete,
                Tok::Kw(K::Update) => &mut events.update,
                Tok::Kw(K::Truncate) => &mut events.truncate,
                _ => return self.fail(),
            };
            let duplicate = std::mem::replace(slot, true);
            if duplicate && !self.at(K::Update) {
                return Err(self.error_here("duplicate trigger events specified"));
            }
            let update = self.take().tok == Tok::Kw(K::Update);
            if update && self.eat(K::Of) {
                events.columns = self.comma_list(|p| p.col_id())?;
            }
            if duplicate {
                return Err(self.error_here("duplicate trigger events specified"));
            }
            if !self.eat(K::Or) {
                return Ok(events);
            }
        }
    }

    fn trigger_transitions(&mut self) -> R<Vec<TriggerTransition>> {
        let mut transitions = Vec::new();
        while matches!(self.tok, Tok::Kw(K::Old | K::New)) || transitions.is_empty() {
            let is_new = self.eat(K::New);
            if !is_new {
                self.expect(K::Old)?;
            }
            let is_table = self.eat(K::Table);
            if !is_table {
                self.expect(K::Row)?;
            }
            self.eat(K::As);
            transitions.push(TriggerTransition {
                name: self.col_id()?,
                is_new,
                is_table,
            });
        }
        Ok(transitions)
    }

    /// `[FOR [EACH] ROW | STATEMENT]`: true for ROW.
    fn trigger_for_spec(&mut self) -> R<bool> {
        if !self.eat(K::For) {
            return Ok(false);
        }
        self.eat(K::Each);
        if self.eat(K::Row) {
            return Ok(true);
        }
        self.expect(K::Statement)?;
        Ok(false)
    }

    fn execute_function_words(&mut self) -> R<()> {
        self.expect(K::Execute)?;
        if self.eat(K::Function) {
            Ok(())
        } else {
            self.expect(K::Procedure)
        }
    }

    fn trigger_func_args(&mut self) -> R<Vec<Name>> {
        self.expect('(')?;
        if self.eat(')') {
            return Ok(Vec::new());
        }
        // PostgreSQL's list may be empty in front of its first comma.
        self.eat(',');
        let args = self.comma_list(|p| {
            let token = p.token();
            let text = match token.tok {
                Tok::IConst => Name::from((token.value as i32).to_string()),
                Tok::FConst => Name::new(p.source(token)),
                Tok::SConst => p.string_of(token),
                tok if is_col_label(tok) => p.name_of(token),
                _ => return p.fail(),
            };
            p.bump();
            Ok(text)
        })?;
        self.expect(')')?;
        Ok(args)
    }

    // ---- event triggers -----------------------------------------------------------------------------------------

    /// CREATE EVENT TRIGGER; the current token is EVENT.
    pub fn create_event_trigger(&mut self, start: u32) -> R<Statement> {
        self.expect_all(&[K::Event, K::Trigger])?;
        let trigname = self.name()?;
        self.expect(K::On)?;
        let eventname = self.col_label()?;
        let mut whenclause: Vec<DefElem> = Vec::new();
        if self.eat(K::When) {
            loop {
                let name = self.col_id()?;
                let at = name.span.start;
                self.expect(K::In)?;
                let values = self.paren_list(|p| Ok(DefArg::String(p.sconst()?.name)))?;
                let span = self.span_from(at);
                whenclause.push(named_option(name, Some(DefArg::List(values)), span));
                if !self.eat(K::And) {
                    break;
                }
            }
        }
        self.execute_function_words()?;
        let funcname = self.func_name()?;
        self.expect('(')?;
        self.expect(')')?;
        let span = self.span_from(start);
        Ok(CreateEventTrigStmt {
            trigname,
            eventname,
            whenclause,
            funcname,
            span,
        }
        .into())
    }

    /// ALTER EVENT TRIGGER ... ENABLE/DISABLE, after the name.
    pub fn alter_event_trigger(&mut self, start: u32, trigname: Ident) -> R<Statement> {
        let state = if self.eat(K::Disable) {
            EnableState::Disable
        } else {
            self.expect(K::Enable)?;
            if self.eat(K::Replica) {
                EnableState::EnableReplica
            } else if self.eat(K::Always) {
                EnableState::EnableAlways
            } else {
                EnableState::Enable
            }
        };
        Ok(AlterEventTrigStmt {
            trigname,
            state,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- rules --------------------------------------------------------------------------------------------------

    /// CREATE RULE; the current token is RULE.
    pub fn create_rule(&mut self, start: u32, replace: bool) -> R<Statement> {
        self.expect(K::Rule)?;
        let rulename = self.name()?;
        self.expect_all(&[K::As, K::On])?;
        let event = match self.tok {
            Tok::Kw(K::Select) => RuleEvent::Select,
            Tok::Kw(K::Update) => RuleEvent::Update,
            Tok::Kw(K::Delete) => RuleEvent::Delete,
            Tok::Kw(K::Insert) => RuleEvent::Insert,
            _ => return self.fail(),
        };
        self.bump();
        self.expect(K::To)?;
        let relation = self.qualified_name()?;
        let where_clause = self.where_clause()?;
        self.expect(K::Do)?;
        let instead = self.eat(K::Instead);
        if !instead {
            self.eat(K::Also);
        }
        let actions = self.rule_actions()?;
        let span = self.span_from(start);
        Ok(RuleStmt {
            relation,
            rulename,
            where_clause,
            event,
            instead,
            actions,
            replace,
            span,
        }
        .into())
    }

    fn rule_actions(&mut self) -> R<Vec<Statement>> {
        if self.eat(K::Nothing) {
            return Ok(Vec::new());
        }
        if !self.at('(') {
            return Ok(vec![self.rule_action_stmt()?]);
        }
        self.bump();
        let mut actions = Vec::new();
        loop {
            while self.eat(';') {}
            if self.eat(')') {
                return Ok(actions);
            }
            actions.push(self.rule_action_stmt()?);
            if !matches!(self.tok, Tok::Char(b';' | b')')) {
                return self.fail();
            }
        }
    }

    fn rule_action_stmt(&mut self) -> R<Statement> {
        if self.at(K::Notify) {
            return self.notify_stmt();
        }
        if self.at(K::Merge) {
            return self.fail();
        }
        let mark = self.mark();
        let stmt = self.preparable_stmt()?;
        if matches!(stmt, Statement::Merge(_)) {
            self.rewind(mark);
            return self.fail();
        }
        Ok(stmt)
    }

    // ---- policies -----------------------------------------------------------------------------------------------

    /// CREATE POLICY; the current token is POLICY.
    pub fn create_policy(&mut self, start: u32) -> R<Statement> {
        self.expect(K::Policy)?;
        let policy_name = self.name()?;
        self.expect(K::On)?;
        let table = self.qualified_name()?;
        let permissive = self.policy_permissive()?;
        let mut cmd_name = Name::new_static("all");
        if self.eat(K::For) {
            if !matches!(
                self.tok,
                Tok::Kw(K::All | K::Select | K::Insert | K::Update | K::Delete)
            ) {
                return self.fail();
            }
            cmd_name = self.take_name().name;
        }
        let roles = match self.policy_roles()? {
            Some(roles) => roles,
            None => vec![crate::ast::RoleSpec {
                role: crate::ast::RoleSpecType::Public,
                span: Span::NONE,
            }],
        };
        let (qual, with_check) = self.policy_exprs()?;
        let span = self.span_from(start);
        let stmt = CreatePolicyStmt {
            policy_name,
            table,
            cmd_name,
            permissive,
            roles,
            qual,
            with_check,
            span,
        };
        Ok(stmt.into())
    }

    fn policy_permissive(&mut self) -> R<bool> {
        if !self.eat(K::As) {
            return Ok(true);
        }
        if !self.at(Tok::Ident) {
            return self.fail();
        }
        let word = self.take_name();
        match word.as_str() {
            "permissive" => Ok(true),
            "restrictive" => Ok(false),
            other => Err(self
                .grammar_error(
                    &format!("unrecognized row security option \"{other}\""),
                    word.span,
                )
                .hint("Only PERMISSIVE or RESTRICTIVE policies are supported currently.")),
        }
    }

    fn policy_roles(&mut self) -> R<Option<Vec<crate::ast::RoleSpec>>> {
        if self.eat(K::To) {
            Ok(Some(self.role_list()?))
        } else {
            Ok(None)
        }
    }

    fn policy_exprs(&mut self) -> R<(Option<crate::ast::Expr>, Option<crate::ast::Expr>)> {
        let mut qual = None;
        if self.eat(K::Using) {
            self.expect('(')?;
            qual = Some(self.a_expr()?);
            self.expect(')')?;
        }
        let mut with_check = None;
        if self.eat(K::With) {
            self.expect(K::Check)?;
            self.expect('(')?;
            with_check = Some(self.a_expr()?);
            self.expect(')')?;
        }
        Ok((qual, with_check))
    }

    /// ALTER POLICY, after the table.
    pub fn alter_policy(
        &mut self,
        start: u32,
        policy_name: Ident,
        table: crate::ast::RangeVar,
    ) -> R<Statement> {
        let roles = self.policy_roles()?;
        let (qual, with_check) = self.policy_exprs()?;
        Ok(AlterPolicyStmt {
            policy_name,
            table,
            roles,
            qual,
            with_check,
            span: self.span_from(start),
        }
        .into())
    }
}
