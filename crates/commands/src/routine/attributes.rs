//! The attributes of CREATE and ALTER FUNCTION: volatility, cost, settings...
//!
//! PG: src/backend/commands/functioncmds.c (`compute_common_attribute`, `update_proconfig_value`).

use common::error::ErrorExt;
use common::{PgResult, pg_err, unsupported};
use parser::ast::{CreateFunctionStmt, DefArg, DefElem, VariableSetKind, VariableSetStmt};

use crate::context::CommandContext;
use crate::guc::GucStore;
use crate::options;
use crate::settings::argument_text;

/// What the options of CREATE FUNCTION say.
pub(crate) struct Attributes<'a> {
    pub language: Option<&'a str>,
    pub body: Option<&'a DefElem>,
    pub window: bool,
    pub strict: bool,
    pub volatility: u8,
    pub parallel: u8,
    pub security_definer: bool,
    pub leakproof: bool,
    pub cost: Option<f32>,
    pub rows: Option<f32>,
    pub config: Vec<&'a VariableSetStmt>,
}

impl<'a> Attributes<'a> {
    pub fn read(stmt: &'a CreateFunctionStmt) -> PgResult<Attributes<'a>> {
        let mut all = Attributes {
            language: None,
            body: None,
            window: false,
            strict: false,
            volatility: b'v',
            parallel: b'u',
            security_definer: false,
            leakproof: false,
            cost: None,
            rows: None,
            config: Vec::new(),
        };
        let mut seen: Vec<&str> = Vec::new();
        for option in &stmt.options {
            let name = &*option.name;
            if name != "set" && seen.contains(&name) {
                return Err(pg_err!(SYNTAX_ERROR, "conflicting or redundant options").at(option.span));
            }
            seen.push(name);
            if stmt.is_procedure {
                refuse_for_procedure(option)?;
            }
            match (name, &option.arg) {
                ("as", _) => all.body = Some(option),
                ("language", Some(DefArg::String(s))) => all.language = Some(s.as_str()),
                ("transform", _) => {
                    return Err(unsupported!("transforms are not supported yet").at(option.span));
                }
                ("window", _) => all.window = true,
                ("strict", _) => all.strict = options::boolean(option)?,
                ("volatility", _) => all.volatility = volatility(option)?,
                ("parallel", _) => all.parallel = parallel(option)?,
                ("security", _) => all.security_definer = options::boolean(option)?,
                ("leakproof", _) => all.leakproof = options::boolean(option)?,
                ("cost", _) => all.cost = Some(positive(option, "COST")?),
                ("rows", _) => all.rows = Some(positive(option, "ROWS")?),
                ("support", _) => {
                    return Err(unsupported!("planner support functions are not supported").at(option.span));
                }
                ("set", Some(DefArg::VariableSet(set))) => all.config.push(set),
                _ => return Err(common::internal!("option \"{name}\" not recognized")),
            }
        }
        Ok(all)
    }
}

/// Procedures have neither volatility nor strictness nor costs.
pub(crate) fn refuse_for_procedure(option: &DefElem) -> PgResult<()> {
    let for_functions = matches!(
        &*option.name,
        "window" | "strict" | "volatility" | "leakproof" | "cost" | "rows" | "support" | "parallel"
    );
    if for_functions {
        return Err(pg_err!(
            INVALID_FUNCTION_DEFINITION,
            "invalid attribute in procedure definition"
        )
        .at(option.span));
    }
    Ok(())
}

/// IMMUTABLE, STABLE, VOLATILE as `provolatile`.
pub(crate) fn volatility(option: &DefElem) -> PgResult<u8> {
    Ok(match options::text(option)?.as_str() {
        "immutable" => b'i',
        "stable" => b's',
        _ => b'v',
    })
}

/// PARALLEL as `proparallel`.
pub(crate) fn parallel(option: &DefElem) -> PgResult<u8> {
    match options::text(option)?.as_str() {
        "safe" => Ok(b's'),
        "unsafe" => Ok(b'u'),
        "restricted" => Ok(b'r'),
        _ => Err(pg_err!(
            SYNTAX_ERROR,
            "parameter \"parallel\" must be SAFE, RESTRICTED, or UNSAFE"
        )),
    }
}

/// COST and ROWS.
pub(crate) fn positive(option: &DefElem, word: &str) -> PgResult<f32> {
    let value: f32 = options::text(option)?.parse().unwrap_or(0.0);
    if value <= 0.0 {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "{word} must be positive"));
    }
    Ok(value)
}

/// SET or RESET of a routine: changes its list of `name=value`.
pub(crate) fn apply_config(
    config: &mut Vec<String>,
    set: &VariableSetStmt,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let name = set.name.as_deref().unwrap_or("");
    let value = match set.kind {
        VariableSetKind::Value => Some(argument_text(name, &set.args)?),
        VariableSetKind::Current => Some(cx.guc.borrow().show(name)?),
        VariableSetKind::Default | VariableSetKind::Reset => None,
        VariableSetKind::ResetAll => {
            config.clear();
            return Ok(());
        }
        VariableSetKind::Multi => {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "SET {} is not allowed in a function definition",
                name
            ));
        }
    };
    if let Some(value) = &value {
        cx.guc.borrow().check_local_value(name, value)?;
    }
    let known = GucStore::display_name(name);
    config.retain(|old| {
        old.split_once('=')
            .is_none_or(|(n, _)| !n.eq_ignore_ascii_case(&known))
    });
    if let Some(value) = value {
        config.push(format!("{known}={value}"));
    }
    Ok(())
}
