//! Functions and procedures: their `pg_proc` row with what it depends on.
//!
//! PG: src/backend/catalog/pg_proc.c (`ProcedureCreate`).

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use nodes::Expr;
use nodes::serial::{self, StoredBody};
use types::{Datum, oids as t};

use crate::builtin::text::array_of;
use crate::columns::pg_proc;
use crate::ddl::depend::DependencyType;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::desc::FunctionDesc;
use crate::oids;
use crate::privileges::{ObjectKind, must_be_owner};
use crate::view::CatalogView;

/// A function or procedure to make.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewRoutine {
    pub name: String,
    pub namespace: Oid,
    pub language: Oid,
    /// f, p, w, a.
    pub kind: u8,
    pub strict: bool,
    pub returns_set: bool,
    pub volatility: u8,
    pub parallel: u8,
    pub security_definer: bool,
    pub leakproof: bool,
    pub cost: f32,
    pub rows: f32,
    /// Element type of the VARIADIC parameter.
    pub variadic: Oid,
    pub arg_types: Vec<Oid>,
    /// All parameters, when there are others than IN; else empty.
    pub all_arg_types: Vec<Oid>,
    pub arg_modes: Vec<u8>,
    /// Empty when no parameter has a name.
    pub arg_names: Vec<String>,
    /// Of the last input parameters.
    pub defaults: Vec<Expr>,
    pub result: Oid,
    pub source: String,
    /// File of a function in C.
    pub library: Option<String>,
    pub body: Option<StoredBody>,
    /// `name=value`.
    pub config: Vec<String>,
}

impl NewRoutine {
    /// Columns of OUT, INOUT and TABLE parameters.
    pub fn out_columns(&self) -> Vec<(&str, Oid)> {
        let with_mode = self.arg_modes.iter().enumerate();
        with_mode
            .filter(|(_, m)| matches!(m, b'o' | b'b' | b't'))
            .map(|(i, _)| {
                let name = self.arg_names.get(i).map_or("", String::as_str);
                (name, self.all_arg_types.get(i).copied().unwrap_or(Oid::INVALID))
            })
            .collect()
    }

    fn input_names(&self) -> Vec<&str> {
        let is_input =
            |i: usize| self.arg_modes.is_empty() || matches!(self.arg_modes.get(i), Some(b'i' | b'b' | b'v'));
        let names = self.arg_names.iter().enumerate();
        names
            .filter(|(i, _)| is_input(*i))
            .map(|(_, n)| n.as_str())
            .collect()
    }
}

/// What `prokind` is called.
fn kind_words(kind: u8) -> &'static str {
    match kind {
        b'a' => "an aggregate function",
        b'p' => "a procedure",
        b'w' => "a window function",
        _ => "a function",
    }
}

