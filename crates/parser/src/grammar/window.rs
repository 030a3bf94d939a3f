//! OVER, window specifications and frames.

use common::error::ErrorExt;
use common::{PgError, PgResult, Span, pg_err};

use crate::ast::{FrameBound, FrameExclusion, FrameMode, WindowDef, WindowFrame};
use crate::keywords::Keyword as K;
use crate::parser::{Parser, is_col_id};
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// `OVER name | OVER (...)`.
    #[inline(never)]
    pub fn over_clause(&mut self) -> R<Option<Box<WindowDef>>> {
        if !self.eat(K::Over) {
            return Ok(None);
        }
        if self.at('(') {
            return Ok(Some(Box::new(self.window_specification()?)));
        }
        let name = self.col_id()?;
        let span = name.span;
        let (partition_clause, order_clause) = (Vec::new(), Vec::new());
        let window = WindowDef {
            name: Some(name),
            refname: None,
            partition_clause,
            order_clause,
            frame: None,
            span,
        };
        Ok(Some(Box::new(window)))
    }

    /// `( [name] [PARTITION BY ...] [ORDER BY ...] [frame] )`.
    #[inline(never)]
    pub fn window_specification(&mut self) -> R<WindowDef> {
        self.check_stack()?;
        let start = self.start();
        self.expect('(')?;
        let is_name = is_col_id(self.tok)
            && !matches!(self.tok, Tok::Kw(K::Partition | K::Range | K::Rows | K::Groups));
        let refname = if is_name { Some(self.take_name()) } else { None };
        let mut partition_clause = Vec::new();
        if self.eat(K::Partition) {
            self.expect(K::By)?;
            partition_clause = self.expr_list()?;
        }
        let order_clause = self.opt_sort_clause()?;
        let frame = self.opt_frame_clause()?;
        self.expect(')')?;
        let span = self.span_from(start);
        Ok(WindowDef {
            name: None,
            refname,
            partition_clause,
            order_clause,
            frame,
            span,
        })
    }

    fn opt_frame_clause(&mut self) -> R<Option<Box<WindowFrame>>> {
        let mode = match self.tok {
            Tok::Kw(K::Range) => FrameMode::Range,
            Tok::Kw(K::Rows) => FrameMode::Rows,
            Tok::Kw(K::Groups) => FrameMode::Groups,
            _ => return Ok(None),
        };
        let span_start = self.take().start;
        let (start, end) = self.frame_extent()?;
        let exclusion = self.opt_exclusion()?;
        let span = self.span_from(span_start);
        Ok(Some(Box::new(WindowFrame {
            mode,
            start,
            end,
            exclusion,
            span,
        })))
    }

    fn frame_extent(&mut self) -> R<(FrameBound, Option<FrameBound>)> {
        let between = self.at(K::Between) && !is_infix_only(self.peek(1));
        if between {
            self.bump();
            if self.at(K::Between) {
                return self.fail();
            }
        }
        let first_at = self.span();
        let start = self.frame_bound()?;
        if !between {
            let problem = match start {
                FrameBound::UnboundedFollowing => "frame start cannot be UNBOUNDED FOLLOWING",
                FrameBound::OffsetFollowing(_) => {
                    "frame starting from following row cannot end with current row"
                }
                _ => return Ok((start, None)),
            };
            return Err(self.windowing_error(problem, first_at));
        }
        self.expect(K::And)?;
        let second_at = self.span();
        let end = self.frame_bound()?;
        use FrameBound::{
            CurrentRow, OffsetFollowing, OffsetPreceding, UnboundedFollowing, UnboundedPreceding,
        };
        let (problem, at) = match (&start, &end) {
            (UnboundedFollowing, _) => ("frame start cannot be UNBOUNDED FOLLOWING", first_at),
            (_, UnboundedPreceding) => ("frame end cannot be UNBOUNDED PRECEDING", second_at),
            (CurrentRow, OffsetPreceding(_)) => (
                "frame starting from current row cannot have preceding rows",
                second_at,
            ),
            (OffsetFollowing(_), OffsetPreceding(_) | CurrentRow) => (
                "frame starting from following row cannot have preceding rows",
                second_at,
            ),
            _ => return Ok((start, Some(end))),
        };
        Err(self.windowing_error(problem, at))
    }

    fn windowing_error(&self, problem: &str, span: Span) -> Box<PgError> {
        pg_err!(WINDOWING_ERROR, "{problem}").at(span)
    }

    fn frame_bound(&mut self) -> R<FrameBound> {
        if self.at(K::Unbounded) && matches!(self.peek(1), Tok::Kw(K::Preceding | K::Following)) {
            self.bump();
            let preceding = self.take().tok == Tok::Kw(K::Preceding);
            return Ok(if preceding {
                FrameBound::UnboundedPreceding
            } else {
                FrameBound::UnboundedFollowing
            });
        }
        if self.eat2(K::Current, K::Row) {
            return Ok(FrameBound::CurrentRow);
        }
        let offset = self.a_expr()?;
        if self.eat(K::Preceding) {
            return Ok(FrameBound::OffsetPreceding(offset));
        }
        self.expect(K::Following)?;
        Ok(FrameBound::OffsetFollowing(offset))
    }

    fn opt_exclusion(&mut self) -> R<FrameExclusion> {
        if !self.eat(K::Exclude) {
            return Ok(FrameExclusion::NoOthers);
        }
        let exclusion = match self.tok {
            Tok::Kw(K::Current) => {
                self.bump();
                FrameExclusion::CurrentRow
            }
            Tok::Kw(K::No) => {
                self.bump();
                FrameExclusion::NoOthers
            }
            Tok::Kw(K::Group) => FrameExclusion::Group,
            Tok::Kw(K::Ties) => FrameExclusion::Ties,
            _ => return self.fail(),
        };
        match exclusion {
            FrameExclusion::CurrentRow => self.expect(K::Row)?,
            FrameExclusion::NoOthers => self.expect(K::Others)?,
            _ => self.bump(),
        }
        Ok(exclusion)
    }
}

/// Tokens that continue an expression but cannot start one: BETWEEN in front of one is a column's name.
fn is_infix_only(tok: Tok) -> bool {
    match tok {
        Tok::Char(b'*' | b'/' | b'%' | b'^' | b'<' | b'>' | b'=' | b'.' | b'[') => true,
        Tok::Typecast | Tok::LessEquals | Tok::GreaterEquals | Tok::NotEquals => true,
        Tok::Kw(k) => matches!(k, K::Isnull | K::Notnull | K::In | K::And | K::Or | K::Collate),
        _ => false,
    }
}
