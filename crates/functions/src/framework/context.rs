//! What a function knows about its call besides the arguments.

use std::any::Any;

use common::cancel::CancelToken;
use common::{Oid, PgResult};
use types::FormatSettings;
use types::io::{CompositeField, IoContext};
use types::settings::TypeRef;

use crate::framework::session::SessionContext;

/// The facts of one call site, fixed when the expression is compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct CallInfo {
    /// The function (`pg_proc.oid`).
    pub proc: Oid,
    /// Actual types of the arguments, polymorphic ones resolved.
    pub args: Vec<TypeRef>,
    /// Actual type of the result.
    pub result: TypeRef,
    /// The collation to compare under; invalid when none applies.
    pub collation: Oid,
    /// The call was written with `VARIADIC array`: the last argument is the array itself.
    pub variadic: bool,
    /// The column definition list of a function that returns `record`; empty without one.
    pub columns: Vec<CompositeField>,
}

impl CallInfo {
    /// A call with plain types and no collation (tests, casts).
    pub fn new(proc: Oid, args: &[Oid], result: Oid) -> CallInfo {
        CallInfo {
            proc,
            args: args.iter().map(|&oid| TypeRef::plain(oid)).collect(),
            result: TypeRef::plain(result),
            collation: Oid::INVALID,
            variadic: false,
            columns: Vec::new(),
        }
    }

    /// The type of argument `k`; invalid beyond the last.
    pub fn arg_type(&self, k: usize) -> Oid {
        self.args.get(k).map_or(Oid::INVALID, |t| t.oid)
    }
}

/// Room for what a call site wants to keep between batches: a compiled regular expression, a parsed format.
#[derive(Default)]
pub struct FnCache {
    slot: Option<Box<dyn Any + Send>>,
}

impl FnCache {
    /// The cached value, made by `make` unless one of this type for which `valid` holds is there.
    pub fn get_or_try_insert<T: Any + Send>(
        &mut self,
        valid: impl FnOnce(&T) -> bool,
        make: impl FnOnce() -> PgResult<T>,
    ) -> PgResult<&mut T> {
        let fresh = self
            .slot
            .as_ref()
            .and_then(|s| s.downcast_ref::<T>())
            .is_some_and(valid);
        if !fresh {
            self.slot = Some(Box::new(make()?));
        }
        match self.slot.as_mut().and_then(|s| s.downcast_mut::<T>()) {
            Some(value) => Ok(value),
            None => Err(common::internal!("function cache lost its value")),
        }
    }
}

/// Handed to every kernel.
pub struct FnContext<'a> {
    /// The call site.
    pub call: &'a CallInfo,
    /// Settings that shape text.
    pub settings: &'a FormatSettings,
    /// To be polled by functions that run long.
    pub cancel: &'a CancelToken,
    /// The session, for functions that look beyond their arguments.
    pub session: &'a dyn SessionContext,
    /// State of this call site.
    pub cache: &'a mut FnCache,
}

impl<'a> FnContext<'a> {
    /// What `types::io` needs for input and output of values.
    pub fn io(&self) -> IoContext<'a> {
        IoContext {
            settings: self.settings,
            resolver: Some(self.session.resolver()),
            cancel: self.cancel,
        }
    }
}
