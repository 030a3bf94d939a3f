//! The factory: from a backend's name and a directory to an open store.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use common::env::Env;

use crate::memory::MemoryKv;
#[cfg(feature = "redb")]
use crate::redb::RedbKv;
#[cfg(feature = "sled")]
use crate::sled::SledKv;
use crate::{Kv, KvError, KvResult};

/// Which backend keeps a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KvKind {
    /// Nothing on disk.
    Memory,
    /// One file of the `redb` crate; the default on disk.
    #[default]
    Redb,
    /// A directory of the `sled` crate; needs the cargo feature `sled`.
    Sled,
}

impl KvKind {
    /// Every backend, whether compiled in or not.
    pub const ALL: [KvKind; 3] = [KvKind::Memory, KvKind::Redb, KvKind::Sled];

    /// The name under which users choose it.
    pub fn name(self) -> &'static str {
        match self {
            KvKind::Memory => "memory",
            KvKind::Redb => "redb",
            KvKind::Sled => "sled",
        }
    }
}

impl fmt::Display for KvKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KvKind {
    type Err = KvError;

    fn from_str(text: &str) -> KvResult<KvKind> {
        let kind = KvKind::ALL.into_iter().find(|kind| kind.name() == text);
        kind.ok_or_else(|| KvError::InvalidOption(format!("unrecognized key-value store \"{text}\"")))
    }
}

/// What a backend may be told when it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvOptions {
    /// Most memory for cached pages. Decoded rows are cached above the store, so this one need not be large.
    pub cache_bytes_max: usize,
}

impl Default for KvOptions {
    fn default() -> KvOptions {
        KvOptions {
            cache_bytes_max: 64 << 20,
        }
    }
}

/// Opens the store in `dir`, creating directory and store when missing.
pub fn open(kind: KvKind, env: &Arc<dyn Env>, dir: &Path, options: &KvOptions) -> KvResult<Arc<dyn Kv>> {
    match kind {
        KvKind::Memory => Ok(Arc::new(MemoryKv::new())),
        #[cfg(feature = "redb")]
        KvKind::Redb => Ok(Arc::new(RedbKv::open(env, dir, options)?)),
        #[cfg(feature = "sled")]
        KvKind::Sled => Ok(Arc::new(SledKv::open(env, dir, options)?)),
        #[cfg(not(all(feature = "redb", feature = "sled")))]
        other => {
            // What is used only with some backend compiled in.
            let _ = (env, dir, options);
            Err(KvError::Unsupported(format!(
                "key-value store \"{other}\" is not supported by this build"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use common::env::sim::SimEnv;
    use common::sqlstate;

    use super::*;

    #[test]
    fn every_name_opens_its_store_or_says_that_it_cannot() {
        let env: Arc<dyn Env> = Arc::new(SimEnv::new(1));
        for kind in KvKind::ALL {
            assert_eq!(kind.name().parse::<KvKind>().unwrap(), kind);
            match open(kind, &env, Path::new("/db"), &KvOptions::default()) {
                Ok(kv) => assert_eq!(kv.name(), kind.name()),
                Err(e) => assert_eq!(e.sqlstate(), sqlstate::FEATURE_NOT_SUPPORTED, "{e}"),
            }
        }
        let error = "rocksdb".parse::<KvKind>().unwrap_err();
        assert_eq!(error.sqlstate(), sqlstate::INVALID_PARAMETER_VALUE);
        assert_eq!(error.to_string(), "unrecognized key-value store \"rocksdb\"");
    }
}
