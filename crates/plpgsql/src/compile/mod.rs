//! From a body's text to a [`Function`].
//!
//! PG: src/pl/plpgsql/src/pl_comp.c, pl_gram.y.

mod block;
mod cursors;
mod declare;
mod loops;
mod raise;
mod scanner;
mod sql;
mod statement;
mod typing;

use std::sync::Arc;

use analyzer::AnalyzeContext;
use analyzer::variables::VariableConflict;
use catalog::CatalogView;
use catalog::desc::FunctionDesc;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use types::oids;
use types::settings::{FormatSettings, TypeRef};

use crate::compile::scanner::Scanner;
use crate::namespace::{ItemKind, Namespace, Scope};
use crate::tree::{
    Decl, Dno, Expr, Function, Mode, PlType, Purpose, Returns, RowDecl, TriggerVars, TypeKind, VarDecl,
};

/// What a body is compiled with besides its text.
pub struct Language<'a> {
    /// The catalog.
    pub catalog: &'a dyn CatalogView,
    /// Settings that shape values.
    pub settings: &'a FormatSettings,
    /// Settings of the lexer.
    pub options: &'a parser::ParseOptions,
    /// `plpgsql.variable_conflict`: `error`, `use_variable` or `use_column`.
    pub variable_conflict: &'a str,
    /// `plpgsql.print_strict_params`.
    pub print_strict_params: bool,
    /// Name of the current database.
    pub database: Arc<str>,
    /// Every piece of SQL is parsed right away (the validator).
    pub check_syntax: bool,
}

/// What a trigger function reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TriggerKind {
    Data,
    Event,
}

/// What is compiled.
pub enum Routine<'a> {
    /// A function for arguments of these types (polymorphic ones resolved) and this result.
    Function {
        /// Its description.
        desc: &'a FunctionDesc,
        /// Types of the input arguments.
        args: &'a [Oid],
        /// Type of the result.
        result: Oid,
        /// Collation of the call.
        collation: Oid,
    },
    /// A trigger function.
    Trigger(&'a FunctionDesc, TriggerKind),
    /// The text of DO.
    Inline(&'a str),
}

/// Parser state.
pub(crate) struct Compiler<'a> {
    pub scan: Scanner<'a>,
    pub language: &'a Language<'a>,
    pub decls: Vec<Decl>,
    pub ns: Namespace,
    pub scope: Scope,
    pub returns: Returns,
    pub purpose: Purpose,
    pub collation: Oid,
    pub conflict: VariableConflict,
    pub print_strict_params: bool,
    pub expr_count: usize,
    pub depth: usize,
}

/// Blocks and loops inside one another.
const DEPTH_MAX: usize = 200;

/// Compiles a body. Errors have their position in the body, or say near which line they arose.
pub fn compile(routine: &Routine<'_>, language: &Language<'_>) -> PgResult<Function> {
    let (text, name) = match routine {
        Routine::Function { desc, .. } | Routine::Trigger(desc, _) => (&*desc.source, &*desc.name),
        Routine::Inline(text) => (*text, "inline_code_block"),
    };
    let mut compiler = Compiler::new(text, language);
    let made = compiler.function(routine, name);
    made.map_err(|e| compiler.located(e, name))
}

/// Parses a body and checks it as far as possible without types of arguments: for tests.
pub fn check_syntax(text: &str, language: &Language<'_>) -> PgResult<()> {
    compile(&Routine::Inline(text), language).map(drop)
}

impl<'a> Compiler<'a> {
    fn new(text: &'a str, language: &'a Language<'a>) -> Compiler<'a> {
        Compiler {
            scan: Scanner::new(text, language.options),
            language,
            decls: Vec::new(),
            ns: Namespace::default(),
            scope: None,
            returns: Returns {
                type_ref: TypeRef::plain(oids::VOID),
                is_set: false,
                is_row: false,
                row_type: Oid::INVALID,
                is_procedure: false,
                out: None,
            },
            purpose: Purpose::Function,
            collation: Oid::INVALID,
            conflict: match language.variable_conflict {
                "use_variable" => VariableConflict::UseVariable,
                "use_column" => VariableConflict::UseColumn,
                _ => VariableConflict::Error,
            },
            print_strict_params: language.print_strict_params,
            expr_count: 0,
            depth: 0,
        }
    }

    pub fn analysis(&self) -> AnalyzeContext<'a> {
        AnalyzeContext::new(self.language.catalog, self.language.settings)
            .with_database(self.language.database.clone())
    }

    fn located(&self, e: Box<PgError>, name: &str) -> Box<PgError> {
        if e.position.is_some() || e.internal_position.is_some() {
            return e;
        }
        let line = self.scan.line(self.scan.start());
        e.context(format!(
            "compilation of PL/pgSQL function \"{name}\" near line {line}"
        ))
    }

