//! CREATE: the words in front decide what is created.

use common::PgResult;

use crate::ast::{Persistence, RoleStmtType, Statement};
use crate::grammar::table::{TableForms, TableHead};
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// CREATE.
    pub fn create_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        if self.eat(K::Or) {
            self.expect(K::Replace)?;
            return self.create_or_replace(start);
        }
        let Tok::Kw(word) = self.tok else {
            return self.fail();
        };
        match word {
            K::Table | K::Sequence => self.create_relation(start, Persistence::Permanent),
            K::Temp | K::Temporary | K::Local | K::Global | K::Unlogged => {
                let persistence = self.opt_temp()?;
                self.create_relation(start, persistence)
            }
            K::View | K::Recursive => self.create_view(start, false, Persistence::Permanent),
            K::Materialized => self.create_mat_view(start, Persistence::Permanent),
            K::Index => Ok(self.index_stmt(start, false)?.into()),
            K::Unique => {
                self.bump();
                if !self.at(K::Index) {
                    return self.fail();
                }
                Ok(self.index_stmt(start, true)?.into())
            }
            K::Foreign => {
                if self.next_is(K::Table) {
                    return self.create_foreign_table(start);
                }
                self.bump();
                self.expect_all(&[K::Data, K::Wrapper])?;
                self.create_fdw(start)
            }
            K::Function
            | K::Procedure
            | K::Aggregate
            | K::Trigger
            | K::Constraint
            | K::Rule
            | K::Transform
            | K::Language
            | K::Trusted
            | K::Procedural => self.create_replaceable(start, false),
            _ => self.create_other(start, word),
        }
    }

    fn create_other(&mut self, start: u32, word: K) -> R<Statement> {
        match word {
            K::Type => self.create_type(start),
            K::Domain => self.create_domain(start),
            K::Operator => self.create_operator(start),
            K::Cast => self.create_cast(start),
            K::Default | K::Conversion => self.create_conversion(start),
            K::Collation => self.create_collation(start),
            K::Text => self.create_text_search(start),
            K::Assertion => self.create_assertion(start),
            K::Schema => self.create_schema(start),
            K::Database => self.create_database(start),
            K::Tablespace => self.create_tablespace(start),
            K::Extension => self.create_extension(start),
            K::Access => self.create_access_method(start),
            K::Server => self.create_server(start),
            K::Publication => self.create_publication(start),
            K::Subscription => self.create_subscription(start),
            K::Statistics => self.create_statistics(start),
            K::Event => self.create_event_trigger(start),
            K::Policy => self.create_policy(start),
            K::User if self.at_user_mapping() => {
                self.bump();
                self.bump();
                self.create_user_mapping(start)
            }
            K::Role | K::User | K::Group => {
                self.bump();
                let kind = match word {
                    K::Role => RoleStmtType::Role,
                    K::User => RoleStmtType::User,
                    _ => RoleStmtType::Group,
                };
                self.create_role(start, kind)
            }
            _ => self.fail(),
        }
    }

    /// After TEMP, UNLOGGED or nothing.
    fn create_relation(&mut self, start: u32, persistence: Persistence) -> R<Statement> {
        match self.tok {
            Tok::Kw(K::Table) => self.create_table(TableHead {
                start,
                persistence,
                forms: TableForms::Any,
            }),
            Tok::Kw(K::Sequence) => self.create_sequence(start, persistence),
            Tok::Kw(K::View | K::Recursive) => self.create_view(start, false, persistence),
            Tok::Kw(K::Materialized) if persistence == Persistence::Unlogged => {
                self.create_mat_view(start, persistence)
            }
            _ => self.fail(),
        }
    }

    fn create_or_replace(&mut self, start: u32) -> R<Statement> {
        match self.tok {
            Tok::Kw(K::View | K::Recursive) => self.create_view(start, true, Persistence::Permanent),
            Tok::Kw(K::Temp | K::Temporary | K::Local | K::Global | K::Unlogged) => {
                let persistence = self.opt_temp()?;
                if !matches!(self.tok, Tok::Kw(K::View | K::Recursive)) {
                    return self.fail();
                }
                self.create_view(start, true, persistence)
            }
            _ => self.create_replaceable(start, true),
        }
    }

    /// Objects that take OR REPLACE.
    fn create_replaceable(&mut self, start: u32, replace: bool) -> R<Statement> {
        match self.tok {
            Tok::Kw(K::Function | K::Procedure) => self.create_function(start, replace),
            Tok::Kw(K::Aggregate) => self.create_aggregate(start, replace),
            Tok::Kw(K::Trigger | K::Constraint) => self.create_trigger(start, replace),
            Tok::Kw(K::Rule) => self.create_rule(start, replace),
            Tok::Kw(K::Transform) => self.create_transform(start, replace),
            Tok::Kw(K::Language | K::Trusted | K::Procedural) => self.create_language(start, replace),
            _ => self.fail(),
        }
    }
}
