//! CREATE AGGREGATE.
//!
//! PG: src/backend/commands/aggregatecmds.c (`DefineAggregate`), catalog/pg_aggregate.c (`AggregateCreate`).
//!
//! # How it works
//! 1. [`Options`] reads the definition, old spellings included; [`Options::check`] refuses what does not go together.
//! 2. [`Builder`] looks every support function up with the types it will be called with, and fills in the row.

use analyzer::definition::{SupportFunction, support_function};
use catalog::CatalogView;
use catalog::ddl::aggregate::NewAggregate;
use catalog::ddl::routine::NewRoutine;
use catalog::oids;
use catalog::privileges::{Guarded, ObjectKind, Privilege};
use catalog::view::{AggregateDesc, MovingDesc};
use common::error::Severity;
use common::{Oid, PgError, PgResult, Span, pg_err, sqlstate};
use parser::ast::{DefElem, DefineStmt, Ident, ObjectType, TypeName};
use types::oids as t;

use crate::context::{CommandContext, CommandOutcome};
use crate::create_type::creation_place;
use crate::options;
use crate::routine::params::{POLYMORPHIC, ParameterList, Params, polymorphic_error};

/// The pseudo-type of states that SQL cannot see.
const INTERNAL: Oid = Oid(2281);

/// Names of a function or operator.
type Names = Option<Vec<Ident>>;

/// The definition as written.
#[derive(Default)]
struct Options {
    sfunc: Names,
    finalfunc: Names,
    combinefunc: Names,
    serialfunc: Names,
    deserialfunc: Names,
    msfunc: Names,
    minvfunc: Names,
    mfinalfunc: Names,
    sortop: Names,
    stype: Option<TypeName>,
    mstype: Option<TypeName>,
    basetype: Option<TypeName>,
    finalfunc_extra: bool,
    mfinalfunc_extra: bool,
    finalfunc_modify: Option<u8>,
    mfinalfunc_modify: Option<u8>,
    sspace: i32,
    msspace: i32,
    initcond: Option<String>,
    minitcond: Option<String>,
    hypothetical: bool,
    parallel: Option<String>,
}

/// `definition of an invalid function`: the class of most complaints.
fn bad(message: impl Into<String>) -> Box<PgError> {
    PgError::new(sqlstate::INVALID_FUNCTION_DEFINITION, message.into())
}

impl Options {
    fn read(stmt: &DefineStmt, ordered: bool, cx: &CommandContext<'_>) -> PgResult<Options> {
        let mut o = Options::default();
        for option in &stmt.definition {
            match &*option.name {
                "sfunc" | "sfunc1" => o.sfunc = Some(options::names(option)?),
                "finalfunc" => o.finalfunc = Some(options::names(option)?),
                "combinefunc" => o.combinefunc = Some(options::names(option)?),
                "serialfunc" => o.serialfunc = Some(options::names(option)?),
                "deserialfunc" => o.deserialfunc = Some(options::names(option)?),
                "msfunc" => o.msfunc = Some(options::names(option)?),
                "minvfunc" => o.minvfunc = Some(options::names(option)?),
                "mfinalfunc" => o.mfinalfunc = Some(options::names(option)?),
                "finalfunc_extra" => o.finalfunc_extra = options::boolean(option)?,
                "mfinalfunc_extra" => o.mfinalfunc_extra = options::boolean(option)?,
                "finalfunc_modify" => o.finalfunc_modify = Some(modify_letter(option)?),
                "mfinalfunc_modify" => o.mfinalfunc_modify = Some(modify_letter(option)?),
                "sortop" => o.sortop = Some(options::names(option)?),
                "basetype" => o.basetype = Some(options::type_name(option)?),
                "hypothetical" => {
                    o.hypothetical = options::boolean(option)?;
                    if o.hypothetical && !ordered {
                        return Err(bad("only ordered-set aggregates can be hypothetical"));
                    }
                }
                "stype" | "stype1" => o.stype = Some(options::type_name(option)?),
                "sspace" => o.sspace = options::int4(option)?,
                "mstype" => o.mstype = Some(options::type_name(option)?),
                "msspace" => o.msspace = options::int4(option)?,
                "initcond" | "initcond1" => o.initcond = Some(options::text(option)?),
                "minitcond" => o.minitcond = Some(options::text(option)?),
                "parallel" => o.parallel = Some(options::text(option)?),
                other => cx.notice(PgError::notice(
                    Severity::Warning,
                    sqlstate::SYNTAX_ERROR,
                    format!("aggregate attribute \"{other}\" not recognized"),
                )),
            }
        }
        Ok(o)
    }

