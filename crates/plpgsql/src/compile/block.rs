//! Bodies, blocks, EXCEPTION sections.

use analyzer::variables::VariableConflict;
use common::error::ErrorExt;
use common::{PgResult, Span, pg_err};
use parser::scan::Tok;
use types::oids;

use crate::compile::Compiler;
use crate::conditions::{self, Condition};
use crate::namespace::ItemKind;
use crate::tree::{Block, Decl, Dno, Exceptions, Handler, Stmt, StmtKind};

/// Words that end a list of statements.
const SECTION_ENDS: [&str; 6] = ["end", "exception", "else", "elsif", "elseif", "when"];

/// A body that may end without RETURN gets one.
pub(super) fn add_return(body: &mut Block, out: Option<Dno>) {
    if body.exceptions.is_some() || body.label.is_some() {
        let inner = Block {
            label: body.label.take(),
            init: std::mem::take(&mut body.init),
            body: std::mem::take(&mut body.body),
            exceptions: body.exceptions.take(),
        };
        body.body.push(Stmt {
            line: 0,
            kind: StmtKind::Block(Box::new(inner)),
        });
    }
    if !matches!(body.body.last().map(|s| &s.kind), Some(StmtKind::Return(..))) {
        body.body.push(Stmt {
            line: 0,
            kind: StmtKind::Return(None, out),
        });
    }
}