    fn function(&mut self, routine: &Routine<'_>, name: &str) -> PgResult<Function> {
        self.scope = self.ns.add(None, ItemKind::Block, name);
        let (mut inputs, mut trigger) = (Vec::new(), None);
        let (mut signature, mut oid) = (Arc::from(name), Oid::INVALID);
        match routine {
            Routine::Function {
                desc,
                args,
                result,
                collation,
            } => {
                self.collation = *collation;
                inputs = self.parameters(desc, args)?;
                self.result(desc, *result)?;
                signature = self.signature(desc)?;
                oid = desc.oid;
            }
            Routine::Trigger(desc, kind) => {
                trigger = self.trigger_variables(desc, *kind)?;
                signature = self.signature(desc)?;
                oid = desc.oid;
            }
            Routine::Inline(_) => {}
        }
        let boolean = self.plain_type(oids::BOOL)?;
        let found = self.variable("found", boolean, true);
        let mut body = self.body()?;
        let returns = self.returns.clone();
        let may_end = returns.out.is_some() || returns.type_ref.oid == oids::VOID || returns.is_set;
        if self.purpose == Purpose::Function && may_end {
            block::add_return(&mut body, returns.out);
        }
        Ok(Function {
            signature,
            oid,
            purpose: self.purpose,
            returns,
            decls: std::mem::take(&mut self.decls),
            namespace: std::mem::take(&mut self.ns),
            inputs,
            found,
            trigger,
            conflict: self.conflict,
            print_strict_params: self.print_strict_params,
            body,
            expr_count: self.expr_count,
            case_types: Default::default(),
            plans: Default::default(),
            pool: Default::default(),
        })
    }

    /// `name(types)` as error contexts show it.
    fn signature(&self, desc: &FunctionDesc) -> PgResult<Arc<str>> {
        let view = self.language.catalog;
        let mut types = Vec::new();
        for type_oid in &desc.arg_types {
            types.push(catalog::format_type::format_type(view, *type_oid, -1)?);
        }
        let visible = view
            .functions_by_name(None, &desc.name)?
            .iter()
            .any(|f| f.oid == desc.oid);
        let schema = match visible {
            true => None,
            false => view.namespace_name(desc.namespace)?,
        };
        let name = catalog::names::quote_qualified(schema.as_deref(), &desc.name);
        Ok(format!("{name}({})", types.join(",")).into())
    }

