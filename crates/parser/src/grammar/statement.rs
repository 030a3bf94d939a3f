//! The first word of a statement decides which production reads it.

use common::PgResult;

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
            K::Create => self.create_stmt(),
            K::Alter => self.alter_stmt(),
            K::Drop => self.drop_stmt(),
            K::Copy => self.copy_stmt(),
            K::Explain => self.explain_stmt(),
            K::Prepare if self.next_is(K::Transaction) && self.peek(2) == Tok::SConst => {
                self.prepare_transaction()
            }
            K::Prepare => self.prepare_stmt(),
            K::Execute => Ok(self.execute_stmt()?.into()),
            K::Deallocate => self.deallocate_stmt(),
            K::Declare => self.declare_cursor(),
            K::Fetch | K::Move => self.fetch_stmt(),
            K::Close => self.close_stmt(),
            K::Grant | K::Revoke => self.grant_stmt(),
            _ => self.other_statement(word),
        }
    }

    fn other_statement(&mut self, word: K) -> R<Statement> {
        match word {
            K::Analyze | K::Analyse => self.analyze_stmt(),
            K::Call => self.call_stmt(),
            K::Checkpoint => self.checkpoint_stmt(),
            K::Cluster => self.cluster_stmt(),
            K::Comment => self.comment_stmt(),
            K::Discard => self.discard_stmt(),
            K::Do => self.do_stmt(),
            K::Import => self.import_foreign_schema(),
            K::Listen => self.listen_stmt(),
            K::Load => self.load_stmt(),
            K::Lock => self.lock_stmt(),
            K::Notify => self.notify_stmt(),
            K::Reassign => self.reassign_owned(),
            K::Refresh => self.refresh_mat_view(),
            K::Reindex => self.reindex_stmt(),
            K::Security => self.security_label_stmt(),
            K::Truncate => self.truncate_stmt(),
            K::Unlisten => self.unlisten_stmt(),
            K::Vacuum => self.vacuum_stmt(),
            _ => self.fail(),
        }
    }
}
