//! Conditions that are disjunctions: what all their arms share, and what they say about single relations.
//!
//! PG: `process_duplicate_ors` (prepqual.c), `extract_restriction_or_clauses` (orclauses.c).

use catalog::CatalogView;
use common::{PgResult, Span};
use nodes::expr::{BoolExpr, BoolOp, Expr};

use crate::exprs::facts;

fn bool_of(op: BoolOp, mut args: Vec<Expr>) -> Option<Expr> {
    match args.len() {
        0 => None,
        1 => args.pop(),
        _ => Some(Expr::Bool(BoolExpr {
            op,
            args,
            span: Span::NONE,
        })),
    }
}

fn arms_of(expr: &Expr) -> Option<Vec<Vec<Expr>>> {
    let Expr::Bool(b) = expr else { return None };
    if b.op != BoolOp::Or {
        return None;
    }
    let arms = b.args.iter().map(|arm| {
        let mut parts = Vec::new();
        facts::flatten_and(arm.clone(), &mut parts);
        parts
    });
    Some(arms.collect())
}

/// `(a AND b) OR (a AND c)` as `a`, `b OR c`; anything else as it is. Arms that are never true are left out: a condition that is NULL
/// lets no more rows through than one that is false.
pub fn factor_common(clause: Expr, out: &mut Vec<Expr>) {
    let Some(mut arms) = arms_of(&clause) else {
        return out.push(clause);
    };
    let count = arms.len();
    arms.retain(|arm| !arm.iter().any(is_never_true));
    let clause = match arms.len() {
        0 => Expr::bool_const(false),
        n if n == count => clause,
        1 => {
            let [only] = &mut arms[..] else { return };
            return out.append(only);
        }
        _ => {
            let arms = arms.iter().filter_map(|arm| bool_of(BoolOp::And, arm.clone()));
            match bool_of(BoolOp::Or, arms.collect()) {
                Some(clause) => clause,
                None => return,
            }
        }
    };
    let Some(shortest) = arms.iter().min_by_key(|a| a.len()) else {
        return out.push(clause);
    };
    let common: Vec<Expr> = shortest
        .iter()
        .filter(|part| arms.iter().all(|arm| arm.contains(part)))
        .cloned()
        .collect();
    if common.is_empty() {
        return out.push(clause);
    }
    for arm in &mut arms {
        arm.retain(|part| !common.contains(part));
    }
    out.extend(common);
    // An arm that has nothing else makes the rest of the disjunction true.
    let rest: Option<Vec<Expr>> = arms.into_iter().map(|arm| bool_of(BoolOp::And, arm)).collect();
    out.extend(rest.and_then(|rest| bool_of(BoolOp::Or, rest)));
}

fn is_never_true(e: &Expr) -> bool {
    matches!(e, Expr::Const(c) if c.value.as_bool() != Some(true))
}

/// What a disjunction over several relations says about one of them: every arm's conditions on it, if every arm has some.
pub fn restriction_on(clause: &Expr, rel: usize, catalog: &dyn CatalogView) -> PgResult<Option<Expr>> {
    let Some(arms) = arms_of(clause) else {
        return Ok(None);
    };
    let mut out = Vec::new();
    for arm in arms {
        let mut own = Vec::new();
        for part in arm {
            if facts::relids(&part).singleton() == Some(rel) && !facts::is_volatile(&part, catalog)? {
                own.push(part);
            }
        }
        match bool_of(BoolOp::And, own) {
            Some(own) => out.push(own),
            None => return Ok(None),
        }
    }
    Ok(bool_of(BoolOp::Or, out))
}