impl Ddl<'_> {
    /// CREATE [OR REPLACE] FUNCTION, PROCEDURE. What it replaces keeps its OID, owner and privileges.
    pub fn create_routine(&mut self, new: &NewRoutine, replace: bool) -> PgResult<Oid> {
        let existing = self.routine_with_arguments(new)?;
        let mut row = routine_row(new)?;
        let object = match existing {
            Some(old) => {
                if !replace {
                    return Err(pg_err!(
                        DUPLICATE_FUNCTION,
                        "function \"{}\" already exists with same argument types",
                        new.name
                    ));
                }
                self.check_replacement(&old, new)?;
                let stored = self.get(oids::PG_PROC_OID_INDEX, old.oid)?;
                for kept in [pg_proc::OID, pg_proc::PROOWNER, pg_proc::PROACL] {
                    row[kept] = stored.values[kept].clone();
                }
                self.store.update(oids::PG_PROC, stored.row, row)?;
                let object = ObjectAddress::new(oids::PG_PROC, old.oid);
                self.delete_dependencies(object, None)?;
                object
            }
            None => {
                let made = self.store.new_oid()?;
                row[pg_proc::OID] = oid(made);
                row[pg_proc::PROOWNER] = oid(self.user);
                self.store.insert(oids::PG_PROC, row)?;
                ObjectAddress::new(oids::PG_PROC, made)
            }
        };
        self.record_routine_dependencies(object, new)?;
        Ok(object.object)
    }

    pub(crate) fn routine_with_arguments(
        &self,
        new: &NewRoutine,
    ) -> PgResult<Option<std::sync::Arc<FunctionDesc>>> {
        let view = self.view();
        let Some(schema) = view.namespace_name(new.namespace)? else {
            return Ok(None);
        };
        let all = view.functions_by_name(Some(&schema), &new.name)?;
        Ok(all.into_iter().find(|f| f.arg_types == new.arg_types))
    }

    /// A replacement must look the same to those who call it.
    fn check_replacement(&self, old: &FunctionDesc, new: &NewRoutine) -> PgResult<()> {
        let roles = self.view().roles()?;
        if !roles.owns(self.user, old.owner) {
            let kind = match old.kind {
                b'p' => ObjectKind::Procedure,
                b'a' => ObjectKind::Aggregate,
                _ => ObjectKind::Function,
            };
            return Err(must_be_owner(kind, &new.name));
        }
        if old.kind != new.kind {
            if old.kind == b'a' {
                return Err(self.aggregate_kind_error(old)?);
            }
            return Err(
                pg_err!(WRONG_OBJECT_TYPE, "cannot change routine kind").detail(format!(
                    "\"{}\" is {}.",
                    new.name,
                    kind_words(old.kind)
                )),
            );
        }
        let word = match old.kind {
            b'p' => "PROCEDURE",
            b'a' => "AGGREGATE",
            _ => "FUNCTION",
        };
        let hint = format!("Use DROP {word} {} first.", self.function_signature(old.oid)?);
        if old.result != new.result || old.returns_set != new.returns_set {
            let what = if old.kind == b'p' {
                "cannot change whether a procedure has output parameters"
            } else {
                "cannot change return type of existing function"
            };
            return Err(pg_err!(INVALID_FUNCTION_DEFINITION, "{what}").hint(hint));
        }
        if new.result == t::RECORD && out_columns(old) != new.out_columns() {
            return Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "cannot change return type of existing function"
            )
            .detail("Row type defined by OUT parameters is different.")
            .hint(hint));
        }
        for (before, after) in input_names(old)
            .iter()
            .zip(new.input_names().into_iter().chain(std::iter::repeat("")))
        {
            if !before.is_empty() && *before != after {
                return Err(pg_err!(
                    INVALID_FUNCTION_DEFINITION,
                    "cannot change name of input parameter \"{before}\""
                )
                .hint(hint));
            }
        }
        self.check_defaults(old, new, hint)
    }

    fn check_defaults(&self, old: &FunctionDesc, new: &NewRoutine, hint: String) -> PgResult<()> {
        if new.defaults.len() < old.default_count {
            return Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "cannot remove parameter defaults from existing function"
            )
            .hint(hint));
        }
        let kept = &new.defaults[new.defaults.len() - old.default_count..];
        if old
            .defaults
            .iter()
            .zip(kept)
            .any(|(a, b)| a.type_oid() != b.type_oid())
        {
            return Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "cannot change data type of existing parameter default value"
            )
            .hint(hint));
        }
        Ok(())
    }

    fn record_routine_dependencies(&mut self, object: ObjectAddress, new: &NewRoutine) -> PgResult<()> {
        let all = if new.all_arg_types.is_empty() {
            &new.arg_types
        } else {
            &new.all_arg_types
        };
        let mut needed = vec![
            (oids::PG_NAMESPACE, new.namespace),
            (oids::PG_LANGUAGE, new.language),
        ];
        needed.push((oids::PG_TYPE, new.result));
        needed.extend(all.iter().map(|a| (oids::PG_TYPE, *a)));
        let mut seen = std::collections::BTreeSet::new();
        for (class, referenced) in needed {
            if seen.insert((class, referenced)) {
                let referenced = ObjectAddress::new(class, referenced);
                self.record_dependency(object, referenced, DependencyType::Normal)?;
            }
        }
        for default in &new.defaults {
            self.record_expr_dependencies(object, default, Oid::INVALID, DependencyType::Normal)?;
        }
        for query in new.body.iter().flat_map(|b| &b.statements) {
            self.record_query_dependencies(object, query)?;
        }
        Ok(())
    }

    /// Changes columns of a routine's row.
    pub fn alter_routine(&mut self, routine: Oid, changes: &[(usize, Datum)]) -> PgResult<()> {
        let row = self.get(oids::PG_PROC_OID_INDEX, routine)?;
        self.set(oids::PG_PROC, row, changes)
    }
}

