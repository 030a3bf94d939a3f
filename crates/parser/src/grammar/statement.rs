//! The first words of a statement decide which production reads it.

use common::{PgResult, unsupported};

use crate::ast::Statement;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// One statement of any kind.
    pub fn statement(&mut self) -> R<Statement> {
        let Tok::Kw(word) = self.tok else {
            if self.at('(') || self.at(Tok::WithLa) {
                return self.preparable_stmt();
            }
            return self.fail();
        };
        match word {
            K::Select | K::Values | K::Table | K::With | K::Insert | K::Update | K::Delete | K::Merge => {
                self.preparable_stmt()
            }
            K::Begin | K::Start | K::Commit | K::End | K::Rollback | K::Abort | K::Savepoint | K::Release => {
                self.transaction_stmt()
            }
            K::Set => self.set_stmt(),
            K::Reset => self.reset_stmt(),
            K::Show => self.show_stmt(),
            K::Discard => self.discard_stmt(),
            K::Create | K::Alter | K::Drop => Err(unsupported!("{} is not yet parsed", word.as_str())),
            _ => self.fail(),
        }
    }
}
