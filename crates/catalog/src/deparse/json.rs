//! SQL/JSON expressions as text.

use common::PgResult;
use nodes::Expr;
use nodes::json::{
    JsonBehavior, JsonBehaviorKind, JsonExpr, JsonExprKind, JsonItemType, JsonQuery, JsonQueryOp, JsonWrapper,
};
use types::{Datum, oids};

use crate::deparse::{Implicit, Writer, constant};
use crate::format_type::format_type;
use crate::names::quote_identifier;

impl Writer<'_> {
    pub(super) fn json(&mut self, j: &JsonExpr) -> PgResult<()> {
        match &j.kind {
            JsonExprKind::Object(build) => {
                self.push("JSON_OBJECT(");
                for (k, pair) in j.args.chunks(2).enumerate() {
                    if k > 0 {
                        self.push(", ");
                    }
                    for (side, e) in pair.iter().enumerate() {
                        if side > 0 {
                            self.push(" : ");
                        }
                        self.expr(e, Implicit::Hidden)?;
                    }
                }
                if build.absent_on_null {
                    self.push(" ABSENT ON NULL");
                }
                if build.unique_keys {
                    self.push(" WITH UNIQUE KEYS");
                }
                self.json_returning(j)
            }
            JsonExprKind::Array(build) => {
                self.push("JSON_ARRAY(");
                self.list(&j.args)?;
                if !build.absent_on_null {
                    self.push(" NULL ON NULL");
                }
                self.json_returning(j)
            }
            JsonExprKind::ParseUnique => {
                self.push("JSON(");
                self.list(&j.args)?;
                self.push(" WITH UNIQUE KEYS)");
                Ok(())
            }
            JsonExprKind::Is { item, unique_keys } => {
                self.push("(");
                self.list(&j.args)?;
                self.push(" IS JSON");
                self.push(match item {
                    JsonItemType::Any => "",
                    JsonItemType::Object => " OBJECT",
                    JsonItemType::Array => " ARRAY",
                    JsonItemType::Scalar => " SCALAR",
                });
                self.push(if *unique_keys { " WITH UNIQUE KEYS)" } else { ")" });
                Ok(())
            }
            JsonExprKind::Query(q) => self.json_query(j, q),
            JsonExprKind::Table(table) => self.json_table(j, table),
        }
    }

    /// ` RETURNING type)`.
    fn json_returning(&mut self, j: &JsonExpr) -> PgResult<()> {
        self.push(" RETURNING ");
        let name = format_type(self.ctx.view, j.result.oid, j.result.typmod)?;
        self.push(&name);
        self.push(")");
        Ok(())
    }

    fn json_query(&mut self, j: &JsonExpr, q: &JsonQuery) -> PgResult<()> {
        self.push(q.op.name());
        self.push("(");
        let (item, path) = (j.args.first(), j.args.get(1));
        if let Some(item) = item {
            self.expr(item, Implicit::Shown)?;
        }
        self.push(", ");
        match path {
            Some(Expr::Const(c)) => match &c.value {
                Datum::Text(text) => {
                    let quoted = constant::quote_literal(text);
                    self.push(&quoted);
                }
                _ => self.push("NULL"),
            },
            Some(e) => self.expr(e, Implicit::Shown)?,
            None => {}
        }
        for (k, name) in q.passing.iter().enumerate() {
            self.push(if k == 0 { " PASSING " } else { ", " });
            if let Some(value) = j.args.get(2 + k) {
                self.expr(value, Implicit::Shown)?;
            }
            self.push(" AS ");
            self.push(&quote_identifier(name));
        }
        if q.op != JsonQueryOp::Exists || j.result.oid != oids::BOOL {
            self.push(" RETURNING ");
            let name = format_type(self.ctx.view, j.result.oid, j.result.typmod)?;
            self.push(&name);
        }
        self.json_options(j, q)?;
        self.push(")");
        Ok(())
    }

    pub(super) fn json_options(&mut self, j: &JsonExpr, q: &JsonQuery) -> PgResult<()> {
        if q.op == JsonQueryOp::Query {
            self.push(match q.wrapper {
                JsonWrapper::None => " WITHOUT WRAPPER",
                JsonWrapper::Conditional => " WITH CONDITIONAL WRAPPER",
                JsonWrapper::Unconditional => " WITH UNCONDITIONAL WRAPPER",
            });
            self.push(if q.omit_quotes {
                " OMIT QUOTES"
            } else {
                " KEEP QUOTES"
            });
        }
        let default = match q.op {
            JsonQueryOp::Exists => JsonBehaviorKind::False,
            _ => JsonBehaviorKind::Null,
        };
        if let Some(b) = q.on_empty.filter(|b| b.kind != default) {
            self.json_behavior(j, b, " ON EMPTY")?;
        }
        if q.on_error.kind != default {
            self.json_behavior(j, q.on_error, " ON ERROR")?;
        }
        Ok(())
    }

    fn json_behavior(&mut self, j: &JsonExpr, b: JsonBehavior, clause: &str) -> PgResult<()> {
        self.push(" ");
        self.push(b.kind.words());
        if b.kind == JsonBehaviorKind::Default {
            self.push(" ");
            if let Some(e) = b.arg.and_then(|k| j.args.get(k)) {
                self.expr(e, Implicit::Hidden)?;
            }
        }
        self.push(clause);
        Ok(())
    }
}
