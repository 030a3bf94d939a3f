//! Reading everything in the KV store: its values carry checksums.

use std::ops::{Bound, ControlFlow};

use common::PgResult;
use common::cancel::CancelToken;
use kv::Direction;

use crate::index::pack;
use crate::storage::Storage;

impl Storage {
    /// Reads every value of the KV store. Gives what is wrong, in words: a damaged keyspace is left at its first damage. An error only when
    /// cancelled or when the store cannot be read at all.
    pub fn verify_store(&self, cancel: &CancelToken) -> PgResult<Vec<String>> {
        let kv = &*self.shared.kv;
        let mut findings = Vec::new();
        for keyspace in kv.keyspaces()? {
            let mut outcome = Ok(());
            let all = (Bound::Unbounded, Bound::Unbounded);
            let read = kv.range(keyspace, all, Direction::Forward, &mut |_, _| {
                outcome = cancel.check();
                match outcome {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            });
            outcome?;
            if let Err(error) = read {
                findings.push(format!("relation {}: {error}", pack::relation_of(keyspace).0));
            }
        }
        Ok(findings)
    }
}
