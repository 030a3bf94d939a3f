//! Expressions of plan nodes as text: columns get the names of what they were computed from, parameters those of what sets them.
//!
//! PG: src/backend/utils/adt/ruleutils.c (`set_deparse_plan`, `get_variable`, `find_param_referent`).

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use catalog::CatalogView;
use catalog::deparse::{Deparse, Names, expression_with};
use catalog::names::{TEMP_SCHEMA, shown_schema};
use common::{Oid, PgResult};
use nodes::Expr;
use nodes::expr::{Aggref, FuncExpr, Param, ParamKind, SubLinkKind, SubPlan, Var, VarSource, WindowFunc};
use nodes::plan::{Plan, PlanNode, PlannedStmt, SubPlanUsage};
use nodes::stored::StoredFact;
use parser::quote_identifier;
use types::io::IoContext;
use types::settings::TypeRef;

use crate::explain::removed::Removed;

/// What all expressions of a plan are printed with.
pub(crate) struct Printer<'a> {
    pub plan: &'a PlannedStmt,
    pub view: &'a dyn CatalogView,
    pub io: IoContext<'a>,
    /// Name of each range table entry, made distinct.
    pub aliases: Vec<String>,
}

/// A node and those above it, outermost first.
pub(crate) type Path<'a> = Vec<&'a Plan>;

/// One printing.
struct Context<'p, 'a> {
    printer: &'p Printer<'a>,
    path: Path<'a>,
    prefix: bool,
    /// SubPlans whose test is being printed.
    testing: RefCell<Vec<SubPlan>>,
    /// Below an Append seen from above: the root of the tree, whose name members' columns have there.
    tree: Option<Tree<'a>>,
}

/// The tables after which columns of members are named above what puts the members together.
#[derive(Clone, Copy)]
enum Tree<'a> {
    /// One for all.
    One(usize),
    /// Members of several, joined: by member.
    Joined(&'a [(usize, usize)]),
}

impl Tree<'_> {
    fn name_of(self, rt_index: usize) -> usize {
        match self {
            Tree::One(root) => root,
            Tree::Joined(roots) => {
                let found = roots.iter().find(|(member, _)| *member == rt_index);
                found.map_or(rt_index, |(_, root)| *root)
            }
        }
    }
}

impl<'a> Printer<'a> {
    /// An expression of the last node of the path.
    pub fn print(&self, expr: &Expr, path: &Path<'a>, prefix: bool) -> PgResult<String> {
        let names = Context {
            printer: self,
            path: path.clone(),
            prefix,
            testing: RefCell::default(),
            tree: None,
        };
        names.text(expr)
    }

    /// An expression of the last node of the path, whose members' columns are named after the tree that the node above puts together.
    pub fn print_below(&self, expr: &Expr, path: &Path<'a>, prefix: bool) -> PgResult<String> {
        let above = path.len().checked_sub(2).and_then(|at| path.get(at));
        let roots = [above, path.last()].into_iter().flatten();
        let names = Context {
            printer: self,
            path: path.clone(),
            prefix,
            testing: RefCell::default(),
            tree: roots.filter_map(|p| tree_root(p)).next(),
        };
        names.text(expr)
    }

    fn deparse(&self) -> Deparse<'_> {
        Deparse {
            view: self.view,
            relation: None,
            io: self.io,
        }
    }

    /// A condition `outer = inner` by its operator.
    pub fn operator_call(&self, op: Oid, args: Vec<Expr>) -> PgResult<Expr> {
        let desc = self.view.operator(op)?;
        let func = desc.map_or(Oid::INVALID, |d| d.function);
        Ok(Expr::Func(FuncExpr {
            func,
            op,
            args,
            result: TypeRef::plain(types::oids::BOOL),
            returns_set: false,
            variadic: false,
            form: nodes::expr::CoercionForm::ExplicitCall,
            input_collation: Oid::INVALID,
            collation: Oid::INVALID,
            span: common::Span::NONE,
        }))
    }
}

/// Which input `Outer` and `Inner` mean.
fn input(plan: &Plan, source: VarSource) -> Option<&Plan> {
    let children = plan.children();
    match source {
        VarSource::Inner => children.get(1).copied(),
        _ => children.first().copied(),
    }
}