    /// What must be there, and what must not.
    fn check(&self) -> PgResult<()> {
        if self.stype.is_none() {
            return Err(bad("aggregate stype must be specified"));
        }
        if self.sfunc.is_none() {
            return Err(bad("aggregate sfunc must be specified"));
        }
        let moving = [
            ("msfunc", self.msfunc.is_some(), true),
            ("minvfunc", self.minvfunc.is_some(), true),
            ("mfinalfunc", self.mfinalfunc.is_some(), false),
            ("msspace", self.msspace != 0, false),
            ("minitcond", self.minitcond.is_some(), false),
        ];
        for (name, given, needed) in moving {
            if self.mstype.is_some() && needed && !given {
                return Err(bad(format!(
                    "aggregate {name} must be specified when mstype is specified"
                )));
            }
            if self.mstype.is_none() && given {
                return Err(bad(format!(
                    "aggregate {name} must not be specified without mstype"
                )));
            }
        }
        Ok(())
    }
}

fn modify_letter(option: &DefElem) -> PgResult<u8> {
    match options::text(option)?.as_str() {
        "read_only" => Ok(b'r'),
        "shareable" => Ok(b's'),
        "read_write" => Ok(b'w'),
        _ => Err(pg_err!(
            SYNTAX_ERROR,
            "parameter \"{}\" must be READ_ONLY, SHAREABLE, or READ_WRITE",
            option.name
        )),
    }
}

/// CREATE [OR REPLACE] AGGREGATE.
pub(crate) fn create_aggregate(stmt: &DefineStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.defnames, cx)?;
    let direct = stmt.args.as_ref().and_then(|a| a.direct_args);
    let options = Options::read(stmt, direct.is_some(), cx)?;
    options.check()?;
    let params = parameters(stmt, &options, cx)?;
    let parallel = match options.parallel.as_deref() {
        None | Some("unsafe") => b'u',
        Some("safe") => b's',
        Some("restricted") => b'r',
        Some(_) => {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "parameter \"parallel\" must be SAFE, RESTRICTED, or UNSAFE"
            ));
        }
    };
    let view = cx.view()?;
    let builder = Builder {
        cx,
        view: &*view,
        kind: match (direct, options.hypothetical) {
            (None, _) => b'n',
            (Some(_), false) => b'o',
            (Some(_), true) => b'h',
        },
        direct: direct.unwrap_or(0) as usize,
        params: &params,
        options: &options,
    };
    let (desc, result, [serial_func, deserial_func]) = builder.build()?;
    let new = NewAggregate {
        routine: routine(name, namespace, parallel, result, &params),
        moving_final_modify: options.mfinalfunc_modify.unwrap_or(builder.default_modify()),
        desc,
        serial_func,
        deserial_func,
        trans_space: options.sspace,
        moving_trans_space: options.msspace,
    };
    cx.ddl(|ddl| ddl.create_aggregate(&new, stmt.replace))?;
    Ok(CommandOutcome::tag("CREATE AGGREGATE"))
}

/// The `pg_proc` row: a function that only says that it is an aggregate.
fn routine(name: String, namespace: Oid, parallel: u8, result: Oid, params: &Params) -> NewRoutine {
    NewRoutine {
        name,
        namespace,
        language: oids::INTERNAL_LANGUAGE,
        kind: b'a',
        strict: false,
        returns_set: false,
        volatility: b'i',
        parallel,
        security_definer: false,
        leakproof: false,
        cost: 1.0,
        rows: 0.0,
        variadic: params.variadic,
        arg_types: params.inputs.clone(),
        all_arg_types: params.all_types.clone(),
        arg_modes: params.modes.clone(),
        arg_names: params.names.clone(),
        defaults: Vec::new(),
        result,
        source: "aggregate_dummy".into(),
        library: None,
        body: None,
        config: Vec::new(),
    }
}

