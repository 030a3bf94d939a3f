//! Functions that have a syntax of their own.
//!
//! PG: src/backend/utils/adt/ruleutils.c (`get_func_sql_syntax`).

use common::PgResult;
use nodes::Expr;
use types::oids as t;

use crate::deparse::{Implicit, Writer};

/// The text of a constant, with a blank before it.
fn word(e: Option<&Expr>) -> String {
    match e {
        Some(Expr::Const(c)) => format!(" {}", c.value.as_str().unwrap_or_default()),
        _ => String::new(),
    }
}

impl Writer<'_> {
    /// Functions with a syntax of their own, when it was written so.
    pub(crate) fn special_syntax(&mut self, name: &str, args: &[Expr]) -> PgResult<bool> {
        match (name, args) {
            ("timezone", [zone, value]) => {
                self.push("(");
                self.expr(value, Implicit::Shown)?;
                self.push(" AT TIME ZONE ");
                self.expr(zone, Implicit::Shown)?;
                self.push(")");
            }
            ("timezone", [value]) => self.surrounded("(", value, " AT LOCAL)")?,
            ("overlaps", [a, b, c, d]) => {
                self.surrounded("((", a, ", ")?;
                self.surrounded("", b, ") OVERLAPS (")?;
                self.surrounded("", c, ", ")?;
                self.surrounded("", d, "))")?;
            }
            ("system_user", []) => self.push("SYSTEM_USER"),
            ("xmlexists", [path, document]) => {
                self.surrounded("XMLEXISTS((", path, ") PASSING (")?;
                self.surrounded("", document, "))")?;
            }
            ("extract", [Expr::Const(field), value]) => {
                let field = field.value.as_str().unwrap_or_default().to_owned();
                self.push(&format!("EXTRACT({field} FROM "));
                self.expr(value, Implicit::Shown)?;
                self.push(")");
            }
            ("position", [text, part]) => {
                self.push("POSITION((");
                self.expr(part, Implicit::Shown)?;
                self.push(") IN (");
                self.expr(text, Implicit::Shown)?;
                self.push("))");
            }
            _ => return self.text_syntax(name, args),
        }
        Ok(true)
    }

    /// The same for functions of texts.
    fn text_syntax(&mut self, name: &str, args: &[Expr]) -> PgResult<bool> {
        match (name, args) {
            ("is_normalized", [text, form @ ..]) => {
                let form = word(form.first());
                self.surrounded("(", text, &format!(" IS{form} NORMALIZED)"))?;
            }
            ("normalize", [text, form @ ..]) => {
                let form = word(form.first());
                let comma = if form.is_empty() { "" } else { "," };
                self.surrounded("NORMALIZE(", text, &format!("{comma}{form})"))?;
            }
            ("pg_collation_for", [value]) => self.surrounded("COLLATION FOR (", value, ")")?,
            ("overlay", [text, new, from, rest @ ..]) => {
                self.surrounded("OVERLAY(", text, " PLACING ")?;
                self.surrounded("", new, " FROM ")?;
                self.expr(from, Implicit::Shown)?;
                if let [len] = rest {
                    self.surrounded(" FOR ", len, "")?;
                }
                self.push(")");
            }
            ("substring", [text, pattern, escape]) if escape.type_oid() == t::TEXT => {
                self.surrounded("SUBSTRING(", text, " SIMILAR ")?;
                self.surrounded("", pattern, " ESCAPE ")?;
                self.surrounded("", escape, ")")?;
            }
            ("btrim" | "ltrim" | "rtrim", [text, rest @ ..]) => {
                let side = match name {
                    "btrim" => "BOTH",
                    "ltrim" => "LEADING",
                    _ => "TRAILING",
                };
                self.push(&format!("TRIM({side}"));
                if let [chars] = rest {
                    self.push(" ");
                    self.expr(chars, Implicit::Shown)?;
                }
                self.push(" FROM ");
                self.expr(text, Implicit::Shown)?;
                self.push(")");
            }
            ("substring", [text, from, rest @ ..]) => {
                self.push("SUBSTRING(");
                self.expr(text, Implicit::Shown)?;
                self.push(" FROM ");
                self.expr(from, Implicit::Shown)?;
                if let [len] = rest {
                    self.push(" FOR ");
                    self.expr(len, Implicit::Shown)?;
                }
                self.push(")");
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn surrounded(&mut self, before: &str, e: &Expr, after: &str) -> PgResult<()> {
        self.push(before);
        self.expr(e, Implicit::Shown)?;
        self.push(after);
        Ok(())
    }
}