/// The range table entry that a scan reads.
pub(crate) fn scan_index(plan: &Plan) -> Option<usize> {
    match &plan.node {
        PlanNode::SeqScan { rt_index, .. }
        | PlanNode::SampleScan { rt_index, .. }
        | PlanNode::BitmapHeapScan { rt_index, .. }
        | PlanNode::TidScan { rt_index, .. }
        | PlanNode::TidRangeScan { rt_index, .. }
        | PlanNode::SubqueryScan { rt_index, .. }
        | PlanNode::FunctionScan { rt_index, .. }
        | PlanNode::ValuesScan { rt_index, .. }
        | PlanNode::CteScan { rt_index, .. }
        | PlanNode::WorkTableScan { rt_index, .. } => Some(*rt_index),
        PlanNode::IndexScan(s) | PlanNode::IndexOnlyScan(s) | PlanNode::BitmapIndexScan(s) => {
            Some(s.rt_index)
        }
        PlanNode::ModifyTable(m) => Some(m.nominal_rt_index),
        _ => None,
    }
}

/// The root of the inheritance tree whose members a node puts together.
fn tree_root(plan: &Plan) -> Option<Tree<'_>> {
    match &plan.node {
        PlanNode::Append { roots, .. } | PlanNode::MergeAppend { roots, .. } if !roots.is_empty() => {
            Some(Tree::Joined(roots))
        }
        PlanNode::Append { rt_index, .. } | PlanNode::MergeAppend { rt_index, .. } => {
            Some(*rt_index).filter(|i| *i > 0).map(Tree::One)
        }
        _ => None,
    }
}

fn system_column(attno: i16) -> &'static str {
    match attno {
        -1 => "ctid",
        -2 => "xmin",
        -3 => "cmin",
        -4 => "xmax",
        -5 => "cmax",
        nodes::expr::MERGE_ACTION_ATTNO => "MERGE_ACTION()",
        _ => "tableoid",
    }
}

