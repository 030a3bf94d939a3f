//! Functions of columns that have few different texts: computed once for each word of the dictionary, not once for each row.
//!
//! # Invariants
//! - Words may stand in rows that nobody asked for: what fails for the words is tried again the usual way, row by row.
//! - Only immutable functions of one column without NULLs and constants go this way.

use std::sync::Arc;

use common::cancel::CancelToken;
use common::{Oid, PgResult};
use types::{ArrayValue, Selection, Vector};

use crate::arrays::any_of;
use crate::eval::Cx;
use crate::program::{Call, Node};

/// Words are worth it when rows are at least so many times as many.
const ROWS_PER_WORD: usize = 2;

/// The words of a column, if there are few for the rows asked for.
fn few_words(column: &Vector, sel: &Selection) -> Option<Vector> {
    let (_, words) = column.dictionary()?;
    if column.may_have_nulls() || words.len() * ROWS_PER_WORD > sel.len() {
        return None;
    }
    column.words()
}

/// What was computed for the words, for the rows.
fn spread(column: &Vector, computed: &Vector) -> Option<Arc<Vector>> {
    let (codes, _) = column.dictionary()?;
    Some(Arc::new(
        computed.take(codes.iter().map(|&code| usize::from(code))),
    ))
}

fn is_immutable(proc: Oid) -> bool {
    functions::facts::proc(proc).is_some_and(|p| p.provolatile == b'i')
}

impl Cx<'_, '_> {
    /// A call that is about the words of one column; `None` when it is not, or fails.
    pub(crate) fn call_by_words(
        &mut self,
        node: &Node,
        call: &Call,
        values: &[Arc<Vector>],
        sel: &Selection,
    ) -> Option<Arc<Vector>> {
        let at = values.iter().position(|v| v.dictionary().is_some())?;
        let others = || values.iter().enumerate().filter(|(i, _)| *i != at);
        if !others().all(|(_, v)| v.is_constant()) || !is_immutable(call.info.proc) {
            return None;
        }
        let words = few_words(&values[at], sel)?;
        let args: smallvec::SmallVec<[&Vector; 4]> = (0..values.len())
            .map(|i| if i == at { &words } else { &*values[i] })
            .collect();
        let mut out = Vector::defaults(node.phys, words.len());
        let all = Selection::All(words.len());
        self.run(call, &args, &all, &mut out).ok()?;
        spread(&values[at], &out)
    }
}

/// `column = ANY (array)` by the words of the column.
pub(crate) fn any_of_words(
    column: &Vector,
    array: &ArrayValue,
    sel: &Selection,
    cancel: &CancelToken,
) -> PgResult<Option<Arc<Vector>>> {
    let Some(words) = few_words(column, sel) else {
        return Ok(None);
    };
    let found = any_of(&words, array, words.len(), &Selection::All(words.len()), cancel)?;
    Ok(spread(column, &found))
}
