//! Views, materialized views and sequences.

use common::{PgResult, Span};

use crate::ast::{
    AlterSeqStmt, ColumnRef, CommonTableExpr, CreateSeqStmt, CreateTableAsStmt, CteMaterialize, DefArg,
    DefElem, Expr, ObjectType, Persistence, RangeVar, RefreshMatViewStmt, ResTarget, SelectStmt, Statement,
    TableRef, ViewCheckOption, ViewStmt, WithClause,
};
use crate::grammar::options::number_arg;
use crate::grammar::table::OnCommit;
use crate::grammar::transaction::option;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// CREATE [RECURSIVE] VIEW; the current token is RECURSIVE or VIEW.
    pub fn create_view(&mut self, start: u32, replace: bool, persistence: Persistence) -> R<Statement> {
        let recursive = self.eat(K::Recursive);
        self.expect(K::View)?;
        let mut view = self.qualified_name()?;
        view.persistence = persistence;
        let aliases = if recursive {
            self.paren_list(|p| p.col_id())?
        } else {
            self.opt_column_list()?
        };
        let options = self.opt_reloptions()?;
        self.expect(K::As)?;
        let mut query = self.select_stmt()?;
        let check_at = self.span();
        let with_check_option = self.opt_check_option()?;
        if recursive {
            if with_check_option != ViewCheckOption::None {
                let message = "WITH CHECK OPTION not supported on recursive views";
                return Err(self.not_supported(message, check_at));
            }
            query = make_recursive_view_select(&view, &aliases, query);
        }
        let span = self.span_from(start);
        Ok(ViewStmt {
            view,
            aliases,
            query,
            replace,
            options,
            with_check_option,
            span,
        }
        .into())
    }

    fn opt_check_option(&mut self) -> R<ViewCheckOption> {
        if !self.eat(K::With) {
            return Ok(ViewCheckOption::None);
        }
        let option = if self.eat(K::Local) {
            ViewCheckOption::Local
        } else {
            self.eat(K::Cascaded);
            ViewCheckOption::Cascaded
        };
        self.expect_all(&[K::Check, K::Option])?;
        Ok(option)
    }

    /// CREATE MATERIALIZED VIEW; the current token is MATERIALIZED.
    pub fn create_mat_view(&mut self, start: u32, persistence: Persistence) -> R<Statement> {
        self.expect_all(&[K::Materialized, K::View])?;
        let if_not_exists = self.opt_if_not_exists()?;
        let mut rel = self.qualified_name()?;
        rel.persistence = persistence;
        let mut into = self.create_as_target(rel, OnCommit::NotAllowed)?;
        self.expect(K::As)?;
        let query = Statement::Select(self.select_stmt()?);
        into.skip_data = !self.opt_with_data()?;
        let (into, span) = (Box::new(into), self.span_from(start));
        Ok(CreateTableAsStmt {
            query,
            into,
            objtype: ObjectType::MatView,
            if_not_exists,
            span,
        }
        .into())
    }

    /// REFRESH MATERIALIZED VIEW.
    pub fn refresh_mat_view(&mut self) -> R<Statement> {
        let start = self.take().start;
        self.expect_all(&[K::Materialized, K::View])?;
        let concurrent = self.eat(K::Concurrently);
        let relation = self.qualified_name()?;
        let skip_data = !self.opt_with_data()?;
        Ok(RefreshMatViewStmt {
            concurrent,
            skip_data,
            relation,
            span: self.span_from(start),
        }
        .into())
    }

    // ---- sequences ----------------------------------------------------------------------------------------------

    /// CREATE SEQUENCE; the current token is SEQUENCE.
    pub fn create_sequence(&mut self, start: u32, persistence: Persistence) -> R<Statement> {
        self.expect(K::Sequence)?;
        let if_not_exists = self.opt_if_not_exists()?;
        let mut sequence = self.qualified_name()?;
        sequence.persistence = persistence;
        let options = self.seq_options()?;
        Ok(CreateSeqStmt {
            sequence,
            options,
            if_not_exists,
            span: self.span_from(start),
        }
        .into())
    }

    /// ALTER SEQUENCE with options, after the name.
    pub fn alter_sequence_options(
        &mut self,
        start: u32,
        sequence: RangeVar,
        missing_ok: bool,
    ) -> R<Statement> {
        let options = self.seq_options()?;
        if options.is_empty() {
            return self.fail();
        }
        Ok(AlterSeqStmt {
            sequence,
            options,
            missing_ok,
            span: self.span_from(start),
        }
        .into())
    }

    /// Any number of sequence options.
    pub fn seq_options(&mut self) -> R<Vec<DefElem>> {
        let mut options = Vec::new();
        while let Some(option) = self.seq_option()? {
            options.push(option);
        }
        Ok(options)
    }

    /// One sequence option, if one starts here.
    pub fn seq_option(&mut self) -> R<Option<DefElem>> {
        let span = self.span();
        let Tok::Kw(word) = self.tok else { return Ok(None) };
        let (name, arg) = match word {
            K::As => {
                self.bump();
                ("as", Some(DefArg::TypeName(Box::new(self.simple_typename()?))))
            }
            K::Cache => ("cache", Some(self.seq_number()?)),
            K::Increment => {
                self.bump();
                self.eat(K::By);
                ("increment", Some(number_arg(self.numeric_only()?)))
            }
            K::Maxvalue => ("maxvalue", Some(self.seq_number()?)),
            K::Minvalue => ("minvalue", Some(self.seq_number()?)),
            K::Cycle => {
                self.bump();
                ("cycle", Some(DefArg::Boolean(true)))
            }
            K::Logged | K::Unlogged => {
                self.bump();
                (if word == K::Logged { "logged" } else { "unlogged" }, None)
            }
            K::No => {
                self.bump();
                match self.tok {
                    Tok::Kw(K::Maxvalue) => ("maxvalue", None),
                    Tok::Kw(K::Minvalue) => ("minvalue", None),
                    Tok::Kw(K::Cycle) => ("cycle", Some(DefArg::Boolean(false))),
                    _ => return self.fail(),
                }
            }
            K::Owned => {
                self.bump();
                self.expect(K::By)?;
                ("owned_by", Some(DefArg::Names(self.any_name()?)))
            }
            K::Sequence => {
                self.bump();
                self.expect(K::Name)?;
                ("sequence_name", Some(DefArg::Names(self.any_name()?)))
            }
            K::Start => {
                self.bump();
                self.eat(K::With);
                ("start", Some(number_arg(self.numeric_only()?)))
            }
            K::Restart => {
                self.bump();
                let with = self.eat(K::With);
                let number = with || matches!(self.tok, Tok::IConst | Tok::FConst | Tok::Char(b'+' | b'-'));
                (
                    "restart",
                    if number {
                        Some(number_arg(self.numeric_only()?))
                    } else {
                        None
                    },
                )
            }
            _ => return Ok(None),
        };
        if word == K::No {
            self.bump();
        }
        Ok(Some(option(name, arg, self.span_from(span.start))))
    }

    fn seq_number(&mut self) -> R<DefArg> {
        self.bump();
        Ok(number_arg(self.numeric_only()?))
    }
}

