//! BEGIN, COMMIT, ROLLBACK, savepoints, two-phase commit.

use common::{PgResult, Span};

use crate::ast::{
    DefArg, DefElem, DefElemAction, Ident, Name, Statement, TransactionStmt, TransactionStmtKind,
};
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

/// An option named by the grammar.
pub fn option(name: &'static str, arg: Option<DefArg>, span: Span) -> DefElem {
    DefElem {
        namespace: None,
        name: Name::new_static(name),
        arg,
        action: DefElemAction::Unspec,
        span,
    }
}

fn node(kind: TransactionStmtKind) -> TransactionStmt {
    TransactionStmt {
        kind,
        options: Vec::new(),
        savepoint_name: None,
        gid: None,
        chain: false,
        span: Span::NONE,
    }
}

impl Parser<'_> {
    /// Any transaction statement; the current token is its first key word.
    pub fn transaction_stmt(&mut self) -> R<Statement> {
        use TransactionStmtKind as T;
        let start = self.start();
        let word = self.take().tok;
        let mut stmt = match word {
            Tok::Kw(K::Begin | K::Start) => {
                let mut stmt = node(if word == Tok::Kw(K::Begin) {
                    T::Begin
                } else {
                    T::Start
                });
                if stmt.kind == T::Start {
                    self.expect(K::Transaction)?;
                } else {
                    self.opt_transaction();
                }
                stmt.options = self.transaction_mode_list_or_empty()?;
                stmt
            }
            Tok::Kw(K::Abort) => self.end_of_transaction(T::Rollback)?,
            Tok::Kw(K::Commit | K::End) => {
                if word == Tok::Kw(K::Commit) && self.eat(K::Prepared) {
                    self.prepared(T::CommitPrepared)?
                } else {
                    self.end_of_transaction(T::Commit)?
                }
            }
            Tok::Kw(K::Rollback) => self.rollback()?,
            Tok::Kw(K::Savepoint) => self.savepoint(T::Savepoint)?,
            Tok::Kw(K::Release) => {
                self.eat_savepoint_word();
                self.savepoint(T::Release)?
            }
            _ => return self.fail(),
        };
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    /// `PREPARE TRANSACTION 'gid'`; both words are ahead.
    pub fn prepare_transaction(&mut self) -> R<Statement> {
        let start = self.take().start;
        self.bump();
        let mut stmt = self.prepared(TransactionStmtKind::Prepare)?;
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    fn rollback(&mut self) -> R<TransactionStmt> {
        use TransactionStmtKind as T;
        if self.eat(K::Prepared) {
            return self.prepared(T::RollbackPrepared);
        }
        self.opt_transaction();
        if self.eat(K::To) {
            self.eat_savepoint_word();
            return self.savepoint(T::RollbackTo);
        }
        let mut stmt = node(T::Rollback);
        stmt.chain = self.opt_transaction_chain()?;
        Ok(stmt)
    }

    fn end_of_transaction(&mut self, kind: TransactionStmtKind) -> R<TransactionStmt> {
        self.opt_transaction();
        let mut stmt = node(kind);
        stmt.chain = self.opt_transaction_chain()?;
        Ok(stmt)
    }

    /// `[SAVEPOINT]` before a name, which may be `savepoint` itself.
    fn eat_savepoint_word(&mut self) {
        if self.at(K::Savepoint) && !matches!(self.peek(1), Tok::Eof | Tok::Char(b';')) {
            self.bump();
        }
    }

    fn savepoint(&mut self, kind: TransactionStmtKind) -> R<TransactionStmt> {
        let mut stmt = node(kind);
        stmt.savepoint_name = Some(self.col_id()?);
        Ok(stmt)
    }

    fn prepared(&mut self, kind: TransactionStmtKind) -> R<TransactionStmt> {
        let mut stmt = node(kind);
        let gid: Ident = self.sconst()?;
        stmt.gid = Some(gid.name);
        Ok(stmt)
    }

    fn opt_transaction(&mut self) {
        if !self.eat(K::Work) {
            self.eat(K::Transaction);
        }
    }

    fn opt_transaction_chain(&mut self) -> R<bool> {
        if !self.eat(K::And) {
            return Ok(false);
        }
        let no = self.eat(K::No);
        self.expect(K::Chain)?;
        Ok(!no)
    }

    fn transaction_mode_list_or_empty(&mut self) -> R<Vec<DefElem>> {
        if self.at_transaction_mode() {
            self.transaction_mode_list()
        } else {
            Ok(Vec::new())
        }
    }

    /// Transaction modes, separated by commas or nothing.
    pub fn transaction_mode_list(&mut self) -> R<Vec<DefElem>> {
        let mut modes = vec![self.transaction_mode()?];
        while self.eat(',') || self.at_transaction_mode() {
            modes.push(self.transaction_mode()?);
        }
        Ok(modes)
    }

    fn at_transaction_mode(&self) -> bool {
        matches!(self.tok, Tok::Kw(K::Isolation | K::Read | K::Deferrable | K::Not))
    }

    fn transaction_mode(&mut self) -> R<DefElem> {
        let span = self.span();
        let constant = |value: i32| Some(DefArg::Integer(value));
        match self.tok {
            Tok::Kw(K::Isolation) => {
                self.bump();
                self.expect(K::Level)?;
                let level = DefArg::String(Name::new_static(self.iso_level()?));
                Ok(option("transaction_isolation", Some(level), span))
            }
            Tok::Kw(K::Read) => {
                self.bump();
                let only = self.eat(K::Only);
                if !only {
                    self.expect(K::Write)?;
                }
                Ok(option("transaction_read_only", constant(i32::from(only)), span))
            }
            Tok::Kw(K::Not) => {
                self.bump();
                self.expect(K::Deferrable)?;
                Ok(option("transaction_deferrable", constant(0), span))
            }
            _ => {
                self.expect(K::Deferrable)?;
                Ok(option("transaction_deferrable", constant(1), span))
            }
        }
    }

    /// The words of an isolation level.
    pub fn iso_level(&mut self) -> R<&'static str> {
        if self.eat(K::Read) {
            if self.eat(K::Uncommitted) {
                return Ok("read uncommitted");
            }
            self.expect(K::Committed)?;
            return Ok("read committed");
        }
        if self.eat(K::Repeatable) {
            self.expect(K::Read)?;
            return Ok("repeatable read");
        }
        self.expect(K::Serializable)?;
        Ok("serializable")
    }
}
