//! What tests of single calls give to the functions.

use common::cancel::CancelToken;
use pglite_functions::{CallInfo, FnCache, FnContext, NoSession};
use types::FormatSettings;

/// Calls with default settings, no session and an empty cache.
pub fn with_context<R>(
    call: &CallInfo,
    cancel: &CancelToken,
    run: impl FnOnce(&mut FnContext<'_>) -> R,
) -> R {
    run(&mut FnContext {
        call,
        settings: &FormatSettings::default(),
        cancel,
        session: &NoSession,
        cache: &mut FnCache::default(),
    })
}
