//! From a plan to a tree of labelled values, in PostgreSQL's words.

use std::sync::Arc;

use catalog::desc::RelationDesc;
use catalog::names::shown_schema;
use common::{Oid, PgResult};
use nodes::plan::{AggStrategy, IndexScan, Plan, PlanNode, ScanDirection, SortKey, SubPlanUsage};
use nodes::query::{RangeTblFunction, RteKind};
use nodes::{Expr, PlannedStmt};
use types::io::IoContext;

use crate::context::CommandContext;
use crate::explain::names::{Path, Printer, aliases, scan_index};
use crate::explain::removed::Removed;
use crate::explain::render::{Child, Node, Properties, Shown, Value, millis, number};
use crate::explain::words::{self, children_disabled, join_word, kind, operation_word, set_op_word};
use crate::explain::{Measured, Options};
use crate::query::Planned;

/// Everything that explaining one plan needs.
pub(super) struct Explainer<'a> {
    pub(super) printer: Printer<'a>,
    pub(super) options: Options,
    pub(super) measured: Option<&'a Measured>,
    /// Prefix columns with their table: several tables, or VERBOSE.
    several: bool,
    removed: Removed,
    /// BUFFERS tell of times, too.
    pub(super) io_timing: bool,
    /// Initplans that some node shows.
    attached: Vec<usize>,
}

/// The tree of a plan.
pub(crate) fn tree(
    planned: &Planned,
    options: Options,
    measured: Option<&Measured>,
    cx: &CommandContext<'_>,
) -> PgResult<Node> {
    let plan: &PlannedStmt = &planned.plan;
    let real = plan
        .range_table
        .iter()
        .filter(|r| !matches!(r.kind, RteKind::Group { .. }));
    let removed = match options.generic_plan {
        true => Removed::default(),
        false => Removed::at_start(planned, cx)?,
    };
    let explainer = Explainer {
        printer: Printer {
            plan,
            view: &*planned.view,
            io: IoContext {
                settings: &cx.settings,
                resolver: Some(cx.session.resolver()),
                cancel: common::cancel::CancelToken::never(),
            },
            aliases: aliases(plan, &removed),
        },
        options,
        measured,
        several: real.count() + without_from(plan) > 1,
        removed,
        io_timing: cx.guc.borrow().get_bool("track_io_timing"),
        attached: attached(plan),
    };
    explainer.node(&plan.plan, &Vec::new())
}

/// Initplans by the nodes that they hang on.
fn attached(plan: &PlannedStmt) -> Vec<usize> {
    let mut out = Vec::new();
    let mut open: Vec<&Plan> = plan.subplans.iter().map(|s| &s.plan).collect();
    open.push(&plan.plan);
    while let Some(plan) = open.pop() {
        out.extend(&plan.init_plans);
        open.extend(plan.children());
    }
    out
}

/// Query levels without FROM: PostgreSQL gives each an entry in the range table.
fn without_from(plan: &PlannedStmt) -> usize {
    fn count(plan: &Plan) -> usize {
        let own = matches!(plan.node, PlanNode::Result { input: None, .. });
        usize::from(own) + plan.children().into_iter().map(count).sum::<usize>()
    }
    count(&plan.plan) + plan.subplans.iter().map(|s| count(&s.plan)).sum::<usize>()
}

impl<'a> Explainer<'a> {
    fn node(&self, plan: &'a Plan, above: &Path<'a>) -> PgResult<Node> {
        let mut path = above.clone();
        path.push(plan);
        if let PlanNode::Gather {
            input,
            invisible: true,
            ..
        } = &plan.node
        {
            return self.node(input, &path);
        }
        let (kind, mut label) = kind(plan);
        if plan.parallel_aware {
            label.insert_str(0, "Parallel ");
        }
        let mut node = Node {
            line: label,
            ..Node::default()
        };
        let mut head = Properties::default();
        head.json("Node Type", Value::Text(kind.to_owned()));
        self.head(plan, &mut head)?;
        self.target(plan, &mut node.line, &mut head)?;
        self.costs(plan, &mut node.line, &mut head);
        self.measurements(plan, &mut node.line, &mut head);
        head.json(
            "Disabled",
            Value::Bool(plan.disabled_nodes > children_disabled(plan)),
        );
        node.head = head.0;
        let mut properties = Properties::default();
        if plan.disabled_nodes > children_disabled(plan) {
            properties.add("Disabled", Value::Bool(true), Shown::Text);
        }
        if self.options.verbose && words::shows_output(plan) {
            let list = self.target_list(plan, &path)?;
            properties.add("Output", Value::List(list), Shown::Both);
        }
        self.properties(plan, &path, &mut properties)?;
        node.properties = properties.0;
        node.children = self.children(plan, &path)?;
        Ok(node)
    }

