//! Aggregates made by users: a state per group, changed by functions of any language.
//!
//! PG: src/backend/executor/nodeAgg.c (`advance_transition_function`, `finalize_aggregate`).
//!
//! # Invariants
//! - A strict transition function never sees NULL: rows with NULLs are skipped, without an initial value the first value becomes the
//!   state, and a state that became NULL stays so.
//! - States of type `internal` are those of the built-in aggregate with the same functions: its own code computes them.
//! - Calls that differ in their final functions only share their states ([`AggCode::shares_with`]).

use std::any::Any;
use std::sync::Arc;

use catalog::view::AggregateDesc;
use common::{Oid, PgResult, internal, pg_err, unsupported};
use functions::framework::aggregate::{Accumulator, MakeAccumulator};
use functions::{CallInfo, FnCache, FnContext, Kernels, facts};
use types::settings::TypeRef;
use types::{Datum, Selection, Vector, oids};

use crate::compile::Compiler;

/// The code behind an aggregate.
#[derive(Clone)]
pub(crate) enum AggCode {
    /// Written in Rust.
    Builtin(MakeAccumulator),
    /// Functions named in `pg_aggregate`.
    User(Arc<UserAggregate>),
}

/// What a call looks like to the functions of an aggregate.
#[derive(Clone, Copy)]
pub(crate) struct AggSignature<'a> {
    pub func: Oid,
    /// Actual types, direct arguments first.
    pub args: &'a [TypeRef],
    /// How many are direct.
    pub direct: usize,
    /// Type of the state, when analysis has resolved it.
    pub trans_type: Option<Oid>,
    pub result: TypeRef,
    pub collation: Oid,
}

/// A support function with its call site.
pub(crate) struct Support {
    kernels: Kernels,
    info: CallInfo,
    strict: bool,
}

impl Support {
    fn new(
        c: &Compiler<'_>,
        func: Oid,
        args: Vec<TypeRef>,
        result: TypeRef,
        collation: Oid,
    ) -> PgResult<Support> {
        let strict = c.catalog.function(func)?.is_some_and(|f| f.strict);
        Ok(Support {
            kernels: c.kernels_of(func)?,
            info: CallInfo {
                proc: func,
                args,
                result,
                collation,
                variadic: false,
                columns: Vec::new(),
            },
            strict,
        })
    }

    fn call(&self, ctx: &FnContext<'_>, cache: &mut FnCache, args: &[Datum]) -> PgResult<Datum> {
        let mut inner = FnContext {
            call: &self.info,
            settings: ctx.settings,
            cancel: ctx.cancel,
            session: ctx.session,
            cache,
        };
        (self.kernels.scalar)(&mut inner, args)
    }
}

/// The form of an aggregate that also takes values away.
pub(crate) struct Moving {
    pub forward: UserAggregate,
    inverse: Support,
}

/// An aggregate as its catalog row defines it, for one call.
pub(crate) struct UserAggregate {
    trans: Support,
    finalize: Option<Support>,
    state_type: Oid,
    init: Option<Arc<str>>,
    direct: usize,
    /// NULLs that the final function gets after the direct arguments.
    extra: usize,
    /// The final function leaves the state as it is.
    pub reads_only: bool,
    /// For frames that move.
    pub moving: Option<Box<Moving>>,
}

impl AggCode {
    pub fn compile(c: &Compiler<'_>, call: &AggSignature<'_>) -> PgResult<AggCode> {
        if let Some(make) = functions::aggregate(call.func) {
            return Ok(AggCode::Builtin(make));
        }
        let missing = || match c.catalog.function(call.func) {
            Ok(Some(f)) => unsupported!("aggregate {} is not implemented yet", f.name),
            _ => internal!("cache lookup failed for function {}", call.func),
        };
        let desc = match c.catalog.aggregate(call.func)? {
            Some(desc) if call.func >= Oid::FIRST_NORMAL => desc,
            _ => return Err(missing()),
        };
        if let Some(make) = twin(&desc) {
            return Ok(AggCode::Builtin(make));
        }
        if desc.kind == b'h' || desc.trans_type == oids::INTERNAL {
            return Err(missing());
        }
        let mut user = UserAggregate::new(c, call, &desc)?;
        if desc.moving.inverse_func.is_valid() && call.direct == 0 {
            user.moving = Some(Box::new(moving(c, call, &desc)?));
        }
        Ok(AggCode::User(Arc::new(user)))
    }

    pub fn make(&self, info: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        match self {
            AggCode::Builtin(make) => make(info),
            AggCode::User(user) => Ok(Box::new(UserStates::new(Arc::clone(user)))),
        }
    }

    /// True when the states of the other, for the same arguments, serve this aggregate as well.
    pub fn shares_with(&self, other: &AggCode) -> bool {
        let (AggCode::User(a), AggCode::User(b)) = (self, other) else {
            return false;
        };
        a.trans.info == b.trans.info
            && a.state_type == b.state_type
            && a.init == b.init
            && a.reads_only
            && b.reads_only
    }