/// The argument types: a list, or `basetype` in the old syntax.
fn parameters(stmt: &DefineStmt, options: &Options, cx: &CommandContext<'_>) -> PgResult<Params> {
    if !stmt.oldstyle {
        if options.basetype.is_some() {
            return Err(bad(
                "basetype is redundant with aggregate input type specification",
            ));
        }
        let parameters = stmt.args.as_ref().map_or(&[][..], |a| &a.parameters);
        let list = ParameterList {
            parameters,
            kind: ObjectType::Aggregate,
            language: oids::INTERNAL_LANGUAGE,
        };
        return Params::read(list, cx);
    }
    let Some(base) = &options.basetype else {
        return Err(bad("aggregate input type must be specified"));
    };
    let mut params = Params::default();
    let is_any = matches!(&base.names[..], [name] if name.as_str().eq_ignore_ascii_case("any"));
    if !is_any {
        params.inputs.push(type_oid(base, cx)?);
        params.input_names.push(String::new());
    }
    Ok(params)
}

fn type_oid(name: &TypeName, cx: &CommandContext<'_>) -> PgResult<Oid> {
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let found = analyzer::utility::resolve_type_name(name, &analysis);
    cx.take_notices(analysis);
    Ok(found.map_err(crate::alter_type::without_position)?.oid)
}

/// Works the definition out.
struct Builder<'b, 'c> {
    cx: &'b CommandContext<'c>,
    view: &'b dyn CatalogView,
    kind: u8,
    direct: usize,
    params: &'b Params,
    options: &'b Options,
}

impl Builder<'_, '_> {
    fn default_modify(&self) -> u8 {
        if self.kind == b'n' { b'r' } else { b'w' }
    }

    /// The facts, the result type, and the functions that turn states into bytes and back.
    fn build(&self) -> PgResult<(AggregateDesc, Oid, [Oid; 2])> {
        let o = self.options;
        let trans_type = self.state_type(o.stype.as_ref())?;
        if o.serialfunc.is_some() != o.deserialfunc.is_some() {
            return Err(bad(
                "must specify both or neither of serialization and deserialization functions",
            ));
        }
        if o.serialfunc.is_some() && trans_type != INTERNAL {
            return Err(bad(
                "serialization functions may be specified only when the aggregate transition data type is internal",
            ));
        }
        let moving_type = match &o.mstype {
            Some(_) => self.state_type(o.mstype.as_ref())?,
            None => Oid::INVALID,
        };
        self.check_initial(trans_type, o.initcond.as_deref())?;
        if moving_type.is_valid() {
            self.check_initial(moving_type, o.minitcond.as_deref())?;
        }
        self.check_signature(trans_type, moving_type)?;
        let trans = self.transition(&o.sfunc, trans_type, o.initcond.is_some())?;
        let mut moving = MovingDesc::default();
        if moving_type.is_valid() {
            moving = self.moving(moving_type)?;
        }
        let (final_func, result) = self.final_function(&o.finalfunc, trans_type, o.finalfunc_extra)?;
        let combine_func = self.combine(trans_type)?;
        let bytes = self.serialization()?;
        self.check_result(result)?;
        if moving_type.is_valid() {
            let (found, of_moving) = self.final_function(&o.mfinalfunc, moving_type, o.mfinalfunc_extra)?;
            moving.final_func = found;
            if of_moving != result {
                return Err(bad(format!(
                    "moving-aggregate implementation returns type {}, but plain implementation returns type {}",
                    self.shown(of_moving)?,
                    self.shown(result)?
                )));
            }
        }
        let desc = AggregateDesc {
            func: Oid::INVALID,
            kind: self.kind,
            direct_args: self.direct as i16,
            trans_func: trans,
            final_func,
            combine_func,
            sort_op: self.sort_operator()?,
            trans_type,
            init_value: o.initcond.as_deref().map(Into::into),
            final_extra: o.finalfunc_extra,
            final_modify: o.finalfunc_modify.unwrap_or(self.default_modify()),
            moving,
        };
        Ok((desc, result, bytes))
    }

    fn shown(&self, type_oid: Oid) -> PgResult<String> {
        catalog::format_type::format_type(self.view, type_oid, -1)
    }