impl Compiler<'_> {
    /// `pl_function`.
    pub fn body(&mut self) -> PgResult<Block> {
        while self.scan.is_op("#") {
            self.option()?;
        }
        let label = self.block_label()?;
        if !self.scan.is("declare") && !self.scan.is("begin") {
            return Err(self.scan.syntax_error());
        }
        let block = self.block(label)?;
        self.scan.eat_char(';');
        match self.scan.tok() {
            Tok::Eof => Ok(block),
            _ => Err(self.scan.syntax_error()),
        }
    }

    /// `#option value`.
    fn option(&mut self) -> PgResult<()> {
        self.scan.bump();
        let word = self.scan.word_at(0);
        let value = self.scan.word_at(1);
        match (word.as_deref(), value.as_deref()) {
            (Some("option"), Some("dump")) => {}
            (Some("print_strict_params"), Some("on")) => self.print_strict_params = true,
            (Some("print_strict_params"), Some("off")) => self.print_strict_params = false,
            (Some("print_strict_params"), Some(other)) => {
                return Err(common::internal!(
                    "unrecognized print_strict_params option {other}"
                ));
            }
            (Some("variable_conflict"), Some("error")) => self.conflict = VariableConflict::Error,
            (Some("variable_conflict"), Some("use_variable")) => {
                self.conflict = VariableConflict::UseVariable
            }
            (Some("variable_conflict"), Some("use_column")) => self.conflict = VariableConflict::UseColumn,
            (Some("option" | "print_strict_params" | "variable_conflict"), _) => {
                self.scan.bump();
                return Err(self.scan.syntax_error());
            }
            _ => return Err(self.scan.syntax_error()),
        }
        self.scan.bump();
        self.scan.bump();
        Ok(())
    }

    /// `<<label>>`, if there is one.
    pub fn block_label(&mut self) -> PgResult<Option<parser::ast::Name>> {
        if !self.scan.eat_op("<<") {
            return Ok(None);
        }
        let name = self.scan.identifier_or_fail()?;
        if !self.scan.eat_op(">>") {
            return Err(self.scan.syntax_error());
        }
        Ok(Some(name))
    }

    /// From DECLARE or BEGIN to the label after END.
    pub fn block(&mut self, label: Option<parser::ast::Name>) -> PgResult<Block> {
        self.deeper(|c| c.block_here(label))
    }

    fn block_here(&mut self, label: Option<parser::ast::Name>) -> PgResult<Block> {
        let outside = self.scope;
        self.scope = self
            .ns
            .add(self.scope, ItemKind::Block, label.as_deref().unwrap_or(""));
        let first = self.decls.len();
        if self.scan.is("declare") {
            self.declarations()?;
        }
        let init = (first..self.decls.len())
            .filter(|d| matches!(self.decls.get(*d), Some(Decl::Var(_) | Decl::Rec(_))))
            .filter(|d| self.is_declared_here(*d))
            .collect();
        self.scan.expect("begin")?;
        let body = self.section()?;
        let exceptions = match self.scan.eat("exception") {
            true => Some(self.exceptions()?),
            false => None,
        };
        self.scan.expect("end")?;
        self.end_label(label.as_deref())?;
        self.scope = outside;
        Ok(Block {
            label: label.map(|l| l.as_str().into()),
            init,
            body,
            exceptions,
        })
    }

    /// Arguments of cursors are no variables of the block: OPEN sets them.
    fn is_declared_here(&self, dno: Dno) -> bool {
        let name = self.name_of(dno);
        let found = self.ns.find(self.scope, &[&name], true);
        found.is_some_and(|f| f.kind == ItemKind::Var(dno) || f.kind == ItemKind::Rec(dno))
    }

    /// The label after END.
    pub fn end_label(&mut self, label: Option<&str>) -> PgResult<()> {
        let at = self.scan.start();
        let Some(name) = self.scan.name_at(0) else {
            return Ok(());
        };
        self.scan.bump();
        match label {
            None => Err(self.scan.plain_error(
                format_args!("end label \"{name}\" specified for unlabeled block"),
                at,
            )),
            Some(label) if label != name => Err(self.scan.plain_error(
                format_args!("end label \"{name}\" differs from block's label \"{label}\""),
                at,
            )),
            Some(_) => Ok(()),
        }
    }

    /// Statements up to a word that ends them.
    pub fn section(&mut self) -> PgResult<Vec<Stmt>> {
        let mut statements = Vec::new();
        loop {
            let ends = self
                .scan
                .word_at(0)
                .is_some_and(|w| SECTION_ENDS.contains(&w.as_str()))
                && !(self.scan.is_assign_at(1) && self.datum_ahead().is_some());
            if ends || self.scan.at_end() {
                return Ok(statements);
            }
            let statement = self.statement()?;
            if !matches!(statement.kind, StmtKind::Null) {
                statements.push(statement);
            }
        }
    }

    fn exceptions(&mut self) -> PgResult<Exceptions> {
        let text = self.plain_type(oids::TEXT)?;
        let sqlstate = self.constant("sqlstate", text.clone());
        let sqlerrm = self.constant("sqlerrm", text);
        let mut handlers = Vec::new();
        while self.scan.eat("when") {
            let mut conditions = self.condition()?;
            while self.scan.eat("or") {
                conditions.extend(self.condition()?);
            }
            self.scan.expect("then")?;
            let body = self.section()?;
            handlers.push(Handler { conditions, body });
        }
        if handlers.is_empty() {
            return Err(self.scan.syntax_error());
        }
        Ok(Exceptions {
            sqlstate,
            sqlerrm,
            handlers,
        })
    }

    fn constant(&mut self, name: &str, ty: crate::tree::PlType) -> Dno {
        let dno = self.variable(name, ty, true);
        if let Some(Decl::Var(v)) = self.decls.get_mut(dno) {
            v.constant = true;
        }
        dno
    }

    fn condition(&mut self) -> PgResult<Vec<Condition>> {
        let at = self.scan.start();
        let name = self.scan.identifier_or_fail()?;
        if name == "sqlstate" {
            return Ok(vec![Condition::State(self.sqlstate_literal()?)]);
        }
        if name == "others" {
            return Ok(vec![Condition::Others]);
        }
        let found: Vec<Condition> = conditions::named(&name).map(Condition::State).collect();
        if found.is_empty() {
            let _ = at;
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "unrecognized exception condition \"{name}\""
            ));
        }
        Ok(found)
    }

    /// The string after SQLSTATE.
    pub fn sqlstate_literal(&mut self) -> PgResult<common::SqlState> {
        let Some(text) = self.scan.string() else {
            return Err(self.scan.syntax_error());
        };
        let Some(state) = conditions::sqlstate(&text) else {
            return Err(self.scan.error("invalid SQLSTATE code"));
        };
        self.scan.bump();
        Ok(state)
    }

    /// The error for a name that is no variable.
    pub fn not_a_variable(&self) -> Box<common::PgError> {
        let Some(first) = self.scan.name_at(0) else {
            return self.scan.syntax_error();
        };
        let mut name = first.to_string();
        let mut ahead = 1;
        while self.scan.is_char_at(ahead, '.') && ahead < 5 {
            let Some(next) = self.scan.name_at(ahead + 1) else {
                break;
            };
            name.push('.');
            name.push_str(&next);
            ahead += 2;
        }
        let at = self.scan.start();
        pg_err!(SYNTAX_ERROR, "\"{name}\" is not a known variable").at(Span::new(at, at))
    }
}
