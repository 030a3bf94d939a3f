//! Compiled PL/pgSQL functions: the session's cache of them, calls, DO, the validator.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::desc::FunctionDesc;
use common::{Oid, PgError, PgResult, unsupported};
use functions::CallInfo;
use plpgsql::{Call, Language, Outcome, Routine, TriggerKind};
use types::{Datum, oids};

use crate::session::env::StatementEnv;
use crate::session::plpgsql::{Freedom, PlHost};

/// What a compiled function was made of: with another row or other types it is compiled again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FunctionKey {
    proc: Oid,
    args: Vec<Oid>,
    result: Oid,
    collation: Oid,
    is_trigger: bool,
}

/// A compiled function and the description it was made from.
pub(crate) struct Compiled {
    desc: Arc<FunctionDesc>,
    catalog: u64,
    function: Arc<plpgsql::Function>,
}

impl StatementEnv<'_> {
    fn with_language<T>(
        &self,
        check_syntax: bool,
        work: impl FnOnce(&Language<'_>) -> PgResult<T>,
    ) -> PgResult<T> {
        let (options, conflict, strict) = {
            let guc = self.core.guc.borrow();
            (
                crate::session::settings::parse_options(&guc),
                guc.get("plpgsql.variable_conflict").to_owned(),
                guc.get("plpgsql.print_strict_params") == "on",
            )
        };
        let settings = self.core.format_settings();
        work(&Language {
            catalog: &*self.view,
            settings: &settings,
            options: &options,
            variable_conflict: &conflict,
            print_strict_params: strict,
            database: self.core.db.database_name(),
            check_syntax,
        })
    }

    /// The compiled form of a function, from the session's cache if the function is the same still.
    fn compiled(&self, key: FunctionKey, desc: &Arc<FunctionDesc>) -> PgResult<Arc<plpgsql::Function>> {
        let version = self.view.version();
        if let Some(known) = self.core.functions.borrow_mut().get_mut(&key) {
            let same = Arc::ptr_eq(&known.desc, desc) || same_function(&known.desc, desc);
            // Types of variables may have changed with the catalog.
            if same && known.catalog == version {
                return Ok(known.function.clone());
            }
        }
        let function = self.with_language(false, |language| {
            let routine = match key.is_trigger {
                true => Routine::Trigger(desc, trigger_kind(desc)),
                false => Routine::Function {
                    desc,
                    args: &key.args,
                    result: key.result,
                    collation: key.collation,
                },
            };
            plpgsql::compile(&routine, language)
        });
        let function = Arc::new(function.map_err(|e| internal(e, &desc.source))?);
        const FUNCTIONS_MAX: usize = 1000;
        let mut cache = self.core.functions.borrow_mut();
        if cache.len() >= FUNCTIONS_MAX {
            cache.clear();
        }
        let entry = Compiled {
            desc: desc.clone(),
            catalog: version,
            function: function.clone(),
        };
        cache.insert(key, entry);
        Ok(function)
    }

    /// Calls a PL/pgSQL function.
    pub(crate) fn call_plpgsql(
        &self,
        desc: &Arc<FunctionDesc>,
        info: &CallInfo,
        args: &[Datum],
        nonatomic: bool,
    ) -> PgResult<Outcome> {
        let key = FunctionKey {
            proc: desc.oid,
            args: info.args.iter().map(|a| a.oid).collect(),
            result: info.result.oid,
            collation: info.collation,
            is_trigger: false,
        };
        let function = self.compiled(key, desc)?;
        let freedom = Freedom {
            read_only: desc.volatility != b'v',
            nonatomic,
        };
        let mut host = PlHost::new(self, freedom)?;
        Call::function(&function, &mut host, info, args)
    }

    /// The body of DO.
    pub(crate) fn run_inline(&self, body: &str) -> PgResult<()> {
        let nonatomic = self.core.nonatomic.take();
        let function = self.with_language(true, |language| {
            plpgsql::compile(&Routine::Inline(body), language)
        });
        let function = Arc::new(function?);
        let mut host = PlHost::new(
            self,
            Freedom {
                read_only: false,
                nonatomic,
            },
        )?;
        let suspended = self.core.after.suspend();
        let result = Call::inline(&function, &mut host);
        self.core.after.resume(suspended);
        result
    }

    /// The checks of CREATE FUNCTION.
    pub(crate) fn validate_plpgsql(&self, oid: Oid) -> PgResult<()> {
        let view = self.core.catalog().statement_view(&self.txn.borrow())?;
        let env = StatementEnv::new(self.core, self.txn, view, self.query);
        let Some(desc) = env.view.function(oid)? else {
            return Err(common::internal!("cache lookup failed for function {oid}"));
        };
        env.check_types(&desc)?;
        env.with_language(true, |language| {
            if matches!(desc.result, oids::TRIGGER | oids::EVENT_TRIGGER) {
                let routine = Routine::Trigger(&desc, trigger_kind(&desc));
                return plpgsql::compile(&routine, language).map(drop);
            }
            let args: Vec<Oid> = desc.arg_types.iter().map(|t| stand_in(*t)).collect();
            let routine = Routine::Function {
                desc: &desc,
                args: &args,
                result: stand_in(desc.result),
                collation: Oid::INVALID,
            };
            plpgsql::compile(&routine, language).map(drop)
        })
    }

    fn check_types(&self, desc: &FunctionDesc) -> PgResult<()> {
        let shown = |t: Oid| catalog::format_type::format_type(&*self.view, t, -1);
        let is_pseudo = |t: Oid| -> PgResult<bool> {
            Ok(stand_in(t) == t
                && t != oids::RECORD
                && self.view.type_desc(t)?.is_some_and(|d| d.kind == b'p'))
        };
        if is_pseudo(desc.result)? && !matches!(desc.result, oids::VOID | oids::TRIGGER | oids::EVENT_TRIGGER)
        {
            return Err(unsupported!(
                "PL/pgSQL functions cannot return type {}",
                shown(desc.result)?
            ));
        }
        let all = match desc.all_arg_types.is_empty() {
            true => &desc.arg_types,
            false => &desc.all_arg_types,
        };
        for t in all {
            if is_pseudo(*t)? {
                return Err(unsupported!(
                    "PL/pgSQL functions cannot accept type {}",
                    shown(*t)?
                ));
            }
        }
        Ok(())
    }
}

