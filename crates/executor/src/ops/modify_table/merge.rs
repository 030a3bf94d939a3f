//! MERGE: for each row of target joined with source, the first WHEN clause that fits.
//!
//! PG: src/backend/executor/nodeModifyTable.c (`ExecMerge`).

use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgResult, internal, pg_err};
use expr::{ExprProgram, RowInputs};
use nodes::plan::ModifyTable;
use nodes::query::{CommandType, MergeMatchKind};
use types::Datum;

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::Eval;
use crate::ops::modify_table::{Changed, Existing, ModifyOp};

/// A WHEN clause, compiled.
struct Action {
    kind: MergeMatchKind,
    command: CommandType,
    condition: Option<Arc<ExprProgram>>,
    /// Column of the root (0-based) and its value.
    set: Vec<(usize, Arc<ExprProgram>)>,
}

/// MERGE's part of a ModifyTable node.
pub(super) struct MergePart {
    actions: Vec<Action>,
    join_condition: Option<Arc<ExprProgram>>,
}

pub(super) fn compile(c: &Compiler<'_>, m: &ModifyTable, map: ScanMap<'_>) -> PgResult<MergePart> {
    let Some(first) = m.relations.first() else {
        return Err(internal!("MERGE without a relation"));
    };
    let mut actions = Vec::new();
    for action in &first.merge_actions {
        actions.push(Action {
            kind: action.match_kind,
            command: action.command,
            condition: action.condition.as_ref().map(|e| c.program(e, map)).transpose()?,
            set: action
                .target_list
                .iter()
                .filter(|t| !t.resjunk)
                .map(|t| Ok((t.resno as usize - 1, c.program(&t.expr, map)?)))
                .collect::<PgResult<_>>()?,
        });
    }
    Ok(MergePart {
        actions,
        join_condition: m
            .merge_join_condition
            .as_ref()
            .map(|e| c.program(e, map))
            .transpose()?,
    })
}

struct ActionState {
    condition: Option<Eval>,
    set: Vec<Eval>,
}

/// Its run-time state.
pub(super) struct MergeState {
    actions: Vec<ActionState>,
    join_condition: Option<Eval>,
}

impl MergeState {
    pub fn new(part: &MergePart) -> MergeState {
        MergeState {
            actions: part
                .actions
                .iter()
                .map(|a| ActionState {
                    condition: a.condition.as_ref().map(Eval::new),
                    set: a.set.iter().map(|(_, p)| Eval::new(p)).collect(),
                })
                .collect(),
            join_condition: part.join_condition.as_ref().map(Eval::new),
        }
    }
}

impl ModifyOp {
    pub(super) fn merge_row(&mut self, cx: &mut Cx<'_>, input: Vec<Datum>) -> PgResult<()> {
        let Some(mut state) = self.merge.take() else {
            return Err(internal!("MERGE without actions"));
        };
        let result = self.merge_one(cx, &mut state, input);
        self.merge = Some(state);
        self.action = None;
        result
    }

    fn merge_one(&mut self, cx: &mut Cx<'_>, state: &mut MergeState, input: Vec<Datum>) -> PgResult<()> {
        let mut at = match self.existing(cx, input)? {
            Ok(at) => at,
            Err(input) => return self.merge_insert(cx, state, &input),
        };
        loop {
            match self.merge_existing(cx, state, &at)? {
                Changed::Done => return Ok(()),
                // The source row, if there is one, is unmatched now.
                Changed::Gone if self.is_matched(cx, state, &at)? => {
                    let input = std::mem::take(&mut at.input);
                    return self.merge_insert(cx, state, &input);
                }
                Changed::Gone => return Ok(()),
                Changed::Again(row) => {
                    let leaf = at.leaf;
                    let input = std::mem::take(&mut at.input);
                    match self.recheck(cx, leaf, row, &input)? {
                        Some(next) if self.names_row(&next.input) => at = next,
                        Some(next) => return self.merge_insert(cx, state, &next.input),
                        // It no longer matches: the source row is unmatched now.
                        None => return self.merge_insert(cx, state, &input),
                    }
                }
            }
        }
    }