fn input_names(old: &FunctionDesc) -> Vec<&str> {
    let is_input =
        |i: usize| old.arg_modes.is_empty() || matches!(old.arg_modes.get(i), Some(b'i' | b'b' | b'v'));
    let names = old.arg_names.iter().enumerate();
    names.filter(|(i, _)| is_input(*i)).map(|(_, n)| &**n).collect()
}

fn out_columns(f: &FunctionDesc) -> Vec<(&str, Oid)> {
    f.out_columns()
}

/// `name=value` settings as `proconfig` keeps them.
pub fn config_array(config: &[String]) -> Datum {
    match config {
        [] => Datum::Null,
        list => array_of(t::TEXT, list.iter().map(|s| Datum::text(s.as_str())).collect()),
    }
}

fn routine_row(new: &NewRoutine) -> PgResult<Vec<Datum>> {
    use pg_proc::*;
    let oids_of = |list: &[Oid]| -> Vec<Datum> { list.iter().map(|a| oid(*a)).collect() };
    let mut row = vec![Datum::Null; COUNT];
    row[PRONAME] = Datum::text(new.name.as_str());
    row[PRONAMESPACE] = oid(new.namespace);
    row[PROLANG] = oid(new.language);
    row[PROCOST] = Datum::Float4(new.cost);
    row[PROROWS] = Datum::Float4(new.rows);
    row[PROVARIADIC] = oid(new.variadic);
    row[PROSUPPORT] = oid(Oid::INVALID);
    row[PROKIND] = Datum::Char(new.kind);
    row[PROSECDEF] = Datum::Bool(new.security_definer);
    row[PROLEAKPROOF] = Datum::Bool(new.leakproof);
    row[PROISSTRICT] = Datum::Bool(new.strict);
    row[PRORETSET] = Datum::Bool(new.returns_set);
    row[PROVOLATILE] = Datum::Char(new.volatility);
    row[PROPARALLEL] = Datum::Char(new.parallel);
    row[PRONARGS] = Datum::Int2(new.arg_types.len() as i16);
    row[PRONARGDEFAULTS] = Datum::Int2(new.defaults.len() as i16);
    row[PRORETTYPE] = oid(new.result);
    row[PROARGTYPES] = types::io_array::vector_value(t::OID, oids_of(&new.arg_types));
    if !new.all_arg_types.is_empty() {
        row[PROALLARGTYPES] = array_of(t::OID, oids_of(&new.all_arg_types));
        row[PROARGMODES] = array_of(t::CHAR, new.arg_modes.iter().map(|m| Datum::Char(*m)).collect());
    }
    if !new.arg_names.is_empty() {
        row[PROARGNAMES] = array_of(
            t::TEXT,
            new.arg_names.iter().map(|s| Datum::text(s.as_str())).collect(),
        );
    }
    if !new.defaults.is_empty() {
        row[PROARGDEFAULTS] = Datum::text(serial::encode_exprs(&new.defaults)?);
    }
    row[PROSRC] = Datum::text(new.source.as_str());
    if let Some(library) = &new.library {
        row[PROBIN] = Datum::text(library.as_str());
    }
    if let Some(body) = &new.body {
        row[PROSQLBODY] = Datum::text(serial::encode_body(body)?);
    }
    row[PROCONFIG] = config_array(&new.config);
    Ok(row)
}