/// An error in a body that the client did not send.
fn internal(mut e: Box<PgError>, source: &str) -> Box<PgError> {
    if let Some(at) = e.position.take() {
        let before = source.get(..at as usize).unwrap_or(source);
        e.internal_position = Some(before.chars().count() as u32 + 1);
        e.internal_query = Some(source.to_owned());
    }
    e
}

fn trigger_kind(desc: &FunctionDesc) -> TriggerKind {
    match desc.result {
        oids::EVENT_TRIGGER => TriggerKind::Event,
        _ => TriggerKind::Data,
    }
}

/// The same definition, though the catalog was read again.
fn same_function(a: &FunctionDesc, b: &FunctionDesc) -> bool {
    a.source == b.source
        && a.arg_types == b.arg_types
        && a.all_arg_types == b.all_arg_types
        && a.arg_modes == b.arg_modes
        && a.arg_names == b.arg_names
        && a.result == b.result
        && a.returns_set == b.returns_set
        && a.volatility == b.volatility
        && a.name == b.name
}

/// A type in place of a polymorphic one, as far as the validator needs it.
fn stand_in(type_oid: Oid) -> Oid {
    match type_oid {
        oids::ANYELEMENT
        | oids::ANYNONARRAY
        | oids::ANYENUM
        | oids::ANYCOMPATIBLE
        | oids::ANYCOMPATIBLENONARRAY => oids::INT4,
        oids::ANYARRAY | oids::ANYCOMPATIBLEARRAY => oids::INT4_ARRAY,
        oids::ANYRANGE | oids::ANYCOMPATIBLERANGE => oids::INT4RANGE,
        oids::ANYMULTIRANGE | oids::ANYCOMPATIBLEMULTIRANGE => oids::INT4MULTIRANGE,
        other => other,
    }
}