impl<'a> Context<'_, 'a> {
    fn text(&self, expr: &Expr) -> PgResult<String> {
        expression_with(&self.printer.deparse(), expr, self)
    }

    /// The same printing in another node.
    fn at(&self, path: Path<'a>, expr: &Expr, prefix: bool) -> PgResult<String> {
        let names = Context {
            printer: self.printer,
            tree: None,
            path,
            prefix,
            testing: RefCell::new(self.testing.borrow().clone()),
        };
        names.text(expr)
    }

    fn var(&self, var: &Var) -> PgResult<Option<String>> {
        let Some(plan) = self.path.last() else {
            return Ok(None);
        };
        match var.source {
            VarSource::Scan => Ok(scan_index(plan).map(|rt| self.column(rt, var.attno))),
            VarSource::Rel { index, .. } => Ok(Some(self.column(index, var.attno))),
            source => self.child_column(plan, source, var.attno),
        }
    }

    fn column(&self, rt_index: usize, attno: i16) -> String {
        if let Some((fact, column)) = StoredFact::of_attno(attno) {
            return format!("{}({})", fact.function_name(), self.column(rt_index, column));
        }
        let rte = rt_index
            .checked_sub(1)
            .and_then(|i| self.printer.plan.range_table.get(i));
        let name = match (rte, usize::try_from(attno)) {
            (_, Err(_)) => system_column(attno).to_owned(),
            (Some(rte), Ok(at)) if at > 0 => {
                let found = rte.eref.columns.get(at - 1);
                found.map_or_else(|| format!("col{at}"), |n| quote_identifier(n).to_string())
            }
            (_, Ok(0)) => String::from("*"),
            (None, Ok(at)) => format!("col{at}"),
            (Some(_), Ok(_)) => String::new(),
        };
        let named = self.tree.map_or(rt_index, |t| t.name_of(rt_index));
        let alias = named.checked_sub(1).and_then(|i| self.printer.aliases.get(i));
        match alias.filter(|a| self.prefix && !a.is_empty()) {
            Some(alias) => format!("{}.{name}", quote_identifier(alias)),
            None => name,
        }
    }

    fn child_column(&self, plan: &'a Plan, source: VarSource, attno: i16) -> PgResult<Option<String>> {
        let Some(child) = input(plan, source) else {
            return Ok(None);
        };
        let at = usize::try_from(attno).ok().and_then(|a| a.checked_sub(1));
        let Some(target) = at.and_then(|at| child.target_list.get(at)) else {
            return Ok(Some(format!("col{attno}")));
        };
        let mut path = self.path.clone();
        path.push(child);
        let below = Context {
            tree: self.tree.or(tree_root(plan)).or(tree_root(child)),
            path,
            testing: RefCell::new(self.testing.borrow().clone()),
            ..*self
        };
        let text = below.text(&target.expr)?;
        // What is computed below is shown in parentheses of its own.
        Ok(Some(match &target.expr {
            Expr::Var(_) => text,
            _ => format!("({text})"),
        }))
    }

    fn param(&self, param: &Param) -> PgResult<Option<String>> {
        if param.kind == ParamKind::External {
            return Ok(Some(format!("${}", param.number)));
        }
        let testing = self.testing.borrow().clone();
        for sub in testing.iter().rev() {
            if let Some(column) = sub.output_params.iter().position(|p| *p == param.number) {
                let hashed = if sub.use_hash_table { "hashed " } else { "" };
                return Ok(Some(format!("({hashed}{}).col{}", sub.name, column + 1)));
            }
        }
        for entry in &self.printer.plan.subplans {
            if let SubPlanUsage::InitPlan(slots) = &entry.usage
                && let Some(column) = slots.iter().position(|s| *s == param.number)
            {
                return Ok(Some(format!("({}).col{}", entry.name, column + 1)));
            }
        }
        if let Some(text) = self.nest_loop_param(param.number)? {
            return Ok(Some(text));
        }
        if let Some(text) = self.subplan_argument(param.number)? {
            return Ok(Some(text));
        }
        Ok(Some(format!("${}", param.number)))
    }

    /// A value that a nested loop above hands down.
    fn nest_loop_param(&self, number: usize) -> PgResult<Option<String>> {
        for depth in (0..self.path.len()).rev() {
            let PlanNode::NestLoop { params, .. } = &self.path[depth].node else {
                continue;
            };
            if let Some(param) = params.iter().find(|p| p.param == number) {
                let path = self.path[..=depth].to_vec();
                let text = self.at(path, &param.value, true)?;
                return Ok(Some(match &param.value {
                    Expr::Var(_) => text,
                    _ => format!("({text})"),
                }));
            }
        }
        Ok(None)
    }

    /// A value that the expression with the subplan hands to it.
    fn subplan_argument(&self, number: usize) -> PgResult<Option<String>> {
        for depth in (0..self.path.len()).rev() {
            let mut found: Option<Expr> = None;
            self.path[depth].for_each_expr(&mut |expr| {
                nodes::walk::walk(expr, &mut |e| {
                    if let Expr::SubPlan(s) = e
                        && let Some((_, value)) = s.params.iter().find(|(slot, _)| *slot == number)
                    {
                        found.get_or_insert_with(|| value.clone());
                    }
                    true
                });
            });
            if let Some(value) = found {
                let path = self.path[..=depth].to_vec();
                return self.at(path, &value, true).map(Some);
            }
        }
        Ok(None)
    }

    fn sub_plan(&self, sub: &SubPlan) -> PgResult<String> {
        let usage = self.printer.plan.subplans.get(sub.plan_id).map(|e| &e.usage);
        if matches!(usage, Some(SubPlanUsage::InitPlan(_))) {
            return Ok(format!("({}).col1", sub.name));
        }
        let open = match sub.kind {
            SubLinkKind::Exists => "EXISTS(",
            SubLinkKind::All => "(ALL ",
            SubLinkKind::Any => "(ANY ",
            SubLinkKind::RowCompare | SubLinkKind::Expr => "(",
            SubLinkKind::MultiExpr => "(rescan ",
            SubLinkKind::Array => "ARRAY(",
            SubLinkKind::Cte => "CTE(",
        };
        match &sub.test {
            Some(test) => {
                self.testing.borrow_mut().push(sub.clone());
                let text = self.text(test);
                self.testing.borrow_mut().pop();
                Ok(format!("{open}{})", text?))
            }
            None if sub.use_hash_table => Ok(format!("{open}hashed {})", sub.name)),
            None => Ok(format!("{open}{})", sub.name)),
        }
    }

    fn function_name(&self, func: Oid) -> PgResult<String> {
        let Some(desc) = self.printer.view.function(func)? else {
            return Ok(func.to_string());
        };
        let visible = self.printer.view.functions_by_name(None, &desc.name)?;
        let name = quote_identifier(&desc.name).to_string();
        let schema = self.printer.view.namespace_name(desc.namespace)?;
        let schema = schema.map(|s| shown_schema(&s).to_owned());
        // Functions are not looked up in the temporary schema.
        if schema.as_deref() != Some(TEMP_SCHEMA) && visible.iter().any(|f| f.oid == func) {
            return Ok(name);
        }
        Ok(schema.map_or(name.clone(), |s| format!("{}.{name}", quote_identifier(&s))))
    }

    fn aggregate(&self, agg: &Aggref) -> PgResult<String> {
        if let (nodes::expr::AggSplit::Final, Some(states)) = (agg.split, agg.args.first()) {
            // It prints as the call whose states it finishes.
            let text = self.text(&states.expr)?;
            let bare = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
            let bare = bare.unwrap_or(&text);
            return Ok(bare.strip_prefix("PARTIAL ").unwrap_or(bare).to_owned());
        }
        let mut out = match agg.split {
            nodes::expr::AggSplit::Initial => "PARTIAL ".to_owned(),
            _ => String::new(),
        };
        out.push_str(&self.function_name(agg.func)?);
        out.push('(');
        if !agg.distinct.is_empty() {
            out.push_str("DISTINCT ");
        }
        if agg.star {
            out.push('*');
        }
        let mut parts = Vec::new();
        for arg in agg.args.iter().filter(|a| !a.resjunk) {
            parts.push(self.text(&arg.expr)?);
        }
        if agg.kind != b'n' && !agg.direct_args.is_empty() {
            let mut direct = Vec::new();
            for arg in &agg.direct_args {
                direct.push(self.text(arg)?);
            }
            out.push_str(&direct.join(", "));
            out.push_str(") WITHIN GROUP (ORDER BY ");
            out.push_str(&parts.join(", "));
        } else {
            out.push_str(&parts.join(", "));
            if !agg.order_by.is_empty() {
                out.push_str(" ORDER BY ");
                out.push_str(&self.order(agg)?);
            }
        }
        out.push(')');
        if let Some(filter) = &agg.filter {
            out.push_str(&format!(" FILTER (WHERE {})", self.text(filter)?));
        }
        Ok(out)
    }

    fn order(&self, agg: &Aggref) -> PgResult<String> {
        let mut keys = Vec::new();
        for clause in &agg.order_by {
            let Some(arg) = agg.args.iter().find(|a| a.sort_group_ref == clause.target_ref) else {
                continue;
            };
            let mut key = self.text(&arg.expr)?;
            if clause.reverse {
                key.push_str(" DESC");
            }
            if clause.nulls_first != clause.reverse {
                key.push_str(if clause.nulls_first {
                    " NULLS FIRST"
                } else {
                    " NULLS LAST"
                });
            }
            keys.push(key);
        }
        Ok(keys.join(", "))
    }

    fn window_func(&self, func: &WindowFunc) -> PgResult<String> {
        let mut out = self.function_name(func.func)?;
        out.push('(');
        if func.star {
            out.push('*');
        }
        let mut parts = Vec::new();
        for arg in &func.args {
            parts.push(self.text(arg)?);
        }
        out.push_str(&parts.join(", "));
        out.push(')');
        if let Some(filter) = &func.filter {
            out.push_str(&format!(" FILTER (WHERE {})", self.text(filter)?));
        }
        let name = self.path.iter().rev().find_map(|p| match &p.node {
            PlanNode::WindowAgg { window_ref, name, .. } if *window_ref == func.window_ref => {
                Some(name.to_string())
            }
            _ => None,
        });
        out.push_str(&format!(
            " OVER {}",
            name.map_or_else(|| "(?)".to_owned(), |n| quote_identifier(&n).to_string())
        ));
        Ok(out)
    }
}

