//! Boolean expressions of paths: three-valued, errors of the data are unknown.

use std::cmp::Ordering;

use types::jsonb::JsonbRef;
use types::jsonpath::{BinaryOp, Item, ItemId, ItemKind, RegexFlags};

use crate::families::jsonpath::datetime;
use crate::families::jsonpath::exec::{Exec, Fail};
use crate::families::jsonpath::value::PathValue;
use crate::regex::{Flags, Regex};

/// `None` is unknown.
pub(crate) type Truth = Result<Option<bool>, Fail>;

impl<'a> Exec<'a, '_, '_> {
    pub(crate) fn predicate(&mut self, id: ItemId, value: &PathValue<'a>) -> Truth {
        let item = self.node(id)?;
        if item.next.is_some() || !is_boolean(item) {
            // `(predicate).method()` used as a predicate cannot be written; anything else is one value.
            let found = self.results(id, value, false)?;
            return Ok(found.first().and_then(PathValue::as_bool));
        }
        self.predicate_item(item, value)
    }

    /// The predicate of an item, without what follows it.
    pub(crate) fn predicate_item(&mut self, item: &Item, value: &PathValue<'a>) -> Truth {
        match &item.kind {
            ItemKind::Binary(op, ..) if op.is_logic() => self.logic(item, value),
            ItemKind::Not(arg) => Ok(self.predicate(*arg, value)?.map(|b| !b)),
            ItemKind::IsUnknown(arg) => Ok(Some(self.predicate(*arg, value)?.is_none())),
            ItemKind::Exists(arg) => self.exists(*arg, value),
            ItemKind::Binary(BinaryOp::StartsWith, left, right) => {
                self.pairs(*left, Some(*right), false, value, &mut |_, l, r| {
                    Ok(match (l.as_str(), r.and_then(PathValue::as_str)) {
                        (Some(l), Some(r)) => Some(l.starts_with(r)),
                        _ => None,
                    })
                })
            }
            ItemKind::Binary(op, left, right) => {
                let op = *op;
                self.pairs(*left, Some(*right), true, value, &mut |exec, l, r| match r {
                    Some(r) => exec.compare(op, l, r),
                    None => Ok(None),
                })
            }
            ItemKind::LikeRegex { expr, pattern, flags } => {
                let regex = compile(pattern, *flags)?;
                self.pairs(*expr, None, false, value, &mut |exec, l, _| {
                    Ok(match l.as_str() {
                        Some(s) => Some(regex.is_match(exec.ctx.cancel, s)?),
                        None => None,
                    })
                })
            }
            _ => Err(Fail::Hard(common::internal!("jsonpath item is not a predicate"))),
        }
    }

    /// `&&` and `||`, with the row of such that the left operand may be.
    fn logic(&mut self, item: &Item, value: &PathValue<'a>) -> Truth {
        let (mut at, mut above) = (item, Vec::new());
        while let Some(left) = self.run.path.left_chain(&at.kind) {
            above.push(at);
            at = self.node(left)?;
        }
        let mut truth = match &at.kind {
            ItemKind::Binary(_, left, _) => self.predicate(*left, value)?,
            _ => None,
        };
        loop {
            if let ItemKind::Binary(op, _, right) = &at.kind {
                // What decides alone, whatever the other side says.
                let decisive = *op == BinaryOp::Or;
                if truth != Some(decisive) {
                    let right = self.predicate(*right, value)?;
                    truth = if right == Some(!decisive) { truth } else { right };
                }
            }
            match above.pop() {
                Some(outer) => at = outer,
                None => return Ok(truth),
            }
        }
    }