    fn is_pseudo(&self, type_oid: Oid) -> PgResult<bool> {
        Ok(self.view.type_desc(type_oid)?.is_some_and(|d| d.kind == b'p'))
    }

    /// A transition type; of the pseudo-types the polymorphic ones, and `internal` for superusers.
    fn state_type(&self, name: Option<&TypeName>) -> PgResult<Oid> {
        let Some(name) = name else {
            return Err(bad("aggregate stype must be specified"));
        };
        let found = type_oid(name, self.cx)?;
        let internal = found == INTERNAL && self.cx.roles()?.is_superuser(self.cx.user);
        if self.is_pseudo(found)? && !POLYMORPHIC.contains(&found) && !internal {
            return Err(bad(format!(
                "aggregate transition data type cannot be {}",
                self.shown(found)?
            )));
        }
        Ok(found)
    }

    /// An initial value must be one of the type.
    fn check_initial(&self, type_oid: Oid, value: Option<&str>) -> PgResult<()> {
        let Some(value) = value else { return Ok(()) };
        if self.is_pseudo(type_oid)? {
            return Ok(());
        }
        let context = types::io::IoContext {
            settings: &self.cx.settings,
            resolver: Some(self.cx.session.resolver()),
            cancel: common::cancel::CancelToken::never(),
        };
        types::io::input(type_oid, -1, value, &context).map(drop)
    }