impl Names for Context<'_, '_> {
    fn name(&self, expr: &Expr) -> PgResult<Option<String>> {
        match expr {
            Expr::Var(v) => self.var(v),
            Expr::Param(p) => self.param(p),
            Expr::SubPlan(s) => self.sub_plan(s).map(Some),
            Expr::Aggref(a) => self.aggregate(a).map(Some),
            Expr::WindowFunc(w) => self.window_func(w).map(Some),
            Expr::GroupingFunc(g) => {
                let mut parts = Vec::new();
                for arg in &g.args {
                    parts.push(self.text(arg)?);
                }
                Ok(Some(format!("GROUPING({})", parts.join(", "))))
            }
            Expr::CaseTest(_) => Ok(Some("CASE_TEST_EXPR".to_owned())),
            Expr::CurrentOf { cursor, .. } => Ok(Some(format!("CURRENT OF {}", quote_identifier(cursor)))),
            Expr::RowCompare(r) => {
                let list = |items: &[Expr]| -> PgResult<String> {
                    let parts: PgResult<Vec<String>> = items.iter().map(|e| self.text(e)).collect();
                    Ok(parts?.join(", "))
                };
                let op = r.ops.first().copied().unwrap_or_default();
                let name = self
                    .printer
                    .view
                    .operator(op)?
                    .map_or_else(|| "?".into(), |o| o.name.clone());
                Ok(Some(format!(
                    "(ROW({}) {name} ROW({}))",
                    list(&r.left)?,
                    list(&r.right)?
                )))
            }
            _ => Ok(None),
        }
    }
}

