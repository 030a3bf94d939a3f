//! Copying a database into another directory while it is used.
//!
//! # How it works
//! After a checkpoint the KV store holds exactly what was committed at one moment, and it stays so until the next one: nothing but
//! checkpoints writes to a relation that others can see, except large insertions ahead of their commits, of which the engine's own keyspace, copied
//! last, has notes: to the copy they are rolled back. So the checkpoint is held off and the store copied, keyspace by keyspace; the
//! copy needs no log, but for one with a record of each prepared transaction. Sessions go on reading and writing meanwhile; the log and delta keep what they do.
//!
//! # Invariants
//! - A copy that was broken off cannot be opened: the file [`INCOMPLETE`] lies in the directory until everything else is durable.

use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::cancel::CancelToken;
use common::env::{Env, OpenMode};
use common::error::ErrorExt;
use common::{Lsn, PgResult, pg_err};
use kv::{Direction, Durability, Keyspace, Kv, KvKind, KvOptions, WriteBatch};
use txn::{RecordKind, Wal, WalOptions};

use crate::storage::lockfile::{LockFile, io_error};
use crate::storage::meta::{self, META};
use crate::storage::{BATCH_BYTES, Storage};
use crate::transaction::prepared::PreparedCopy;

/// Lies in a directory while a backup is being written to it.
const INCOMPLETE: &str = "backup_incomplete";
const CACHE_BYTES: usize = 16 << 20;

/// 55000 when a backup into this directory was not finished.
pub(crate) fn refuse_incomplete(env: &dyn Env, dir: &Path) -> PgResult<()> {
    if !env.fs().exists(&dir.join(INCOMPLETE)) {
        return Ok(());
    }
    Err(pg_err!(
        OBJECT_NOT_IN_PREREQUISITE_STATE,
        "directory \"{}\" holds a backup that was not finished",
        dir.display()
    )
    .hint("Remove the directory and make the backup again."))
}

/// A file that goes into the directory as it is.
pub struct BackupFile {
    /// Where, in the directory.
    pub path: PathBuf,
    #[allow(missing_docs)]
    pub content: Vec<u8>,
}

fn copy_beside(env: &dyn Env, dir: &Path, files: &[BackupFile]) -> PgResult<()> {
    let fs = env.fs();
    for file in files {
        let path = dir.join(&file.path);
        let parent = path.parent().unwrap_or(dir);
        fs.create_dir_all(parent)
            .and_then(|()| fs.open(&path, OpenMode::CreateNew))
            .and_then(|made| {
                made.write_all_at(&file.content, 0)?;
                made.sync_all()
            })
            .and_then(|()| fs.sync_dir(parent))
            .map_err(|e| io_error(&format!("could not write file \"{}\"", path.display()), &e))?;
    }
    Ok(())
}

impl Storage {
    /// Writes what is committed now into a directory that does not exist yet or is empty, as a database that can be opened.
    ///
    /// `prepared` are the prepared transactions as of `at_point`, before which none of them may end.
    pub fn backup(
        &self,
        dir: &Path,
        kind: KvKind,
        cancel: &CancelToken,
        (prepared, at_point): (Vec<PreparedCopy>, impl FnOnce()),
        beside: &[BackupFile],
    ) -> PgResult<()> {
        let env = Arc::clone(self.env());
        let failed = |what: &str, e: &std::io::Error| io_error(&format!("{what} \"{}\"", dir.display()), e);
        let fs = env.fs();
        fs.create_dir_all(dir)
            .map_err(|e| failed("could not create directory", &e))?;
        let there = fs
            .read_dir(dir)
            .map_err(|e| failed("could not read directory", &e))?;
        if !there.is_empty() {
            return Err(pg_err!(
                DUPLICATE_FILE,
                "directory \"{}\" exists but is not empty",
                dir.display()
            ));
        }
        let _lock = LockFile::take(&env, dir)?;
        let marker = dir.join(INCOMPLETE);
        let file = fs
            .open(&marker, OpenMode::CreateNew)
            .map_err(|e| failed("could not write to directory", &e))?;
        file.sync_all()
            .and_then(|()| fs.sync_dir(dir))
            .map_err(|e| failed("could not sync directory", &e))?;
        let options = KvOptions {
            cache_bytes_max: CACHE_BYTES,
        };
        let target = kv::open(kind, &env, &dir.join("kv"), &options)?;
        self.copy_to(&*target, cancel, at_point)?;
        self.log_prepared(&env, &dir.join("wal"), &prepared)?;
        drop(target);
        copy_beside(&*env, dir, beside)?;
        let parent = dir.parent().unwrap_or(dir);
        fs.sync_dir(dir)
            .and_then(|()| fs.sync_dir(parent))
            .and_then(|()| fs.remove_file(&marker))
            .and_then(|()| fs.sync_dir(dir))
            .map_err(|e| failed("could not sync directory", &e))
    }

    /// A log that says of the prepared transactions what they would do.
    fn log_prepared(&self, env: &Arc<dyn Env>, dir: &Path, prepared: &[PreparedCopy]) -> PgResult<()> {
        if prepared.is_empty() {
            return Ok(());
        }
        let options = WalOptions {
            segment_size: self.options.wal_segment_size,
            ..WalOptions::new(dir.to_path_buf())
        };
        let wal = Wal::open(Arc::clone(env), options, Lsn::default(), &mut |_| Ok(()))?;
        for one in prepared {
            wal.append(RecordKind::PREPARE, one.xid, &one.record())?;
        }
        wal.flush(wal.insert_lsn())?;
        Ok(wal.close()?)
    }

    fn copy_to(&self, target: &dyn Kv, cancel: &CancelToken, at_point: impl FnOnce()) -> PgResult<()> {
        self.under(self.lock_maintenance(), || {
            self.checkpoint_locked(false)?;
            at_point();
            self.copy_store(target, cancel)
        })
    }

    fn copy_store(&self, target: &dyn Kv, cancel: &CancelToken) -> PgResult<()> {
        let source = &*self.shared.kv;
        for keyspace in source.keyspaces()?.into_iter().filter(|k| *k != META) {
            copy_keyspace(source, target, keyspace, cancel)?;
        }
        copy_keyspace(source, target, META, cancel)?;
        let mut batch = WriteBatch::new();
        meta::put_identity(&self.identity(), &mut batch);
        // There is no log to replay.
        meta::put_checkpoint(&self.checkpoint_record(Lsn::default(), false), &mut batch);
        target.write(batch, Durability::Immediate)?;
        Ok(target.flush()?)
    }
}

fn copy_keyspace(source: &dyn Kv, target: &dyn Kv, keyspace: Keyspace, cancel: &CancelToken) -> PgResult<()> {
    let mut batch = WriteBatch::new();
    let mut outcome = Ok(());
    let all = (Bound::Unbounded, Bound::Unbounded);
    source.range(keyspace, all, Direction::Forward, &mut |key, value| {
        batch.put(keyspace, key, value);
        if batch.payload_bytes() > BATCH_BYTES {
            let full = std::mem::take(&mut batch);
            outcome = cancel
                .check()
                .and_then(|()| Ok(target.write(full, Durability::Eventual)?));
        }
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    outcome?;
    Ok(target.write(batch, Durability::Eventual)?)
}