/// `CREATE RECURSIVE VIEW v (a) AS q` is a view on `WITH RECURSIVE v (a) AS (q) SELECT a FROM v`.
fn make_recursive_view_select(
    view: &RangeVar,
    aliases: &[crate::ast::Ident],
    query: Box<SelectStmt>,
) -> Box<SelectStmt> {
    let cte = CommonTableExpr {
        name: view.relation.clone(),
        columns: aliases.to_vec(),
        materialized: CteMaterialize::Default,
        span: Span::NONE,
        query: Statement::Select(query),
        search: None,
        cycle: None,
    };
    let target_list = aliases
        .iter()
        .map(|alias| ResTarget {
            name: None,
            indirection: Vec::new(),
            val: Some(Expr::ColumnRef(ColumnRef {
                fields: vec![alias.clone()],
                star: false,
                span: Span::NONE,
            })),
            span: Span::NONE,
        })
        .collect();
    let from = RangeVar {
        catalog: None,
        schema: None,
        span: Span::NONE,
        ..view.clone()
    };
    let with = WithClause {
        ctes: vec![cte],
        recursive: true,
        span: Span::NONE,
    };
    Box::new(SelectStmt {
        with: Some(Box::new(with)),
        target_list,
        from: vec![TableRef::RangeVar(Box::new(from))],
        ..Default::default()
    })
}
