//! What EXPLAIN says of groups, windows and changes.

use catalog::names::shown_schema;
use common::PgResult;
use nodes::Expr;
use nodes::plan::{AggStrategy, GroupKey, ModifyTable, Plan, PlanNode, SortKey};
use nodes::query::TableSample;

use crate::explain::names::Path;
use crate::explain::nodes::Explainer;
use crate::explain::render::{Properties, Shown, Value};
use crate::explain::words::{frame, operation_word};

impl<'a> Explainer<'a> {
    pub(super) fn group_keys(
        &self,
        label: &str,
        keys: &[GroupKey],
        path: &Path<'a>,
        prefix: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut parts = Vec::new();
        for key in keys {
            parts.push(self.input_text(key.column, path, prefix)?.0);
        }
        out.add(label, Value::List(parts), Shown::Both);
        Ok(())
    }

    /// `bernoulli ('50'::real) REPEATABLE ('2'::double precision)`.
    pub(super) fn sampling(
        &self,
        sample: &TableSample,
        path: &Path<'a>,
        prefix: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        let method = self.printer.view.function(sample.handler)?;
        let mut args = Vec::new();
        for arg in &sample.args {
            args.push(self.printer.print(arg, path, prefix)?);
        }
        let name = method.map_or_else(String::new, |f| f.name.to_string());
        let mut text = format!("{name} ({})", args.join(", "));
        if let Some(seed) = &sample.repeatable {
            text.push_str(&format!(
                " REPEATABLE ({})",
                self.printer.print(seed, path, prefix)?
            ));
        }
        out.text("Sampling", text);
        Ok(())
    }

    /// The collation of a sort column, where it is not that of its type.
    ///
    /// PG: `show_sortorder_options`.
    pub(super) fn key_collation(&self, key: &SortKey, path: &Path<'a>) -> PgResult<String> {
        let at = usize::try_from(key.column).ok().and_then(|c| c.checked_sub(1));
        let input = path.last().and_then(|p| p.children().first().copied());
        let target = at.and_then(|at| input?.target_list.get(at));
        let Some(target) = target.filter(|_| key.collation.is_valid()) else {
            return Ok(String::new());
        };
        let view = self.printer.view;
        let usual = view.type_desc(target.expr.type_oid())?.map(|t| t.collation);
        if usual == Some(key.collation) {
            return Ok(String::new());
        }
        let name = view.collation_name(key.collation)?;
        Ok(name.map_or_else(String::new, |n| {
            format!(" COLLATE {}", parser::quote_identifier(&n))
        }))
    }

    pub(super) fn grouping_sets(
        &self,
        passes: &[nodes::plan::GroupingPass],
        path: &Path<'a>,
        prefix: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        let mut sets = Vec::new();
        for pass in passes {
            let hashed = pass.strategy == AggStrategy::Hashed;
            let label = if hashed { "Hash Key" } else { "Group Key" };
            let mut lists = Vec::new();
            for set in &pass.sets {
                let mut parts = Vec::new();
                for key in set.iter().filter_map(|i| pass.keys.get(*i)) {
                    parts.push(self.input_text(key.column, path, prefix)?.0);
                }
                let line = if parts.is_empty() {
                    "()".to_owned()
                } else {
                    parts.join(", ")
                };
                out.add(label, Value::Text(line), Shown::Text);
                lists.push(parts);
            }
            sets.push((label, lists));
        }
        out.json("Grouping Sets", Value::Sets(sets));
        Ok(())
    }

    pub(super) fn window(
        &self,
        plan: &'a Plan,
        path: &Path<'a>,
        prefix: bool,
        out: &mut Properties,
    ) -> PgResult<()> {
        let PlanNode::WindowAgg {
            name,
            partition,
            order,
            units,
            start,
            end,
            run_condition,
            ..
        } = &plan.node
        else {
            return Ok(());
        };
        let list = |keys: &[GroupKey]| -> PgResult<String> {
            let mut parts = Vec::new();
            for key in keys {
                parts.push(self.input_column(key.column, path, prefix)?);
            }
            Ok(parts.join(", "))
        };
        let mut parts = Vec::new();
        if !partition.is_empty() {
            parts.push(format!("PARTITION BY {}", list(partition)?));
        }
        if !order.is_empty() {
            parts.push(format!("ORDER BY {}", list(order)?));
        }
        let offset = |e: &Expr| self.printer.print(e, path, prefix);
        if let Some(frame) = frame(*units, start, end, &offset)? {
            parts.push(frame);
        }
        out.text(
            "Window",
            format!("{} AS ({})", parser::quote_identifier(name), parts.join(" ")),
        );
        self.condition("Run Condition", run_condition, path, prefix, out)?;
        self.filter(plan, path, prefix, out)
    }

    /// The tables of a tree that are written to.
    pub(super) fn result_relations(&self, m: &ModifyTable, out: &mut Properties) -> PgResult<()> {
        let plain = match &m.relations[..] {
            [one] => one.rt_index == m.nominal_rt_index,
            _ => false,
        };
        if plain {
            return Ok(());
        }
        for relation in &m.relations {
            let alias = self.printer.aliases.get(relation.rt_index.wrapping_sub(1));
            let desc = self.relation(relation.relation)?;
            let quote = |name: &str| parser::quote_identifier(name).to_string();
            let name = desc.as_ref().map_or_else(String::new, |d| {
                if self.options.verbose {
                    format!("{}.{}", quote(shown_schema(&d.namespace_name)), quote(&d.name))
                } else {
                    quote(&d.name)
                }
            });
            let mut line = format!("{} on {name}", operation_word(m.operation));
            if let Some(alias) = alias
                && desc.as_ref().is_none_or(|d| *d.name != **alias)
            {
                line.push_str(&format!(" {}", quote(alias)));
            }
            out.add("", Value::Text(line), Shown::Text);
        }
        Ok(())
    }

    pub(super) fn conflict(&self, m: &ModifyTable, path: &Path<'a>, out: &mut Properties) -> PgResult<()> {
        let Some(conflict) = &m.on_conflict else {
            return Ok(());
        };
        out.text(
            "Conflict Resolution",
            if conflict.update { "UPDATE" } else { "NOTHING" },
        );
        if !conflict.arbiter_indexes.is_empty() {
            let mut names = Vec::new();
            for index in &conflict.arbiter_indexes {
                names.push(self.relation_name(*index)?);
            }
            out.add("Conflict Arbiter Indexes", Value::List(names), Shown::Both);
        }
        let conditions: Vec<Expr> = conflict.where_clause.iter().cloned().collect();
        self.condition("Conflict Filter", &conditions, path, true, out)
    }
}