    /// The result of a group whose state is in the accumulator of another call.
    pub fn finalize_shared(
        &self,
        states: &mut dyn Accumulator,
        ctx: &FnContext<'_>,
        group: u32,
    ) -> PgResult<Datum> {
        let states: &mut dyn Any = states;
        match (self, states.downcast_mut::<UserStates>()) {
            (AggCode::User(user), Some(states)) => states.result(ctx, group, user),
            _ => Err(internal!("aggregate shares a state of another kind")),
        }
    }
}

/// The built-in aggregate with the same functions, for states that SQL cannot see.
fn twin(desc: &AggregateDesc) -> Option<MakeAccumulator> {
    if desc.trans_type != oids::INTERNAL {
        return None;
    }
    let same = |a: &&facts::AggregateRow| {
        a.aggtransfn == desc.trans_func
            && a.aggfinalfn == desc.final_func
            && a.aggtranstype == desc.trans_type
            && a.aggkind == desc.kind
    };
    let mut found = facts::aggregates().iter().filter(same);
    found.find_map(|a| functions::aggregate(a.aggfnoid))
}

fn moving(c: &Compiler<'_>, call: &AggSignature<'_>, desc: &AggregateDesc) -> PgResult<Moving> {
    let m = &desc.moving;
    let form = AggregateDesc {
        trans_func: m.trans_func,
        final_func: m.final_func,
        final_extra: m.final_extra,
        trans_type: m.trans_type,
        init_value: m.init_value.clone(),
        ..desc.clone()
    };
    let call = AggSignature {
        trans_type: None,
        ..*call
    };
    let forward = UserAggregate::new(c, &call, &form)?;
    let site = &forward.trans.info;
    let inverse = Support::new(c, m.inverse_func, site.args.clone(), site.result, call.collation)?;
    Ok(Moving { forward, inverse })
}

/// The type of the state of a call: polymorphic ones follow the arguments.
fn state_type(c: &Compiler<'_>, call: &AggSignature<'_>, desc: &AggregateDesc) -> PgResult<Oid> {
    if let Some(known) = call.trans_type {
        return Ok(known);
    }
    let Some(f) = c.catalog.function(call.func)? else {
        return Err(internal!("cache lookup failed for function {}", call.func));
    };
    let same = f.arg_types.iter().position(|a| *a == desc.trans_type);
    let actual = |k: usize| call.args.get(k).map(|t| t.oid);
    if let Some(found) = same.and_then(actual) {
        return Ok(found);
    }
    let is_array = matches!(desc.trans_type, oids::ANYARRAY | oids::ANYCOMPATIBLEARRAY);
    let elements = [oids::ANYELEMENT, oids::ANYNONARRAY, oids::ANYCOMPATIBLE];
    let element = f.arg_types.iter().position(|a| elements.contains(a));
    match element.and_then(actual).filter(|_| is_array) {
        Some(element) => Ok(c.catalog.type_desc(element)?.map_or(desc.trans_type, |t| t.array)),
        None => Ok(desc.trans_type),
    }
}

impl UserAggregate {
    fn new(c: &Compiler<'_>, call: &AggSignature<'_>, desc: &AggregateDesc) -> PgResult<UserAggregate> {
        let state_type = state_type(c, call, desc)?;
        let state = TypeRef::plain(state_type);
        let (direct, aggregated) = call.args.split_at(call.direct.min(call.args.len()));
        let with_state = |args: &[TypeRef]| -> Vec<TypeRef> {
            std::iter::once(state).chain(args.iter().copied()).collect()
        };
        let extra = if desc.final_extra { aggregated.len() } else { 0 };
        let finalize = match desc.final_func.is_valid() {
            true => {
                let given = &call.args[..direct.len() + extra];
                Some(Support::new(
                    c,
                    desc.final_func,
                    with_state(given),
                    call.result,
                    call.collation,
                )?)
            }
            false => None,
        };
        Ok(UserAggregate {
            trans: Support::new(c, desc.trans_func, with_state(aggregated), state, call.collation)?,
            finalize,
            state_type,
            init: desc.init_value.clone(),
            direct: direct.len(),
            extra,
            reads_only: desc.final_modify == b'r',
            moving: None,
        })
    }

    /// The state of a group without rows; `None`: without a value yet, the first one becomes the state.
    pub fn initial(&self, ctx: &FnContext<'_>) -> PgResult<Option<Datum>> {
        match &self.init {
            Some(text) => types::io::input(self.state_type, -1, text, &ctx.io()).map(Some),
            None if self.trans.strict => Ok(None),
            None => Ok(Some(Datum::Null)),
        }
    }

    /// True when a strict transition function would not be called: a value is NULL.
    pub fn skips(&self, values: &[Datum]) -> bool {
        self.trans.strict && values.iter().any(Datum::is_null)
    }

