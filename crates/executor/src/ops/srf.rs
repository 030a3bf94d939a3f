//! Running set-returning functions.

use std::sync::Arc;

use common::{Oid, PgResult};
use expr::ExprProgram;
use functions::framework::set::SetKernel;
use functions::{CallInfo, FnCache, SetRows, facts};
use nodes::expr::{Expr, FuncExpr};
use types::io::CompositeField;
use types::{Datum, FieldNames, PhysType, RecordValue, Selection, Vector};

use crate::compile::{Compiler, ScanMap, kernel_function, session_function};
use crate::cx::Cx;
use crate::store::RowStore;

/// A call of a set-returning function, compiled.
pub(crate) struct SrfCall {
    /// `None`: the session runs it.
    kernel: Option<SetKernel>,
    /// The caller wants the fields of records as columns.
    spread: bool,
    /// Columns that are not dropped.
    pub live: Vec<bool>,
    info: CallInfo,
    /// Of the array that is the first argument; invalid for other types.
    element_type: Oid,
    strict: bool,
    pub args: Vec<Arc<ExprProgram>>,
    /// Storage classes of its columns.
    pub phys: Vec<PhysType>,
}

impl SrfCall {
    /// `columns` is the column definition list of a function that returns `record`.
    pub fn compile(
        c: &Compiler<'_>,
        f: &FuncExpr,
        phys: Vec<PhysType>,
        columns: Vec<CompositeField>,
        spread: bool,
    ) -> PgResult<SrfCall> {
        let kernel = functions::set_function(kernel_function(c.catalog, f.func)?);
        let by_session = match kernel {
            Some(_) => None,
            None => Some(session_function(c.catalog, f.func)?.ok_or_else(|| missing(c, f.func))?),
        };
        let element_type = match f.args.first() {
            Some(array) => c
                .catalog
                .type_desc(array.type_oid())?
                .map_or(Oid::INVALID, |t| t.element),
            None => Oid::INVALID,
        };
        Ok(SrfCall {
            kernel,
            spread,
            element_type,
            live: vec![true; phys.len()],
            info: CallInfo {
                proc: f.func,
                args: f.args.iter().map(Expr::type_ref).collect(),
                result: f.result,
                collation: f.input_collation,
                variadic: f.variadic,
                columns,
            },
            strict: by_session.unwrap_or_else(|| facts::proc(f.func).is_some_and(|p| p.proisstrict)),
            args: c.programs(&f.args, ScanMap::None)?,
            phys,
        })
    }
}

fn missing(c: &Compiler<'_>, func: Oid) -> Box<common::PgError> {
    match c.catalog.function(func) {
        Ok(Some(f)) => common::unsupported!("function {} is not implemented yet", f.name),
        _ => functions::framework::registry::not_implemented(func),
    }
}

/// A call under way, and its rows not used yet.
pub(crate) struct SrfRun {
    call: Arc<SrfCall>,
    rows: Option<Box<dyn SetRows>>,
    cache: FnCache,
    buffer: RowStore,
}

impl SrfRun {
    pub fn new(call: &Arc<SrfCall>) -> SrfRun {
        SrfRun {
            buffer: RowStore::new(&call.phys),
            rows: None,
            cache: FnCache::default(),
            call: Arc::clone(call),
        }
    }

    /// Begins the call for these arguments.
    pub fn start(&mut self, cx: &Cx<'_>, args: &[Datum]) -> PgResult<()> {
        self.buffer.clear();
        self.rows = None;
        if self.call.strict && args.iter().any(Datum::is_null) {
            return Ok(());
        }
        let mut ctx = cx.fn_context(&self.call.info, &mut self.cache);
        match self.call.kernel {
            Some(kernel) => self.rows = Some(kernel(&mut ctx, args)?),
            None => {
                for value in ctx.session.function_rows(ctx.call, args)? {
                    self.add_value(value);
                }
            }
        }
        Ok(())
    }