    fn check_signature(&self, trans_type: Oid, moving_type: Oid) -> PgResult<()> {
        let inputs = &self.params.inputs;
        if inputs.len() > 99 {
            return Err(pg_err!(
                TOO_MANY_ARGUMENTS,
                "aggregates cannot have more than 99 arguments"
            ));
        }
        for state in [trans_type, moving_type] {
            if !POLYMORPHIC.contains(&state) {
                continue;
            }
            if let Some(mut e) = polymorphic_error(state, inputs, self.view)? {
                e.message = "cannot determine transition data type".into();
                return Err(e);
            }
        }
        let variadic = self.params.variadic;
        if self.kind != b'n' && variadic.is_valid() && variadic != t::ANY {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "a variadic ordered-set aggregate must use VARIADIC type ANY"
            ));
        }
        if self.kind == b'h' && self.direct < inputs.len() {
            let (direct, aggregated) = inputs.split_at(self.direct);
            if !direct.ends_with(aggregated) {
                return Err(bad(
                    "a hypothetical-set aggregate must have direct arguments matching its aggregated arguments",
                ));
            }
        }
        Ok(())
    }

    fn find(&self, names: &[Ident], inputs: &[Oid], variadic: Oid) -> PgResult<SupportFunction> {
        let found = support_function(names, inputs, variadic, &self.cx.analysis(self.view))?;
        let guarded = Guarded {
            kind: ObjectKind::Function,
            owner: found.func.owner,
            acl: found.func.acl.as_deref(),
        };
        self.cx
            .roles()?
            .check(self.cx.user, guarded, Privilege::Execute, &found.func.name)?;
        Ok(found)
    }

    /// What a transition function is called with: the state and the aggregated arguments.
    fn transition_inputs(&self, state: Oid) -> Vec<Oid> {
        let inputs = &self.params.inputs;
        let aggregated = if self.kind == b'n' {
            &inputs[..]
        } else if self.direct < inputs.len() {
            &inputs[self.direct..]
        } else {
            // The last direct argument is VARIADIC and stands for the aggregated ones too.
            &inputs[inputs.len().saturating_sub(1)..]
        };
        std::iter::once(state).chain(aggregated.iter().copied()).collect()
    }

    fn transition(&self, names: &Names, state: Oid, has_initial: bool) -> PgResult<Oid> {
        let names = names.as_deref().unwrap_or_default();
        let inputs = self.transition_inputs(state);
        let found = self.find(names, &inputs, self.params.variadic)?;
        self.check_returns(&found, "transition", names, state)?;
        if found.func.strict && !has_initial {
            let fits = match self.params.inputs.first() {
                Some(first) => {
                    analyzer::definition::is_binary_coercible(*first, state, &self.cx.analysis(self.view))?
                }
                None => false,
            };
            if !fits {
                return Err(bad(
                    "must not omit initial value when transition function is strict and transition type is not compatible with input type",
                ));
            }
        }
        Ok(found.func.oid)
    }

    fn check_returns(
        &self,
        found: &SupportFunction,
        what: &str,
        names: &[Ident],
        wanted: Oid,
    ) -> PgResult<()> {
        if found.result == wanted {
            return Ok(());
        }
        let name: Vec<&str> = names.iter().map(Ident::as_str).collect();
        Err(pg_err!(
            DATATYPE_MISMATCH,
            "return type of {what} function {} is not {}",
            name.join("."),
            self.shown(wanted)?
        ))
    }

    fn moving(&self, state: Oid) -> PgResult<MovingDesc> {
        let o = self.options;
        let forward = self.transition(&o.msfunc, state, o.minitcond.is_some())?;
        let names = o.minvfunc.as_deref().unwrap_or_default();
        let inverse = self.find(names, &self.transition_inputs(state), self.params.variadic)?;
        self.check_returns(&inverse, "inverse transition", names, state)?;
        let strict = self.view.function(forward)?.is_some_and(|f| f.strict);
        if strict != inverse.func.strict {
            return Err(bad(
                "strictness of aggregate's forward and inverse transition functions must match",
            ));
        }
        Ok(MovingDesc {
            trans_func: forward,
            inverse_func: inverse.func.oid,
            final_func: Oid::INVALID,
            final_extra: o.mfinalfunc_extra,
            trans_type: state,
            init_value: o.minitcond.as_deref().map(Into::into),
        })
    }

    /// The final function, and the type of the result.
    fn final_function(&self, names: &Names, state: Oid, extra: bool) -> PgResult<(Oid, Oid)> {
        let Some(names) = names else {
            return Ok((Oid::INVALID, state));
        };
        let mut inputs = vec![state];
        if extra {
            inputs.extend(&self.params.inputs);
        } else if self.kind != b'n' {
            inputs.extend(&self.params.inputs[..self.direct]);
        }
        let variadic = if extra { self.params.variadic } else { Oid::INVALID };
        let found = self.find(names, &inputs, variadic)?;
        if extra && found.func.strict {
            return Err(bad(
                "final function with extra arguments must not be declared STRICT",
            ));
        }
        Ok((found.func.oid, found.result))
    }

    fn combine(&self, state: Oid) -> PgResult<Oid> {
        let Some(names) = &self.options.combinefunc else {
            return Ok(Oid::INVALID);
        };
        let found = self.find(names, &[state, state], Oid::INVALID)?;
        self.check_returns(&found, "combine", names, state)?;
        if state == INTERNAL && found.func.strict {
            return Err(bad(format!(
                "combine function with transition type {} must not be declared STRICT",
                self.shown(state)?
            )));
        }
        Ok(found.func.oid)
    }

    fn serialization(&self) -> PgResult<[Oid; 2]> {
        let mut found = [Oid::INVALID; 2];
        if let Some(names) = &self.options.serialfunc {
            let f = self.find(names, &[INTERNAL], Oid::INVALID)?;
            self.check_returns(&f, "serialization", names, t::BYTEA)?;
            found[0] = f.func.oid;
        }
        if let Some(names) = &self.options.deserialfunc {
            let f = self.find(names, &[t::BYTEA, INTERNAL], Oid::INVALID)?;
            self.check_returns(&f, "deserialization", names, INTERNAL)?;
            found[1] = f.func.oid;
        }
        Ok(found)
    }

    fn check_result(&self, result: Oid) -> PgResult<()> {
        match polymorphic_error(result, &self.params.inputs, self.view)? {
            Some(e) if result == INTERNAL => Err(e),
            Some(mut e) => {
                e.sqlstate = sqlstate::DATATYPE_MISMATCH;
                Err(e)
            }
            None => Ok(()),
        }
    }

    fn sort_operator(&self) -> PgResult<Oid> {
        let Some(names) = &self.options.sortop else {
            return Ok(Oid::INVALID);
        };
        let [input] = self.params.inputs[..] else {
            return Err(bad(
                "sort operator can only be specified for single-argument aggregates",
            ));
        };
        let analysis = self.cx.analysis(self.view);
        let found = analyzer::definition::named_operator(names, input, input, Span::NONE, &analysis)?;
        Ok(found.oid)
    }
}