    /// True when an input row names a target row: its source row is matched, or has none.
    fn names_row(&self, input: &[Datum]) -> bool {
        let id = self.node.row_id.and_then(|i| input.get(i));
        id.is_some_and(|id| !id.is_null())
    }

    fn is_matched(&mut self, cx: &mut Cx<'_>, state: &mut MergeState, at: &Existing) -> PgResult<bool> {
        let Some(condition) = &mut state.join_condition else {
            return Ok(true);
        };
        let scan = self.fill(cx, Some((at.leaf, at.row, &at.values)), None)?;
        let inputs = RowInputs {
            scan: &scan,
            outer: &at.input,
            ..RowInputs::default()
        };
        let matched = condition.row(cx, inputs)?.as_bool() == Some(true);
        self.scratch = scan;
        Ok(matched)
    }

    fn merge_existing(
        &mut self,
        cx: &mut Cx<'_>,
        state: &mut MergeState,
        at: &Existing,
    ) -> PgResult<Changed> {
        let node = Arc::clone(&self.node);
        let Some(part) = &node.merge else {
            return Err(internal!("MERGE without actions"));
        };
        let matched = self.is_matched(cx, state, at)?;
        let scan = self.fill(cx, Some((at.leaf, at.row, &at.values)), None)?;
        let inputs = RowInputs {
            scan: &scan,
            outer: &at.input,
            ..RowInputs::default()
        };
        let kind = if matched {
            MergeMatchKind::Matched
        } else {
            MergeMatchKind::NotMatchedBySource
        };
        let mut outcome = Changed::Done;
        for (action, eval) in part.actions.iter().zip(&mut state.actions) {
            if action.kind != kind {
                continue;
            }
            if let Some(condition) = &mut eval.condition
                && condition.row(cx, inputs)?.as_bool() != Some(true)
            {
                continue;
            }
            let new = match action.command {
                CommandType::Update => {
                    let mut values = at.values.clone();
                    for ((column, _), eval) in action.set.iter().zip(&mut eval.set) {
                        let value = eval.row(cx, inputs)?;
                        let position = self.leaf(at.leaf)?.columns.position(*column);
                        if let Some(slot) = position.and_then(|i| values.get_mut(i)) {
                            *slot = value;
                        }
                    }
                    Some(values)
                }
                CommandType::Delete => None,
                _ => break,
            };
            self.action = Some(if new.is_some() { "UPDATE" } else { "DELETE" });
            outcome = self.write(cx, at, new)?;
            break;
        }
        self.scratch = scan;
        Ok(outcome)
    }

    fn merge_insert(&mut self, cx: &mut Cx<'_>, state: &mut MergeState, input: &[Datum]) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        let Some(part) = &node.merge else {
            return Err(internal!("MERGE without actions"));
        };
        let scan = self.fill(cx, None, None)?;
        let inputs = RowInputs {
            scan: &scan,
            outer: input,
            ..RowInputs::default()
        };
        for (action, eval) in part.actions.iter().zip(&mut state.actions) {
            if action.kind != MergeMatchKind::NotMatchedByTarget {
                continue;
            }
            if let Some(condition) = &mut eval.condition
                && condition.row(cx, inputs)?.as_bool() != Some(true)
            {
                continue;
            }
            if action.command != CommandType::Insert {
                break;
            }
            let mut values = vec![Datum::Null; node.root.columns.len()];
            for ((column, _), eval) in action.set.iter().zip(&mut eval.set) {
                values[*column] = eval.row(cx, inputs)?;
            }
            self.action = Some("INSERT");
            self.insert(cx, values, input)?;
            break;
        }
        self.scratch = scan;
        Ok(())
    }
}

pub(super) fn affected_twice() -> Box<common::PgError> {
    pg_err!(
        CARDINALITY_VIOLATION,
        "MERGE command cannot affect row a second time"
    )
    .hint("Ensure that not more than one source row matches any one target row.")
}