    fn exists(&mut self, arg: ItemId, value: &PathValue<'a>) -> Truth {
        let result = if self.lax() {
            self.item(arg, value, None)
        } else {
            let mut all = Vec::new();
            self.item(arg, value, Some(&mut all)).map(|_| !all.is_empty())
        };
        match result {
            Ok(any) => Ok(Some(any)),
            Err(Fail::Soft(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// A predicate over all pairs of the results of two paths.
    fn pairs(
        &mut self,
        left: ItemId,
        right: Option<ItemId>,
        unwrap_right: bool,
        value: &PathValue<'a>,
        test: &mut dyn FnMut(&Self, &PathValue<'a>, Option<&PathValue<'a>>) -> Truth,
    ) -> Truth {
        let lefts = match self.results(left, value, true) {
            Ok(found) => found,
            Err(Fail::Soft(_)) => return Ok(None),
            Err(e) => return Err(e),
        };
        let rights: Vec<Option<PathValue<'a>>> = match right.map(|r| self.results(r, value, unwrap_right)) {
            None => vec![None],
            Some(Ok(found)) => found.into_iter().map(Some).collect(),
            Some(Err(Fail::Soft(_))) => return Ok(None),
            Some(Err(e)) => return Err(e),
        };
        let (mut any, mut unknown) = (false, false);
        for l in &lefts {
            for r in &rights {
                match test(self, l, r.as_ref())? {
                    None if !self.lax() => return Ok(None),
                    None => unknown = true,
                    Some(true) if self.lax() => return Ok(Some(true)),
                    Some(true) => any = true,
                    Some(false) => {}
                }
            }
        }
        Ok(if any {
            Some(true)
        } else if unknown {
            None
        } else {
            Some(false)
        })
    }

    fn compare(&self, op: BinaryOp, l: &PathValue<'a>, r: &PathValue<'a>) -> Truth {
        let order = match (l, r) {
            _ if l.is_null() && r.is_null() => Some(Ordering::Equal),
            _ if l.is_null() || r.is_null() => return Ok(Some(op == BinaryOp::Ne)),
            (PathValue::DateTime(a), PathValue::DateTime(b)) => {
                datetime::compare(a, b, self.run.use_tz, self.ctx)?
            }
            _ => scalar_order(l, r),
        };
        Ok(order.map(|o| match op {
            BinaryOp::Eq => o.is_eq(),
            BinaryOp::Ne => o.is_ne(),
            BinaryOp::Lt => o.is_lt(),
            BinaryOp::Gt => o.is_gt(),
            BinaryOp::Le => o.is_le(),
            _ => o.is_ge(),
        }))
    }
}

/// The order of two scalars of one type; `None` for everything else.
fn scalar_order(l: &PathValue<'_>, r: &PathValue<'_>) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (l.as_bool(), r.as_bool()) {
        return Some(a.cmp(&b));
    }
    if let (PathValue::Json(JsonbRef::Number(a)), PathValue::Json(JsonbRef::Number(b))) = (l, r) {
        return Some(a.value().compare(&b.value()));
    }
    if let (Some(a), Some(b)) = (l.as_str(), r.as_str()) {
        return Some(a.cmp(b));
    }
    match (l.as_number(), r.as_number()) {
        (Some(a), Some(b)) => Some(a.compare(&b)),
        _ => None,
    }
}

fn is_boolean(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Not(_) | ItemKind::IsUnknown(_) | ItemKind::Exists(_) | ItemKind::LikeRegex { .. } => true,
        ItemKind::Binary(op, ..) => !op.is_arithmetic(),
        _ => false,
    }
}

/// XQuery's flags as those of PostgreSQL's regular expressions.
fn compile(pattern: &str, flags: RegexFlags) -> Result<Regex, Fail> {
    let mut options = String::new();
    if flags.ignore_case {
        options.push('i');
    }
    if flags.quote {
        options.push('q');
    } else {
        options.push_str(match (flags.dot_all, flags.multi_line) {
            (true, true) => "w",
            (true, false) => "s",
            (false, true) => "n",
            (false, false) => "p",
        });
    }
    Ok(Regex::new(pattern, Flags::parse(&options)?)?)
}