    fn target_list(&self, plan: &'a Plan, path: &Path<'a>) -> PgResult<Vec<String>> {
        let mut list = Vec::new();
        for target in &plan.target_list {
            list.push(self.printer.print(&target.expr, path, self.several)?);
        }
        Ok(list)
    }

    /// What JSON says between the type and the target.
    fn head(&self, plan: &Plan, head: &mut Properties) -> PgResult<()> {
        let text = |word: &str| Value::Text(word.to_owned());
        match &plan.node {
            PlanNode::Agg { strategy, split, .. } => {
                head.json(
                    "Strategy",
                    text(match strategy {
                        AggStrategy::Plain => "Plain",
                        AggStrategy::Sorted => "Sorted",
                        AggStrategy::Hashed => "Hashed",
                        AggStrategy::Mixed => "Mixed",
                    }),
                );
                head.json(
                    "Partial Mode",
                    text(match split {
                        nodes::expr::AggSplit::Simple => "Simple",
                        nodes::expr::AggSplit::Initial => "Partial",
                        nodes::expr::AggSplit::Final => "Finalize",
                    }),
                );
            }
            PlanNode::SetOp { hashed, .. } => {
                head.json("Strategy", text(if *hashed { "Hashed" } else { "Sorted" }));
            }
            PlanNode::ModifyTable(m) => head.json("Operation", text(operation_word(m.operation))),
            _ => {}
        }
        head.json("Parallel Aware", Value::Bool(plan.parallel_aware));
        head.json("Async Capable", Value::Bool(false));
        match &plan.node {
            PlanNode::IndexScan(scan) | PlanNode::IndexOnlyScan(scan) => {
                let backward = scan.direction == ScanDirection::Backward;
                head.json(
                    "Scan Direction",
                    text(if backward { "Backward" } else { "Forward" }),
                );
                head.json("Index Name", Value::Text(self.relation_name(scan.index)?));
            }
            PlanNode::BitmapIndexScan(scan) => {
                head.json("Index Name", Value::Text(self.relation_name(scan.index)?));
            }
            PlanNode::NestLoop { join_type, .. }
            | PlanNode::MergeJoin { join_type, .. }
            | PlanNode::HashJoin { join_type, .. } => head.json("Join Type", text(join_word(*join_type))),
            PlanNode::SetOp { op, all, .. } => head.json("Command", Value::Text(set_op_word(*op, *all))),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn relation(&self, oid: Oid) -> PgResult<Option<Arc<RelationDesc>>> {
        self.printer.view.relation(oid)
    }

    pub(super) fn relation_name(&self, oid: Oid) -> PgResult<String> {
        Ok(self.relation(oid)?.map_or_else(
            || oid.to_string(),
            |d| parser::quote_identifier(&d.name).to_string(),
        ))
    }

    /// What is scanned or modified.
    fn target(&self, plan: &Plan, line: &mut String, head: &mut Properties) -> PgResult<()> {
        match &plan.node {
            PlanNode::IndexScan(scan) | PlanNode::IndexOnlyScan(scan) => {
                if scan.direction == ScanDirection::Backward {
                    line.push_str(" Backward");
                }
                line.push_str(&format!(" using {}", self.relation_name(scan.index)?));
            }
            PlanNode::BitmapIndexScan(scan) => {
                line.push_str(&format!(" on {}", self.relation_name(scan.index)?));
                return Ok(());
            }
            _ => {}
        }
        let Some(rt_index) = scan_index(plan) else {
            return Ok(());
        };
        let at = rt_index.wrapping_sub(1);
        let Some(rte) = self.printer.plan.range_table.get(at) else {
            return Ok(());
        };
        let alias = self.printer.aliases.get(at).cloned().unwrap_or_default();
        let (label, name, schema) = match &rte.kind {
            RteKind::Relation { relation, .. } => {
                let desc = self.relation(*relation)?;
                let name = desc.as_ref().map(|d| d.name.to_string());
                let schema = desc.map(|d| shown_schema(&d.namespace_name).to_owned());
                ("Relation Name", name, schema)
            }
            RteKind::Function { functions, .. } => match functions.as_slice() {
                [one] => match &one.expr {
                    Expr::Func(f) => {
                        let desc = self.printer.view.function(f.func)?;
                        let schema = desc
                            .as_ref()
                            .and_then(|d| self.printer.view.namespace_name(d.namespace).ok().flatten())
                            .map(|s| s.to_string());
                        ("Function Name", desc.map(|d| d.name.to_string()), schema)
                    }
                    _ => words::function_target(functions),
                },
                _ => ("Function Name", None, None),
            },
            RteKind::Cte { name, .. } => ("CTE Name", Some(name.to_string()), None),
            _ => ("", None, None),
        };
        line.push_str(" on");
        let quote = |name: &str| parser::quote_identifier(name).to_string();
        if let Some(name) = &name {
            match schema.as_deref().filter(|_| self.options.verbose) {
                Some(schema) => line.push_str(&format!(" {}.{}", quote(schema), quote(name))),
                None => line.push_str(&format!(" {}", quote(name))),
            }
            head.json(label, Value::Text(name.clone()));
            if let Some(schema) = schema.filter(|_| self.options.verbose) {
                head.json("Schema", Value::Text(schema));
            }
        }
        if name.as_deref() != Some(alias.as_str()) && !alias.is_empty() {
            line.push_str(&format!(" {}", quote(&alias)));
        }
        head.json("Alias", Value::Text(alias));
        Ok(())
    }

    fn costs(&self, plan: &Plan, line: &mut String, head: &mut Properties) {
        if !self.options.costs {
            return;
        }
        let c = &plan.cost;
        line.push_str(&format!(
            "  (cost={:.2}..{:.2} rows={:.0} width={})",
            c.startup, c.total, c.rows, c.width
        ));
        head.json("Startup Cost", number(format!("{:.2}", c.startup)));
        head.json("Total Cost", number(format!("{:.2}", c.total)));
        head.json("Plan Rows", number(format!("{:.0}", c.rows)));
        head.json("Plan Width", number(c.width));
    }

    fn measurements(&self, plan: &Plan, line: &mut String, head: &mut Properties) {
        let Some(measured) = self.measured else {
            return;
        };
        let stats = measured.nodes.get(plan.id as usize).copied().unwrap_or_default();
        if stats.loops == 0 {
            line.push_str(" (never executed)");
            if self.options.timing {
                head.json("Actual Startup Time", number("0.000"));
                head.json("Actual Total Time", number("0.000"));
            }
            head.json("Actual Rows", number("0.00"));
            head.json("Actual Loops", number(0));
            return;
        }
        let loops = stats.loops as f64;
        let rows = stats.rows as f64 / loops;
        let (startup, total) = (millis(stats.startup) / loops, millis(stats.total) / loops);
        if self.options.timing {
            line.push_str(&format!(
                " (actual time={startup:.3}..{total:.3} rows={rows:.2} loops={})",
                stats.loops
            ));
            head.json("Actual Startup Time", number(format!("{startup:.3}")));
            head.json("Actual Total Time", number(format!("{total:.3}")));
        } else {
            line.push_str(&format!(" (actual rows={rows:.2} loops={})", stats.loops));
        }
        head.json("Actual Rows", number(format!("{rows:.2}")));
        head.json("Actual Loops", number(stats.loops));
    }

    /// Conditions joined by AND.
    pub(super) fn condition(
        &self,
        label: &str,
        conditions: &[Expr],
        path: &Path<'a>,
        prefix: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        let text = match conditions {
            [] => return Ok(()),
            [one] => self.printer.print(one, path, prefix)?,
            many => {
                let mut parts = Vec::new();
                for condition in many {
                    parts.push(self.printer.print(condition, path, prefix)?);
                }
                format!("({})", parts.join(" AND "))
            }
        };
        out.text(label, text);
        Ok(())
    }

    /// The node's own filter and how many rows it dropped.
    pub(super) fn filter(
        &self,
        plan: &'a Plan,
        path: &Path<'a>,
        prefix: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        self.condition("Filter", &plan.qual, path, prefix, out)?;
        if !plan.qual.is_empty() {
            self.removed("Rows Removed by Filter", plan, out);
        }
        Ok(())
    }

    fn removed(&self, label: &str, plan: &Plan, out: &mut Properties) {
        let Some(found) = self.measured else { return };
        let stats = found.nodes.get(plan.id as usize).copied().unwrap_or_default();
        if stats.filtered == 0 && self.options.format == crate::explain::Format::Text {
            return;
        }
        let per_loop = if stats.loops > 0 {
            stats.filtered as f64 / stats.loops as f64
        } else {
            0.0
        };
        out.add(label, number(format!("{per_loop:.0}")), Shown::Both);
    }

    fn searches(&self, plan: &Plan, out: &mut Properties) {
        if let Some(measured) = self.measured {
            let loops = measured.nodes.get(plan.id as usize).map_or(0, |s| s.loops);
            out.add("Index Searches", number(loops), Shown::Both);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm per kind of node")]
    fn properties(&self, plan: &'a Plan, path: &Path<'a>, out: &mut Properties) -> PgResult<()> {
        let own = self.options.verbose;
        let upper = self.several || own;
        match &plan.node {
            PlanNode::IndexScan(scan) => {
                self.index_condition(scan, path, own, out)?;
                self.filter(plan, path, own, out)?;
                self.searches(plan, out);
            }
            PlanNode::IndexOnlyScan(scan) => {
                self.index_condition(scan, path, own, out)?;
                self.filter(plan, path, own, out)?;
                if self.measured.is_some() {
                    out.add("Heap Fetches", number(0), Shown::Both);
                }
                self.searches(plan, out);
            }
            PlanNode::BitmapIndexScan(scan) => {
                self.index_condition(scan, path, own, out)?;
                self.searches(plan, out);
            }
            PlanNode::BitmapHeapScan { recheck, .. } => {
                self.condition("Recheck Cond", recheck, path, own, out)?;
                self.filter(plan, path, own, out)?;
            }
            PlanNode::SampleScan { sample, .. } => {
                self.sampling(sample, path, own, out)?;
                self.filter(plan, path, own, out)?;
            }
            PlanNode::SeqScan { .. }
            | PlanNode::ValuesScan { .. }
            | PlanNode::CteScan { .. }
            | PlanNode::WorkTableScan { .. } => self.filter(plan, path, own, out)?,
            PlanNode::SubqueryScan { .. } => self.filter(plan, path, true, out)?,
            PlanNode::FunctionScan { functions, .. } => {
                self.calls(functions, path, out)?;
                self.filter(plan, path, own, out)?;
            }
            PlanNode::TidScan { tids, .. } => {
                self.condition("TID Cond", tids, path, own, out)?;
                self.filter(plan, path, own, out)?;
            }
            PlanNode::TidRangeScan { quals, .. } => {
                self.condition("TID Cond", quals, path, own, out)?;
                self.filter(plan, path, own, out)?;
            }
            PlanNode::NestLoop {
                join_qual,
                inner_unique,
                ..
            } => {
                self.inner_unique(*inner_unique, out);
                self.join_filters(plan, join_qual, path, upper, out)?;
            }
            PlanNode::MergeJoin {
                clauses,
                join_qual,
                inner_unique,
                ..
            } => {
                self.inner_unique(*inner_unique, out);
                let pairs = clauses.iter().map(|c| (c.eq_op, &c.outer, &c.inner));
                self.join_clauses("Merge Cond", pairs, path, upper, out)?;
                self.join_filters(plan, join_qual, path, upper, out)?;
            }
            PlanNode::HashJoin {
                clauses,
                join_qual,
                inner_unique,
                ..
            } => {
                self.inner_unique(*inner_unique, out);
                let pairs = clauses.iter().map(|c| (c.eq_op, &c.outer, &c.inner));
                self.join_clauses("Hash Cond", pairs, path, upper, out)?;
                self.join_filters(plan, join_qual, path, upper, out)?;
            }
            PlanNode::Agg { keys, passes, .. } => {
                if passes.is_empty() {
                    self.group_keys("Group Key", keys, path, upper, out)?;
                } else {
                    self.grouping_sets(passes, path, upper, out)?;
                }
                self.filter(plan, path, upper, out)?;
            }
            PlanNode::Group { keys, .. } => {
                self.group_keys("Group Key", keys, path, upper, out)?;
                self.filter(plan, path, upper, out)?;
            }
            PlanNode::WindowAgg { .. } => self.window(plan, path, upper, out)?,
            PlanNode::Sort { keys, .. } => {
                self.sort_keys("Sort Key", keys, path, upper, out)?;
            }
            PlanNode::IncrementalSort { keys, presorted, .. } => {
                self.sort_keys("Sort Key", keys, path, upper, out)?;
                let first = keys.get(..*presorted).unwrap_or_default();
                self.sort_keys("Presorted Key", first, path, upper, out)?;
            }
            PlanNode::Append { .. } => self.removed.show(plan, out),
            PlanNode::MergeAppend { keys, .. } => {
                self.sort_keys("Sort Key", keys, path, upper, out)?;
                self.removed.show(plan, out);
            }
            PlanNode::Result { one_time, .. } => {
                self.condition("One-Time Filter", one_time, path, upper, out)?;
                self.filter(plan, path, upper, out)?;
            }
            PlanNode::Memoize {
                keys, binary_mode, ..
            } => {
                self.cache(keys, *binary_mode, path, upper, out)?;
            }
            PlanNode::ModifyTable(m) => {
                self.result_relations(m, out)?;
                self.conflict(m, path, out)?;
            }
            PlanNode::Gather {
                workers,
                keys,
                single_copy,
                ..
            } => {
                self.workers(plan, *workers, out);
                let shown = if *single_copy { Shown::Both } else { Shown::Json };
                if keys.is_empty() {
                    out.add("Single Copy", Value::Bool(*single_copy), shown);
                }
            }
            _ => self.filter(plan, path, upper, out)?,
        }
        self.memory(plan, out);
        self.blocks(out);
        self.logged(plan, out);
        Ok(())
    }

    /// The calls of a FunctionScan, with VERBOSE.
    fn calls(&self, functions: &[RangeTblFunction], path: &Path<'a>, out: &mut Properties) -> PgResult<()> {
        if !self.options.verbose {
            return Ok(());
        }
        let mut calls = Vec::new();
        for function in functions {
            calls.push(self.printer.print(&function.expr, path, true)?);
        }
        out.text(words::call_label(functions), calls.join(", "));
        Ok(())
    }

    /// What a merge or hash join compares.
    fn join_clauses<'e>(
        &self,
        label: &'static str,
        pairs: impl Iterator<Item = (Oid, &'e Expr, &'e Expr)>,
        path: &Path<'a>,
        upper: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        let mut conditions = Vec::new();
        for (operator, outer, inner) in pairs {
            let args = vec![outer.clone(), inner.clone()];
            conditions.push(self.printer.operator_call(operator, args)?);
        }
        self.condition(label, &conditions, path, upper, out)
    }

    /// By what a Memoize keeps its results.
    fn cache(
        &self,
        keys: &[Expr],
        binary: bool,
        path: &Path<'a>,
        upper: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        let mut parts = Vec::new();
        for key in keys {
            parts.push(self.printer.print(key, path, upper)?);
        }
        out.text("Cache Key", parts.join(", "));
        out.text("Cache Mode", if binary { "binary" } else { "logical" });
        Ok(())
    }

    /// Processes that a Gather asked for, and those that it got.
    fn workers(&self, plan: &Plan, planned: usize, out: &mut Properties) {
        out.add("Workers Planned", number(planned), Shown::Both);
        let stats = self.measured.and_then(|m| m.nodes.get(plan.id as usize));
        if let Some(launched) = stats.and_then(|s| s.workers) {
            out.add("Workers Launched", number(launched), Shown::Both);
        }
    }

    fn inner_unique(&self, unique: bool, out: &mut Properties) {
        let shown = if self.options.verbose && unique {
            Shown::Both
        } else {
            Shown::Json
        };
        out.add("Inner Unique", Value::Bool(unique), shown);
    }

    fn join_filters(
        &self,
        plan: &'a Plan,
        join_qual: &[Expr],
        path: &Path<'a>,
        prefix: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        self.condition("Join Filter", join_qual, path, prefix, out)?;
        if !join_qual.is_empty() && plan.qual.is_empty() {
            self.removed("Rows Removed by Join Filter", plan, out);
        }
        self.filter(plan, path, prefix, out)
    }

    fn index_condition(
        &self,
        scan: &IndexScan,
        path: &Path<'a>,
        prefix: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        let conditions: Vec<Expr> = scan.quals.iter().map(|q| q.original.clone()).collect();
        self.condition("Index Cond", &conditions, path, prefix, out)?;
        self.condition("Order By", &scan.order_by, path, prefix, out)
    }

    /// The text of a column of the node's input, in parentheses where it is computed.
    pub(super) fn input_column(&self, column: i16, path: &Path<'a>, prefix: bool) -> PgResult<String> {
        let (text, computed) = self.input_text(column, path, prefix)?;
        Ok(if computed { format!("({text})") } else { text })
    }

    /// The text of a column of the node's input, and whether it is more than a column.
    pub(super) fn input_text(&self, column: i16, path: &Path<'a>, prefix: bool) -> PgResult<(String, bool)> {
        let Some(child) = path.last().and_then(|p| p.children().first().copied()) else {
            return Ok((format!("col{column}"), false));
        };
        let at = usize::try_from(column).ok().and_then(|c| c.checked_sub(1));
        let Some(target) = at.and_then(|at| child.target_list.get(at)) else {
            return Ok((format!("col{column}"), false));
        };
        let mut below = path.clone();
        below.push(child);
        let text = self.printer.print_below(&target.expr, &below, prefix)?;
        Ok((text, !matches!(target.expr, Expr::Var(_))))
    }

    fn sort_keys(
        &self,
        label: &str,
        keys: &[SortKey],
        path: &Path<'a>,
        prefix: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        let mut parts = Vec::new();
        for key in keys {
            let mut text = self.input_column(key.column, path, prefix)?;
            text.push_str(&self.key_collation(key, path)?);
            if key.descending {
                text.push_str(" DESC");
            }
            if key.nulls_first != key.descending {
                text.push_str(if key.nulls_first {
                    " NULLS FIRST"
                } else {
                    " NULLS LAST"
                });
            }
            parts.push(text);
        }
        if !parts.is_empty() {
            out.add(label, Value::List(parts), Shown::Both);
        }
        Ok(())
    }

    /// Initplans, inputs, subplans.
    fn children(&self, plan: &'a Plan, path: &Path<'a>) -> PgResult<Vec<Child>> {
        let mut children = Vec::new();
        for id in &plan.init_plans {
            let Some(entry) = self.printer.plan.subplans.get(*id) else {
                continue;
            };
            let is_cte = matches!(entry.usage, SubPlanUsage::Cte);
            let name = if is_cte && !entry.name.starts_with("CTE ") {
                format!("CTE {}", entry.name)
            } else {
                entry.name.to_string()
            };
            children.push(Child {
                relationship: "InitPlan",
                name: Some(name),
                node: self.node(&entry.plan, path)?,
            });
        }
        let member = matches!(
            plan.node,
            PlanNode::Append { .. }
                | PlanNode::MergeAppend { .. }
                | PlanNode::BitmapAnd { .. }
                | PlanNode::BitmapOr { .. }
        );
        for (at, child) in self.removed.children(plan) {
            let relationship = match (&plan.node, at) {
                (PlanNode::SubqueryScan { .. }, _) => "Subquery",
                _ if member => "Member",
                (_, 0) => "Outer",
                _ => "Inner",
            };
            children.push(Child {
                relationship,
                name: None,
                node: self.node(child, path)?,
            });
        }
        let mut seen: Vec<usize> = plan.init_plans.clone();
        let mut subplans: Vec<usize> = Vec::new();
        plan.for_each_expr(&mut |expr| {
            nodes::walk::walk(expr, &mut |e| {
                if let Expr::SubPlan(s) = e
                    && !seen.contains(&s.plan_id)
                    && !self.attached.contains(&s.plan_id)
                {
                    seen.push(s.plan_id);
                    subplans.push(s.plan_id);
                }
                true
            });
        });
        for id in subplans {
            let Some(entry) = self.printer.plan.subplans.get(id) else {
                continue;
            };
            children.push(Child {
                relationship: "SubPlan",
                name: Some(entry.name.to_string()),
                node: self.node(&entry.plan, path)?,
            });
        }
        Ok(children)
    }
}
