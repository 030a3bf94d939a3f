//! FunctionScan: functions in FROM, several side by side with ROWS FROM, with ordinality if wanted.

use std::sync::Arc;

use common::{Oid, PgResult, internal};
use expr::{ExprProgram, Inputs};
use nodes::Plan;
use nodes::expr::Expr;
use nodes::json::JsonExprKind;
use nodes::query::RangeTblFunction;
use nodes::xml::XmlExprKind;
use types::io::CompositeField;
use types::{BATCH_ROWS, Batch, Datum, PhysType, Rows, Selection, Vector, VectorData};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, NodeKind, Opening, Operator, Projection, Projector};
use crate::ops::json_table::JsonTableCall;
use crate::ops::srf::{SrfCall, SrfRun};
use crate::ops::xml_table::XmlTableCall;

struct FunctionScanNode {
    functions: Vec<Function>,
    ordinality: bool,
    projection: Projection,
}

enum Function {
    Set(Arc<SrfCall>),
    /// One row; a composite value spreads over the columns.
    Scalar {
        program: Arc<ExprProgram>,
        phys: Vec<PhysType>,
        /// The value is a row whose fields are the columns that are not dropped.
        spread: bool,
        live: Vec<bool>,
    },
    JsonTable(Arc<JsonTableCall>, Vec<PhysType>),
    XmlTable(Arc<XmlTableCall>, Vec<PhysType>),
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    rt_index: usize,
    functions: &[RangeTblFunction],
    ordinality: bool,
) -> PgResult<Arc<dyn NodeKind>> {
    let rte = c
        .plan
        .range_table
        .get(rt_index.wrapping_sub(1))
        .ok_or_else(|| internal!("no range table entry {rt_index}"))?;
    let mut columns = rte.columns.iter();
    let mut compiled = Vec::new();
    for f in functions {
        let own: Vec<_> = columns.by_ref().take(f.column_count).collect();
        let phys = own
            .iter()
            .map(|col| c.phys(col.type_ref.oid))
            .collect::<PgResult<Vec<_>>>()?;
        let spread = !matches!(&own[..], [one] if one.type_ref.oid == f.expr.type_oid());
        compiled.push(match &f.expr {
            // A function of one `record` learns its columns only here, so it runs as a set of one.
            Expr::Func(call)
                if call.returns_set
                    || (!f.column_defs.is_empty()
                        && (call.func >= Oid::FIRST_NORMAL
                            || functions::set_function(call.func).is_some())) =>
            {
                let columns = f.column_defs.iter().map(|(name, type_ref, _)| CompositeField {
                    name: name.to_string(),
                    type_oid: type_ref.oid,
                    typmod: type_ref.typmod,
                });
                let mut set = SrfCall::compile(c, call, phys, columns.collect(), spread)?;
                set.live = own.iter().map(|col| col.type_ref.oid.is_valid()).collect();
                Function::Set(Arc::new(set))
            }
            Expr::Json(j) if matches!(j.kind, JsonExprKind::Table(_)) => {
                Function::JsonTable(Arc::new(JsonTableCall::compile(c, j)?), phys)
            }
            Expr::Xml(x) if matches!(x.kind, XmlExprKind::Table(_)) => {
                Function::XmlTable(Arc::new(XmlTableCall::compile(c, x)?), phys)
            }
            e => Function::Scalar {
                program: c.program(e, ScanMap::None)?,
                phys,
                spread,
                live: own.iter().map(|col| col.type_ref.oid.is_valid()).collect(),
            },
        });
    }
    Ok(Arc::new(FunctionScanNode {
        functions: compiled,
        ordinality,
        projection: c.projection(plan, ScanMap::Positions)?,
    }))
}

impl NodeKind for FunctionScanNode {
    fn open(self: Arc<Self>, _opening: &Opening) -> Box<dyn Operator> {
        Box::new(FunctionScanOp {
            projector: self.projection.open(),
            runs: Vec::new(),
            given: 0,
            node: self,
        })
    }
}

