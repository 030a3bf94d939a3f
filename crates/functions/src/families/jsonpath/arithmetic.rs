//! Arithmetic of paths: rows of operators, signs.

use common::pg_err;
use types::jsonpath::{BinaryOp, Item, ItemId, ItemKind};
use types::numeric::{self, Numeric};

use crate::families::jsonpath::exec::{Exec, Fail, Found, Sink, soft};
use crate::families::jsonpath::value::PathValue;

impl<'a> Exec<'a, '_, '_> {
    fn operand(
        &mut self,
        id: ItemId,
        value: &PathValue<'a>,
        side: &str,
        op: BinaryOp,
    ) -> Result<Numeric, Fail> {
        let found = self.results(id, value, true)?;
        let number = match &found[..] {
            [one] => one.as_number(),
            _ => None,
        };
        match number {
            Some(n) => Ok(n),
            None => soft(pg_err!(
                SINGLETON_SQL_JSON_ITEM_REQUIRED,
                "{side} operand of jsonpath operator {} is not a single numeric value",
                op.symbol()
            )),
        }
    }

    /// An operator on numbers, with the row of such that its left operand may be.
    pub(crate) fn arithmetic(&mut self, item: &'a Item, value: &PathValue<'a>, found: Sink<'_, 'a>) -> Found {
        let (mut at, mut above) = (item, Vec::new());
        while let Some(left) = self.run.path.left_chain(&at.kind) {
            above.push(at);
            at = self.node(left)?;
        }
        let mut left = match &at.kind {
            ItemKind::Binary(_, left, _) => self.results(*left, value, true)?,
            _ => Vec::new(),
        };
        loop {
            if let ItemKind::Binary(op, _, right) = &at.kind {
                let number = self.calculate(*op, &left, *right, value)?;
                left.clear();
                left.push(PathValue::Number(number));
            }
            match above.pop() {
                Some(outer) => at = outer,
                None => break,
            }
        }
        match left.pop() {
            Some(number) => self.next(item, &number, found),
            None => Ok(false),
        }
    }

    /// One operator on what its left side has given.
    fn calculate(
        &mut self,
        op: BinaryOp,
        left: &[PathValue<'a>],
        right: ItemId,
        value: &PathValue<'a>,
    ) -> Result<Numeric, Fail> {
        // Both sides are evaluated before either is looked at.
        let r = self.operand(right, value, "right", op);
        let l = match left {
            [one] => one.as_number(),
            _ => None,
        };
        let Some(l) = l else {
            if let Err(Fail::Hard(e)) = r {
                return Err(Fail::Hard(e));
            }
            return soft(pg_err!(
                SINGLETON_SQL_JSON_ITEM_REQUIRED,
                "left operand of jsonpath operator {} is not a single numeric value",
                op.symbol()
            ));
        };
        let r = r?;
        let result = match op {
            BinaryOp::Add => numeric::add(&l, &r),
            BinaryOp::Sub => numeric::sub(&l, &r),
            BinaryOp::Mul => numeric::mul(&l, &r),
            BinaryOp::Div => numeric::div(&l, &r),
            _ => numeric::modulo(&l, &r),
        };
        result.or_else(soft)
    }

    pub(crate) fn sign(
        &mut self,
        item: &Item,
        arg: ItemId,
        value: &PathValue<'a>,
        mut found: Sink<'_, 'a>,
    ) -> Found {
        let minus = matches!(item.kind, ItemKind::Minus(_));
        let mut any = false;
        for one in self.results(arg, value, true)? {
            let Some(n) = one.as_number() else {
                if found.is_none() && item.next.is_none() {
                    continue;
                }
                return soft(pg_err!(
                    SQL_JSON_NUMBER_NOT_FOUND,
                    "operand of unary jsonpath operator {} is not a numeric value",
                    if minus { "-" } else { "+" }
                ));
            };
            let n = if minus { numeric::neg(&n) } else { n };
            any |= self.next(item, &PathValue::Number(n), found.as_deref_mut())?;
            if any && found.is_none() {
                return Ok(true);
            }
        }
        Ok(any)
    }
}