    /// The state after one more row.
    pub fn advance(
        &self,
        ctx: &FnContext<'_>,
        cache: &mut FnCache,
        state: Option<Datum>,
        values: &[Datum],
    ) -> PgResult<Option<Datum>> {
        if self.skips(values) {
            return Ok(state);
        }
        let state = match state {
            Some(state) if self.trans.strict && state.is_null() => return Ok(Some(state)),
            Some(state) => state,
            None => return Ok(values.first().cloned()),
        };
        let mut args = Vec::with_capacity(values.len() + 1);
        args.push(state);
        args.extend_from_slice(values);
        self.trans.call(ctx, cache, &args).map(Some)
    }

    /// The result of a state.
    pub fn finish(
        &self,
        ctx: &FnContext<'_>,
        cache: &mut FnCache,
        state: Option<Datum>,
        direct: &[Datum],
    ) -> PgResult<Datum> {
        let state = state.unwrap_or(Datum::Null);
        let Some(f) = &self.finalize else {
            return Ok(state);
        };
        let mut args = vec![state];
        args.extend((0..self.direct).map(|k| direct.get(k).cloned().unwrap_or(Datum::Null)));
        args.resize(args.len() + self.extra, Datum::Null);
        if f.strict && args.iter().any(Datum::is_null) {
            return Ok(Datum::Null);
        }
        f.call(ctx, cache, &args)
    }
}

impl Moving {
    /// True when a row with these values changes no state.
    pub fn skips(&self, values: &[Datum]) -> bool {
        self.forward.skips(values)
    }

    /// The state with a row more.
    pub fn add(
        &self,
        ctx: &FnContext<'_>,
        cache: &mut FnCache,
        state: Option<Datum>,
        values: &[Datum],
    ) -> PgResult<Option<Datum>> {
        let next = self.forward.advance(ctx, cache, state, values)?;
        if !self.forward.skips(values) && next.as_ref().is_none_or(Datum::is_null) {
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "moving-aggregate transition function must not return null"
            ));
        }
        Ok(next)
    }

    /// The state without a row; `None`: that cannot be told.
    pub fn remove(
        &self,
        ctx: &FnContext<'_>,
        cache: &mut FnCache,
        state: Datum,
        values: &[Datum],
    ) -> PgResult<Option<Datum>> {
        let mut args = vec![state];
        args.extend_from_slice(values);
        let next = self.inverse.call(ctx, cache, &args)?;
        Ok((!next.is_null()).then_some(next))
    }
}

/// The states of all groups.
struct UserStates {
    user: Arc<UserAggregate>,
    groups: Vec<Group>,
    /// The initial state, once it has been read.
    initial: Option<Option<Datum>>,
    trans_cache: FnCache,
    final_cache: FnCache,
}

#[derive(Clone, Default)]
struct Group {
    /// A row was added.
    begun: bool,
    state: Option<Datum>,
    direct: Vec<Datum>,
}

impl UserStates {
    fn new(user: Arc<UserAggregate>) -> UserStates {
        UserStates {
            user,
            groups: Vec::new(),
            initial: None,
            trans_cache: FnCache::default(),
            final_cache: FnCache::default(),
        }
    }

    fn initial(&mut self, ctx: &FnContext<'_>) -> PgResult<Option<Datum>> {
        if let Some(known) = &self.initial {
            return Ok(known.clone());
        }
        let made = self.user.initial(ctx)?;
        self.initial = Some(made.clone());
        Ok(made)
    }

    fn result(&mut self, ctx: &FnContext<'_>, group: u32, user: &UserAggregate) -> PgResult<Datum> {
        let Some(found) = self.groups.get(group as usize).cloned() else {
            return Err(internal!("aggregate has no group {group}"));
        };
        let state = match found.begun {
            true => found.state,
            false => self.initial(ctx)?,
        };
        user.finish(ctx, &mut self.final_cache, state, &found.direct)
    }
}

impl Accumulator for UserStates {
    fn resize(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize(groups, Group::default());
        }
    }

    fn update(
        &mut self,
        ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let initial = self.initial(ctx)?;
        let user = Arc::clone(&self.user);
        let (direct, aggregated) = args.split_at(user.direct.min(args.len()));
        let mut values = Vec::with_capacity(aggregated.len());
        for (row, number) in sel.iter().zip(groups) {
            let Some(group) = self.groups.get_mut(*number as usize) else {
                return Err(internal!("aggregate has no group {number}"));
            };
            if !group.begun {
                group.begun = true;
                group.state = initial.clone();
                group.direct = direct.iter().map(|d| d.datum(row)).collect();
            }
            values.clear();
            values.extend(aggregated.iter().map(|a| a.datum(row)));
            let state = group.state.take();
            group.state = user.advance(ctx, &mut self.trans_cache, state, &values)?;
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, _: Box<dyn Accumulator>, _: &[u32]) -> PgResult<()> {
        // Plans with partial aggregates are for those of the built-in ones that have them.
        Err(internal!("states of a user-defined aggregate cannot be combined"))
    }

    fn finalize(&mut self, ctx: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let user = Arc::clone(&self.user);
        self.result(ctx, group, &user)
    }

    fn memory_bytes(&self) -> usize {
        self.groups.len() * std::mem::size_of::<Group>()
    }
}