enum Run {
    Set(SrfRun),
    /// The row, until it is given.
    Scalar(Vec<PhysType>, Option<Vec<Datum>>),
    /// Rows made at the start, and how many are given.
    Rows(Vec<PhysType>, Rows, usize),
}

impl Run {
    fn fill(&mut self, cx: &Cx<'_>, max: usize) -> PgResult<usize> {
        match self {
            Run::Set(run) => run.fill(cx, max),
            Run::Scalar(_, row) => Ok(usize::from(row.is_some())),
            Run::Rows(_, rows, given) => Ok((rows.len() - *given).min(max)),
        }
    }

    fn take(&mut self, count: usize) -> Vec<Arc<Vector>> {
        match self {
            Run::Set(run) => run.take(count),
            Run::Scalar(phys, row) => {
                let row = row.take().unwrap_or_default();
                let column = |(i, p): (usize, &PhysType)| {
                    let mut v = Vector::empty(*p);
                    v.push(row.get(i).unwrap_or(&Datum::Null));
                    (1..count).for_each(|_| v.push(&Datum::Null));
                    Arc::new(v)
                };
                phys.iter().enumerate().map(column).collect()
            }
            Run::Rows(phys, rows, given) => {
                let from = *given;
                *given = (from + count).min(rows.len());
                let column = |(i, p): (usize, &PhysType)| {
                    let mut v = Vector::empty(*p);
                    for k in from..from + count {
                        v.push(rows.get(k).and_then(|row| row.get(i)).unwrap_or(&Datum::Null));
                    }
                    Arc::new(v)
                };
                phys.iter().enumerate().map(column).collect()
            }
        }
    }
}

struct FunctionScanOp {
    node: Arc<FunctionScanNode>,
    projector: Projector,
    runs: Vec<Run>,
    given: i64,
}

impl FunctionScanOp {
    fn start(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        for f in &node.functions {
            self.runs.push(match f {
                Function::Set(call) => {
                    let args = call
                        .args
                        .iter()
                        .map(|a| Eval::new(a).value(cx))
                        .collect::<PgResult<Vec<_>>>()?;
                    let mut run = SrfRun::new(call);
                    run.start(cx, &args)?;
                    Run::Set(run)
                }
                Function::JsonTable(call, phys) => Run::Rows(phys.clone(), call.rows(cx)?, 0),
                Function::XmlTable(call, phys) => Run::Rows(phys.clone(), call.rows(cx)?, 0),
                Function::Scalar {
                    program,
                    phys,
                    spread,
                    live,
                } => {
                    let value = Eval::new(program).value(cx)?;
                    let row = match value {
                        Datum::Record(r) if *spread => {
                            let mut fields = r.fields.iter().cloned();
                            let mut field = |live: &bool| if *live { fields.next() } else { None };
                            live.iter().map(|l| field(l).unwrap_or(Datum::Null)).collect()
                        }
                        value => vec![value],
                    };
                    Run::Scalar(phys.clone(), Some(row))
                }
            });
        }
        Ok(())
    }
}

impl Operator for FunctionScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if self.runs.is_empty() {
            self.start(cx)?;
        }
        loop {
            cx.check()?;
            let mut count = 0;
            for run in &mut self.runs {
                count = count.max(run.fill(cx, max_rows.min(BATCH_ROWS))?);
            }
            let count = count.min(max_rows);
            if count == 0 {
                return Ok(None);
            }
            let mut columns: Vec<Arc<Vector>> = self.runs.iter_mut().flat_map(|r| r.take(count)).collect();
            if self.node.ordinality {
                let numbers = (1..=count as i64).map(|k| self.given + k).collect();
                columns.push(Arc::new(Vector::new(VectorData::Int8(numbers), None)));
            }
            self.given += count as i64;
            let inputs = Inputs::scan(&columns, count);
            if let Some(out) = self.projector.apply(cx, inputs, &Selection::All(count))? {
                return Ok(Some(out));
            }
        }
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.runs.clear();
        self.given = 0;
        Ok(())
    }
}