/// Names of the range table, each used once: `t`, `t_1`... Entries of the plan itself are named before those of its subplans.
pub(crate) fn aliases(plan: &PlannedStmt, removed: &Removed) -> Vec<String> {
    let mut order: Vec<usize> = Vec::new();
    let mut known = HashSet::new();
    // The plan's own entries come first, in the order of the range table; then those of each subplan.
    let used = subplans_used(plan);
    let subplans = plan
        .subplans
        .iter()
        .enumerate()
        .filter(|(id, _)| used.contains(id));
    let roots = std::iter::once(&plan.plan).chain(subplans.map(|(_, s)| &s.plan));
    for root in roots {
        let mut found: Vec<usize> = Vec::new();
        scanned(root, removed, &mut |at| {
            if known.insert(at) {
                found.push(at);
            }
        });
        found.sort_unstable();
        order.append(&mut found);
    }
    for at in 1..=plan.range_table.len() {
        if known.insert(at) {
            order.push(at);
        }
    }
    let mut names: Vec<String> = vec![String::new(); plan.range_table.len()];
    let (mut taken, mut numbers) = (HashSet::new(), HashMap::new());
    for at in order.into_iter().filter_map(|at| at.checked_sub(1)) {
        let Some(rte) = plan.range_table.get(at) else {
            continue;
        };
        let base = &*rte.eref.name;
        let mut name = base.to_owned();
        // Thousands of partitions have one name: the last number that it got goes on.
        let number = numbers.entry(base).or_insert(0);
        while !base.is_empty() && taken.contains(&name) {
            *number += 1;
            name = format!("{base}_{number}");
        }
        taken.insert(name.clone());
        names[at] = name;
    }
    names
}

/// Subplans that are part of the plan: a subquery that may run in two ways was planned twice.
fn subplans_used(plan: &PlannedStmt) -> Vec<usize> {
    let mut used: Vec<usize> = Vec::new();
    let mut open = vec![&plan.plan];
    while let Some(node) = open.pop() {
        open.extend(node.children());
        let mut named = node.init_plans.clone();
        if let PlanNode::CteScan { plan_id, .. } = &node.node {
            named.push(*plan_id);
        }
        node.for_each_expr(&mut |e| {
            nodes::walk::walk(e, &mut |e| {
                if let Expr::SubPlan(s) = e {
                    named.push(s.plan_id);
                }
                true
            });
        });
        for id in named {
            if !used.contains(&id) {
                used.push(id);
                open.extend(plan.subplans.get(id).map(|s| &s.plan));
            }
        }
    }
    used
}

/// Range table entries that the nodes of a plan read, in the order of the nodes.
fn scanned(plan: &Plan, removed: &Removed, visit: &mut dyn FnMut(usize)) {
    if let Some(at) = scan_index(plan) {
        visit(at);
    }
    match &plan.node {
        // The root of an inheritance tree has its name, although only members are read.
        PlanNode::Append { rt_index, .. } | PlanNode::MergeAppend { rt_index, .. } if *rt_index > 0 => {
            visit(*rt_index);
        }
        PlanNode::Append { roots, .. } | PlanNode::MergeAppend { roots, .. } => {
            roots.iter().for_each(|(_, root)| visit(*root));
        }
        PlanNode::ModifyTable(m) => m.relations.iter().for_each(|r| visit(r.rt_index)),
        _ => {}
    }
    for (_, child) in removed.children(plan) {
        scanned(child, removed, visit);
    }
}
