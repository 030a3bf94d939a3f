//! Transactions and savepoints as guards: rolled back when dropped.

use std::ops::{Deref, DerefMut};

use crate::error::Result;
use crate::session::Session;

/// A transaction block, or a savepoint inside one. Use it as the session; commit it, or it rolls back when dropped.
pub struct Transaction<'s> {
    session: &'s mut Session,
    /// 0: the transaction itself; else the nesting depth of a savepoint.
    depth: u32,
    done: bool,
}

impl<'s> Transaction<'s> {
    pub(crate) fn begin(session: &'s mut Session) -> Result<Transaction<'s>> {
        session.batch_execute("BEGIN")?;
        Ok(Transaction {
            session,
            depth: 0,
            done: false,
        })
    }

    /// A savepoint inside this transaction.
    pub fn savepoint(&mut self) -> Result<Transaction<'_>> {
        let depth = self.depth + 1;
        self.session.batch_execute(&format!("SAVEPOINT pglite_{depth}"))?;
        Ok(Transaction {
            session: self.session,
            depth,
            done: false,
        })
    }

    /// Keeps what was done.
    pub fn commit(mut self) -> Result<()> {
        self.done = true;
        match self.depth {
            0 => self.session.batch_execute("COMMIT"),
            depth => self
                .session
                .batch_execute(&format!("RELEASE SAVEPOINT pglite_{depth}")),
        }
    }

    /// Undoes what was done.
    pub fn rollback(mut self) -> Result<()> {
        self.done = true;
        self.undo()
    }

    fn undo(&mut self) -> Result<()> {
        match self.depth {
            0 => self.session.batch_execute("ROLLBACK"),
            depth => self.session.batch_execute(&format!(
                "ROLLBACK TO SAVEPOINT pglite_{depth}; RELEASE SAVEPOINT pglite_{depth}"
            )),
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.done {
            // Nothing can be reported from here; a session that cannot even roll back refuses its next statement.
            let _ = self.undo();
        }
    }
}

impl Deref for Transaction<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.session
    }
}
