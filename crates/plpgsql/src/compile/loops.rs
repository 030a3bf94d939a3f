//! LOOP, WHILE, FOR, FOREACH.
//!
//! PG: src/pl/plpgsql/src/pl_gram.y (`for_control`).

use common::{PgError, PgResult};
use parser::ast::Name;
use parser::scan::Tok;
use types::oids;

use crate::compile::Compiler;
use crate::namespace::ItemKind;
use crate::tree::{Decl, Dno, ForInt, ForQuery, Foreach, Loop, Mode, Source, StmtKind};

/// What stands before IN.
struct LoopTarget {
    name: Name,
    at: u32,
    /// A variable that is there already.
    known: Option<Dno>,
    /// Several of them.
    list: bool,
}

impl Compiler<'_> {
    /// A loop after its label.
    pub fn looping(&mut self, label: Option<Name>) -> PgResult<StmtKind> {
        let outside = self.scope;
        self.scope = self
            .ns
            .add(self.scope, ItemKind::Loop, label.as_deref().unwrap_or(""));
        let made = match self.scan.word_at(0).as_deref() {
            Some("loop") => {
                self.scan.bump();
                let body = self.loop_body(label)?;
                StmtKind::Loop(Box::new(body))
            }
            Some("while") => {
                self.scan.bump();
                let (condition, _) = self.read_expression(&["loop"], "LOOP")?;
                let body = self.loop_body(label)?;
                StmtKind::While(condition, Box::new(body))
            }
            Some("for") => self.for_loop(label)?,
            Some("foreach") => self.foreach_loop(label)?,
            _ => return Err(self.scan.syntax_error()),
        };
        self.scope = outside;
        Ok(made)
    }

    fn loop_body(&mut self, label: Option<Name>) -> PgResult<Loop> {
        let body = self.section()?;
        self.scan.expect("end")?;
        self.scan.expect("loop")?;
        self.end_label(label.as_deref())?;
        self.scan.expect_char(';')?;
        Ok(Loop {
            label: label.map(|l| l.as_str().into()),
            body,
        })
    }

    fn loop_target(&mut self) -> PgResult<LoopTarget> {
        let at = self.scan.start();
        if let Some(named) = self.take_datum() {
            let name = Name::new(self.name_of(named.dno).as_ref());
            let is_row = matches!(self.decls.get(named.dno), Some(Decl::Rec(_) | Decl::Row(_)));
            if is_row || !self.scan.is_char(',') {
                return Ok(LoopTarget {
                    name,
                    at,
                    known: Some(named.dno),
                    list: false,
                });
            }
            let row = self.scalar_list(named.dno)?;
            return Ok(LoopTarget {
                name,
                at,
                known: Some(row),
                list: true,
            });
        }
        let Some(name) = self.scan.name_at(0) else {
            return Err(self.scan.syntax_error());
        };
        if self.scan.is_char_at(1, ',') || self.scan.is_char_at(1, '.') {
            return Err(self.not_a_variable());
        }
        self.scan.bump();
        Ok(LoopTarget {
            name,
            at,
            known: None,
            list: false,
        })
    }

    /// The target of a loop over rows.
    fn row_target(&mut self, target: &LoopTarget) -> PgResult<Dno> {
        let Some(dno) = target.known else {
            return Err(self.no_row_target(target));
        };
        self.check_assignable(dno, target.at)?;
        Ok(match self.decls.get(dno) {
            Some(Decl::Rec(_) | Decl::Row(_)) => dno,
            _ => self.row(vec![dno]),
        })
    }

    fn no_row_target(&self, target: &LoopTarget) -> Box<PgError> {
        self.scan.plain_error(
            "loop variable of loop over rows must be a record variable or list of scalar variables",
            target.at,
        )
    }

    fn for_loop(&mut self, label: Option<Name>) -> PgResult<StmtKind> {
        self.scan.bump();
        let target = self.loop_target()?;
        self.scan.expect("in")?;
        if self.scan.eat("execute") {
            let (query, stop) = self.read_expression(&["loop", "using"], "LOOP or USING")?;
            let dno = self.row_target(&target)?;
            let params = match stop {
                "using" => self.using_list(&[",", "loop"], ", or LOOP")?.0,
                _ => Vec::new(),
            };
            return self.row_loop(label, dno, Source::Dynamic { query, params });
        }
        if let Some(cursor) = self.cursor_ahead() {
            return self.cursor_loop(label, &target, cursor);
        }
        let reverse = self.scan.is("reverse") && {
            self.scan.bump();
            true
        };
        let at = self.scan.start();
        let (start, end, stop) = self.read_until(&["..", "loop"], "LOOP", "expression")?;
        let text = self.scan.between(start, end);
        if stop == ".." {
            return self.integer_loop(label, &target, reverse, (text, start));
        }
        if reverse {
            return Err(self
                .scan
                .plain_error("cannot specify REVERSE in query FOR loop", self.reverse_place(at)));
        }
        self.check_sql(text, Mode::Statement, start)?;
        let query = self.expr(text, Mode::Statement);
        let dno = self.row_target(&target)?;
        self.row_loop(label, dno, Source::Static(query))
    }

    /// Where the REVERSE before a place stands.
    fn reverse_place(&self, at: u32) -> u32 {
        let before = self.scan.text.get(..at as usize).unwrap_or("").trim_end();
        before.len().saturating_sub("reverse".len()) as u32
    }

    fn row_loop(&mut self, label: Option<Name>, target: Dno, source: Source) -> PgResult<StmtKind> {
        let body = self.loop_body(label)?;
        Ok(StmtKind::ForQuery(Box::new(ForQuery { target, source, body })))
    }

    fn integer_loop(
        &mut self,
        label: Option<Name>,
        target: &LoopTarget,
        reverse: bool,
        lower: (&str, u32),
    ) -> PgResult<StmtKind> {
        let (text, start) = lower;
        self.check_sql(text, Mode::Expression, start)?;
        let lower = self.expr(text, Mode::Expression);
        let (upper, stop) = self.read_expression(&["loop", "by"], "LOOP")?;
        let step = match stop {
            "by" => Some(self.read_expression(&["loop"], "LOOP")?.0),
            _ => None,
        };
        if target.list {
            return Err(self
                .scan
                .plain_error("integer FOR loop must have only one target variable", target.at));
        }
        let ty = self.plain_type(oids::INT4)?;
        let var = self.variable(&target.name, ty, true);
        let body = self.loop_body(label)?;
        Ok(StmtKind::ForInt(Box::new(ForInt {
            var,
            lower,
            upper,
            step,
            reverse,
            body,
        })))
    }

    /// A cursor variable that stands alone after IN.
    fn cursor_ahead(&mut self) -> Option<Dno> {
        let named = self.datum_ahead()?;
        match self.decls.get(named.dno) {
            Some(Decl::Var(v)) if v.ty.type_ref.oid == oids::REFCURSOR => {
                self.take_datum();
                Some(named.dno)
            }
            _ => None,
        }
    }

    fn cursor_loop(&mut self, label: Option<Name>, target: &LoopTarget, cursor: Dno) -> PgResult<StmtKind> {
        if target.list {
            return Err(self
                .scan
                .plain_error("cursor FOR loop must have only one target variable", target.at));
        }
        let bound = matches!(self.decls.get(cursor), Some(Decl::Var(v)) if v.cursor.is_some());
        if !bound {
            return Err(self.scan.plain_error(
                "cursor FOR loop must use a bound cursor variable",
                self.scan.start(),
            ));
        }
        let args = self.cursor_args(cursor, "loop")?;
        let record = self.plain_type(oids::RECORD)?;
        let var = self.variable(&target.name, record, true);
        self.row_loop(label, var, Source::Cursor { var: cursor, args })
    }

    fn foreach_loop(&mut self, label: Option<Name>) -> PgResult<StmtKind> {
        self.scan.bump();
        let target = self.loop_target()?;
        let mut slice = 0;
        if self.scan.eat("slice") {
            if self.scan.tok() != Tok::IConst {
                return Err(self.scan.syntax_error());
            }
            slice = self.scan.token(0).value as usize;
            self.scan.bump();
        }
        self.scan.expect("in")?;
        self.scan.expect("array")?;
        let (array, _) = self.read_expression(&["loop"], "LOOP")?;
        let Some(dno) = target.known else {
            return Err(self.scan.plain_error(
                "loop variable of FOREACH must be a known variable or list of variables",
                target.at,
            ));
        };
        self.check_assignable(dno, target.at)?;
        let body = self.loop_body(label)?;
        Ok(StmtKind::Foreach(Box::new(Foreach {
            target: dno,
            slice,
            array,
            body,
        })))
    }
}