    /// Declares the parameters; the input ones.
    fn parameters(&mut self, desc: &FunctionDesc, args: &[Oid]) -> PgResult<Vec<Dno>> {
        let all = match desc.all_arg_types.is_empty() {
            true => &desc.arg_types,
            false => &desc.all_arg_types,
        };
        let (mut inputs, mut outs, mut given) = (Vec::new(), Vec::new(), args.iter());
        for (at, declared) in all.iter().enumerate() {
            let mode = desc.arg_modes.get(at).copied().unwrap_or(b'i');
            let is_input = matches!(mode, b'i' | b'b' | b'v');
            let type_oid = match is_input {
                true => given.next().copied().unwrap_or(*declared),
                false => self.resolved(*declared, desc, args)?,
            };
            let ty = self.data_type(TypeRef::plain(type_oid), self.collation)?;
            if ty.kind == TypeKind::Pseudo {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "PL/pgSQL functions cannot accept type {}",
                    self.type_name(type_oid)
                ));
            }
            let position = format!("${}", at + 1);
            let name = desc.arg_names.get(at).filter(|n| !n.is_empty()).cloned();
            let dno = self.variable(name.as_deref().unwrap_or(&position), ty, false);
            self.add_parameter_name(dno, &position)?;
            if let Some(name) = &name {
                self.add_parameter_name(dno, name)?;
            }
            if is_input {
                inputs.push(dno);
            }
            if matches!(mode, b'o' | b'b' | b't') {
                outs.push(dno);
            }
        }
        self.returns.is_procedure = desc.kind == b'p';
        self.returns.out = match outs[..] {
            [] => None,
            [only] if desc.kind != b'p' => Some(only),
            _ => Some(self.row(outs)),
        };
        Ok(inputs)
    }

    /// A polymorphic OUT parameter's type for these arguments.
    fn resolved(&self, declared: Oid, desc: &FunctionDesc, args: &[Oid]) -> PgResult<Oid> {
        let is_pseudo = self
            .language
            .catalog
            .type_desc(declared)?
            .is_some_and(|d| d.kind == b'p');
        if !is_pseudo || declared == oids::RECORD {
            return Ok(declared);
        }
        let context = self.analysis();
        let columns = analyzer::sql_routine::out_columns(desc, args, &context)?.unwrap_or_default();
        let outs = desc.out_columns();
        let at = outs.iter().position(|(_, t)| *t == declared);
        Ok(at.and_then(|at| columns.get(at)).map_or(declared, |c| c.1))
    }

    fn add_parameter_name(&mut self, dno: Dno, name: &str) -> PgResult<()> {
        if self.ns.find(self.scope, &[name], true).is_some() {
            return Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "parameter name \"{name}\" used more than once"
            ));
        }
        self.name_variable(dno, name);
        Ok(())
    }

    fn result(&mut self, desc: &FunctionDesc, result: Oid) -> PgResult<()> {
        let ty = self.data_type(TypeRef::plain(result), Oid::INVALID)?;
        if ty.kind == TypeKind::Pseudo && result != oids::VOID {
            return Err(match result {
                oids::TRIGGER | oids::EVENT_TRIGGER => pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "trigger functions can only be called as triggers"
                ),
                _ => pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "PL/pgSQL functions cannot return type {}",
                    self.type_name(result)
                ),
            });
        }
        self.returns.type_ref = TypeRef::plain(result);
        self.returns.is_set = desc.returns_set;
        self.returns.is_row = ty.kind == TypeKind::Record;
        self.returns.row_type = ty.row_type;
        Ok(())
    }

    fn trigger_variables(&mut self, desc: &FunctionDesc, kind: TriggerKind) -> PgResult<Option<TriggerVars>> {
        self.purpose = match kind {
            TriggerKind::Data => Purpose::Trigger,
            TriggerKind::Event => Purpose::EventTrigger,
        };
        self.returns.type_ref = TypeRef::plain(desc.result);
        if !desc.arg_types.is_empty() {
            let which = if kind == TriggerKind::Data {
                "trigger"
            } else {
                "event trigger"
            };
            let e = pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "{which} functions cannot have declared arguments"
            );
            return Err(match kind {
                TriggerKind::Data => e.hint(
                    "The arguments of the trigger can be accessed through TG_NARGS and TG_ARGV instead.",
                ),
                TriggerKind::Event => e,
            });
        }
        if kind == TriggerKind::Event {
            for name in ["tg_event", "tg_tag"] {
                let text = self.plain_type(oids::TEXT)?;
                self.variable(name, text, true);
            }
            return Ok(None);
        }
        let record = self.plain_type(oids::RECORD)?;
        self.returns.is_row = true;
        let new = self.variable("new", record.clone(), true);
        let old = self.variable("old", record, true);
        let mut tg = Vec::new();
        for (name, type_oid) in [
            ("tg_name", oids::NAME),
            ("tg_when", oids::TEXT),
            ("tg_level", oids::TEXT),
            ("tg_op", oids::TEXT),
            ("tg_relid", oids::OID),
            ("tg_relname", oids::NAME),
            ("tg_table_name", oids::NAME),
            ("tg_table_schema", oids::NAME),
            ("tg_nargs", oids::INT4),
            ("tg_argv", oids::TEXT_ARRAY),
        ] {
            let ty = self.plain_type(type_oid)?;
            tg.push(self.variable(name, ty, true));
        }
        Ok(Some(TriggerVars { new, old, tg }))
    }

    /// Declares a variable; `named`: in the innermost block, too.
    pub fn variable(&mut self, name: &str, ty: PlType, named: bool) -> Dno {
        let decl = VarDecl {
            name: name.into(),
            constant: false,
            not_null: false,
            default: None,
            cursor: None,
            ty,
        };
        let dno = self.decls.len();
        self.decls.push(match decl.ty.kind {
            TypeKind::Record => Decl::Rec(decl),
            _ => Decl::Var(decl),
        });
        if named {
            self.name_variable(dno, name);
        }
        dno
    }

    pub fn name_variable(&mut self, dno: Dno, name: &str) {
        let kind = match self.decls.get(dno) {
            Some(Decl::Rec(_)) => ItemKind::Rec(dno),
            _ => ItemKind::Var(dno),
        };
        self.scope = self.ns.add(self.scope, kind, name);
    }

    /// Several scalar variables as one target.
    pub fn row(&mut self, fields: Vec<Dno>) -> Dno {
        let names = fields.iter().map(|d| self.name_of(*d)).collect();
        self.decls.push(Decl::Row(RowDecl { names, fields }));
        self.decls.len() - 1
    }

    pub fn name_of(&self, dno: Dno) -> Arc<str> {
        match self.decls.get(dno) {
            Some(Decl::Var(v) | Decl::Rec(v)) => v.name.clone(),
            Some(Decl::Field(f)) => format!("{}.{}", self.name_of(f.rec), f.name).into(),
            Some(Decl::Row(_)) => "(unnamed row)".into(),
            None => "".into(),
        }
    }

    pub fn expr(&mut self, text: &str, mode: Mode) -> Expr {
        self.expr_count += 1;
        Expr {
            id: self.expr_count - 1,
            text: text.into(),
            mode,
            scope: self.scope,
        }
    }

    /// Runs `f` one level of nesting deeper.
    pub fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        if self.depth >= DEPTH_MAX {
            return Err(pg_err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        self.depth += 1;
        let made = f(self);
        self.depth -= 1;
        made
    }
}