    /// A value that the session gave, as a row.
    fn add_value(&mut self, value: Datum) {
        match value {
            Datum::Record(r) if self.call.spread => {
                let mut fields = r.fields.iter();
                // Dropped columns are among the columns, not in the row.
                let live = self.call.live.iter().map(|live| match live {
                    true => fields.next().cloned().unwrap_or(Datum::Null),
                    false => Datum::Null,
                });
                let row: Vec<Datum> = live.collect();
                self.buffer.push_datums(&row);
            }
            Datum::Null if self.call.spread => {
                self.buffer.push_datums(&vec![Datum::Null; self.call.phys.len()]);
            }
            value => self.buffer.push_datums(&[value]),
        }
    }

    /// Makes sure that `max` rows are there, or all that are left; how many.
    pub fn fill(&mut self, cx: &Cx<'_>, max: usize) -> PgResult<usize> {
        while self.buffer.rows < max {
            let Some(rows) = &mut self.rows else { break };
            cx.check()?;
            let mut ctx = cx.fn_context(&self.call.info, &mut self.cache);
            match rows.next_rows(&mut ctx, max - self.buffer.rows)? {
                Some(columns) => self.add(cx, columns)?,
                None => self.rows = None,
            }
        }
        Ok(self.buffer.rows)
    }

    fn add(&mut self, cx: &Cx<'_>, columns: Vec<Vector>) -> PgResult<()> {
        let count = columns.first().map_or(0, Vector::len);
        let records = !self.call.info.columns.is_empty() && columns.len() == 1;
        if columns.len() == self.call.phys.len() && !records {
            let columns: Vec<Arc<Vector>> = columns.into_iter().map(Arc::new).collect();
            return self.buffer.append(cx, &columns, &Selection::All(count));
        }
        if columns.len() > 1 && self.call.phys.len() == 1 {
            return self.add_records(&columns, count);
        }
        // A column of records, asked for as its fields.
        for i in 0..count {
            match columns.first().map(|c| c.datum(i)) {
                Some(Datum::Record(r)) => self.buffer.push_datums(&r.fields),
                _ => self.buffer.push_datums(&vec![Datum::Null; self.call.phys.len()]),
            }
        }
        Ok(())
    }

    /// Several columns, asked for as one of records.
    fn add_records(&mut self, columns: &[Vector], count: usize) -> PgResult<()> {
        let extra = facts::proc(self.call.info.proc).and_then(|p| p.extra);
        let (mut field_types, mut names) = (Vec::new(), Vec::new());
        for (k, mode) in extra.map_or(&[][..], |e| e.proargmodes).iter().enumerate() {
            if matches!(mode, b'o' | b't' | b'b') {
                let name = extra.and_then(|e| e.proargnames.get(k)).copied().unwrap_or("");
                names.push(Box::from(name));
                let declared = extra.and_then(|e| e.proallargtypes.get(k)).copied();
                field_types.push(match declared {
                    // Of the array that is the first argument.
                    Some(types::oids::ANYELEMENT) => self.call.element_type,
                    other => other.unwrap_or(Oid::INVALID),
                });
            }
        }
        let names: FieldNames = names.into();
        for i in 0..count {
            let record = RecordValue {
                type_oid: self.call.info.result.oid,
                field_types: field_types.clone(),
                fields: columns.iter().map(|c| c.datum(i)).collect(),
                names: Some(Arc::clone(&names)),
            };
            self.buffer.push_datums(&[Datum::Record(Arc::new(record))]);
        }
        Ok(())
    }

    /// Takes the first `count` rows, with NULLs for those that are missing.
    pub fn take(&mut self, count: usize) -> Vec<Arc<Vector>> {
        let rows = self.buffer.rows;
        let positions: Vec<u32> = (0..count)
            .map(|k| if k < rows { k as u32 } else { u32::MAX })
            .collect();
        let out = self
            .buffer
            .columns
            .iter()
            .map(|c| Arc::new(c.take_or_null(&positions)))
            .collect();
        if rows > count {
            let rest = self.buffer.range(count, rows - count);
            self.buffer.clear();
            for (mine, column) in self.buffer.columns.iter_mut().zip(&rest.columns) {
                mine.extend_from(column, 0..rest.rows);
            }
            self.buffer.rows = rest.rows;
        } else {
            self.buffer.clear();
        }
        out
    }
}
