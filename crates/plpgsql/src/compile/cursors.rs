//! OPEN, FETCH, MOVE, CLOSE, and arguments of bound cursors.
//!
//! PG: src/pl/plpgsql/src/pl_gram.y (`read_cursor_args`, `read_fetch_direction`).

use common::error::ErrorExt;
use common::{PgResult, Span, pg_err};
use parser::scan::Tok;
use types::oids;

use crate::compile::Compiler;
use crate::host::Direction;
use crate::tree::{Decl, Dno, Expr, Fetch, Mode, Open, OpenSource, RowDecl, StmtKind};

/// How FETCH moves.
struct How {
    direction: Direction,
    count: i64,
    expr: Option<Expr>,
    many: bool,
}

impl How {
    fn new(direction: Direction, count: i64) -> How {
        How {
            direction,
            count,
            expr: None,
            many: false,
        }
    }
}

impl Compiler<'_> {
    /// The cursor variable that must be next.
    pub fn cursor_variable(&mut self) -> PgResult<Dno> {
        let at = self.scan.start();
        let span = Span::new(at, at);
        let Some(named) = self.take_datum() else {
            return Err(self.not_a_variable());
        };
        if self.scan.is_char('[') {
            return Err(self.scan.syntax_error());
        }
        match self.decls.get(named.dno) {
            Some(Decl::Var(v)) if v.ty.type_ref.oid == oids::REFCURSOR => Ok(named.dno),
            Some(Decl::Var(v)) => Err(pg_err!(
                DATATYPE_MISMATCH,
                "variable \"{}\" must be of type cursor or refcursor",
                v.name
            )
            .at(span)),
            _ => Err(pg_err!(DATATYPE_MISMATCH, "cursor variable must be a simple variable").at(span)),
        }
    }

    pub fn open_statement(&mut self) -> PgResult<StmtKind> {
        self.scan.bump();
        let cursor = self.cursor_variable()?;
        let is_bound = matches!(self.decls.get(cursor), Some(Decl::Var(v)) if v.cursor.is_some());
        let mut scroll = None;
        let source = if is_bound {
            OpenSource::Bound(self.cursor_args(cursor, ";")?)
        } else {
            if self.scan.is("no") && self.scan.is_at(1, "scroll") {
                self.scan.bump();
                self.scan.bump();
                scroll = Some(false);
            } else if self.scan.eat("scroll") {
                scroll = Some(true);
            }
            if !self.scan.eat("for") {
                return Err(self.scan.error("syntax error, expected \"FOR\""));
            }
            if self.scan.eat("execute") {
                let (query, stop) = self.read_expression(&["using", ";"], "USING or ;")?;
                let params = match stop {
                    "using" => self.using_list(&[",", ";"], ", or ;")?.0,
                    _ => Vec::new(),
                };
                OpenSource::Dynamic { query, params }
            } else {
                OpenSource::Query(self.read_statement()?)
            }
        };
        Ok(StmtKind::Open(Box::new(Open {
            cursor,
            scroll,
            source,
        })))
    }

    fn cursor_row(&self, cursor: Dno) -> Option<RowDecl> {
        let Some(Decl::Var(v)) = self.decls.get(cursor) else {
            return None;
        };
        let args = v.cursor.as_ref()?.args?;
        match self.decls.get(args) {
            Some(Decl::Row(row)) => Some(row.clone()),
            _ => None,
        }
    }

    /// Arguments of a bound cursor as a list of expressions, up to `until`.
    pub fn cursor_args(&mut self, cursor: Dno, until: &'static str) -> PgResult<Option<Expr>> {
        let name = self.name_of(cursor);
        let at = self.scan.start();
        let Some(row) = self.cursor_row(cursor) else {
            if self.scan.is_char('(') {
                return Err(self
                    .scan
                    .plain_error(format_args!("cursor \"{name}\" has no arguments"), at));
            }
            self.expect_stop(until)?;
            return Ok(None);
        };
        if !self.scan.eat_char('(') {
            return Err(self
                .scan
                .plain_error(format_args!("cursor \"{name}\" has arguments"), at));
        }
        let mut values: Vec<Option<String>> = vec![None; row.fields.len()];
        let mut named = false;
        for given in 0..row.fields.len() {
            let place = self.scan.start();
            let mut position = given;
            if matches!(self.scan.token(1).tok, Tok::ColonEquals | Tok::EqualsGreater)
                && let Some(argument) = self.scan.name_at(0)
            {
                let found = row.names.iter().position(|n| **n == *argument);
                position = found.ok_or_else(|| {
                    self.scan.plain_error(
                        format_args!("cursor \"{name}\" has no argument named \"{argument}\""),
                        place,
                    )
                })?;
                self.scan.bump();
                self.scan.bump();
                named = true;
            }
            if values.get(position).is_some_and(Option::is_some) {
                let argument = &row.names[position];
                return Err(self.scan.plain_error(
                    format_args!(
                        "value for parameter \"{argument}\" of cursor \"{name}\" specified more than once"
                    ),
                    place,
                ));
            }
            let (expr, stop) = self.read_expression(&[",", ")"], ",\" or \")")?;
            values[position] = Some(expr.text.to_string());
            let is_last = given + 1 == row.fields.len();
            let place = self.scan.last_end().saturating_sub(1);
            if stop == ")" && !is_last {
                return Err(self
                    .scan
                    .plain_error(format_args!("not enough arguments for cursor \"{name}\""), place));
            }
            if stop == "," && is_last {
                return Err(self
                    .scan
                    .plain_error(format_args!("too many arguments for cursor \"{name}\""), place));
            }
        }
        self.expect_stop(until)?;
        let text = argument_list(&values, &row.names, named);
        Ok(Some(self.expr(&text, Mode::Expression)))
    }

    fn expect_stop(&mut self, until: &'static str) -> PgResult<()> {
        match until {
            ";" => self.scan.expect_char(';'),
            word => self.scan.expect(word),
        }
    }

    /// FETCH and MOVE.
    pub fn fetch_statement(&mut self, is_move: bool) -> PgResult<StmtKind> {
        let at = self.scan.start();
        self.scan.bump();
        let how = self.fetch_direction()?;
        let cursor = self.cursor_variable()?;
        let mut target = None;
        if !is_move {
            self.scan.expect("into")?;
            target = Some(self.read_into(false)?.target);
        }
        self.scan.expect_char(';')?;
        if how.many && !is_move {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "FETCH statement cannot return multiple rows"
            )
            .at(Span::new(at, at)));
        }
        Ok(StmtKind::Fetch(Box::new(Fetch {
            cursor,
            target,
            direction: how.direction,
            count: how.count,
            expr: how.expr,
            is_move,
        })))
    }

    fn expect_from(&mut self) -> PgResult<()> {
        if self.scan.eat("from") || self.scan.eat("in") {
            return Ok(());
        }
        Err(self.scan.error("expected FROM or IN"))
    }

    fn counted(&mut self, direction: Direction, many: bool) -> PgResult<How> {
        let (expr, _) = self.read_expression(&["from", "in"], "FROM or IN")?;
        Ok(How {
            direction,
            count: 1,
            expr: Some(expr),
            many,
        })
    }

    fn fetch_direction(&mut self) -> PgResult<How> {
        let word = self.scan.word_at(0);
        if self.scan.is_char_at(1, ';') || self.scan.is_at(1, "into") {
            // A cursor named like a direction.
            return Ok(How::new(Direction::Forward, 1));
        }
        let simple = match word.as_deref() {
            Some("next") => Some(How::new(Direction::Forward, 1)),
            Some("prior") => Some(How::new(Direction::Backward, 1)),
            Some("first") => Some(How::new(Direction::Absolute, 1)),
            Some("last") => Some(How::new(Direction::Absolute, -1)),
            Some("all") => Some(How {
                many: true,
                ..How::new(Direction::Forward, i64::MAX)
            }),
            _ => None,
        };
        if let Some(how) = simple {
            self.scan.bump();
            self.expect_from()?;
            return Ok(how);
        }
        match word.as_deref() {
            Some("absolute") => {
                self.scan.bump();
                self.counted(Direction::Absolute, false)
            }
            Some("relative") => {
                self.scan.bump();
                self.counted(Direction::Relative, false)
            }
            Some(way @ ("forward" | "backward")) => {
                let direction = match way {
                    "forward" => Direction::Forward,
                    _ => Direction::Backward,
                };
                self.scan.bump();
                self.after_direction(direction)
            }
            Some("from" | "in") => {
                self.scan.bump();
                Ok(How::new(Direction::Forward, 1))
            }
            _ if self.datum_ahead().is_some() => Ok(How::new(Direction::Forward, 1)),
            _ => self.counted(Direction::Forward, true),
        }
    }

    fn after_direction(&mut self, direction: Direction) -> PgResult<How> {
        if self.scan.eat("from") || self.scan.eat("in") {
            return Ok(How::new(direction, 1));
        }
        if self.scan.eat("all") {
            self.expect_from()?;
            return Ok(How {
                many: true,
                ..How::new(direction, i64::MAX)
            });
        }
        self.counted(direction, true)
    }
}

/// Arguments in the order of the parameters, under their names if any was given by name.
fn argument_list(values: &[Option<String>], names: &[std::sync::Arc<str>], named: bool) -> String {
    let parts = values.iter().zip(names).map(|(value, name)| {
        let value = value.as_deref().unwrap_or("");
        match named {
            true => format!("{value} AS {}", parser::quote_identifier(name)),
            false => value.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}
