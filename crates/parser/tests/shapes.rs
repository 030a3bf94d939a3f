//! The trees have PostgreSQL's shape: precedence, flattening, and the fixed names behind special syntax.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use pglite_parser::ast::{AConst, BoolExprType, ConstValue, Expr, Ident, SelectStmt, Statement};
use pglite_parser::{
    ParseOptions, parse, parse_expression, parse_plpgsql_assignment, parse_plpgsql_expression,
};

fn names(list: &[Ident]) -> String {
    list.iter().map(Ident::as_str).collect::<Vec<_>>().join(".")
}

fn list(items: &[Expr]) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(" ")
}

/// An expression with all its brackets.
fn show(expr: &Expr) -> String {
    match expr {
        Expr::ColumnRef(c) => names(&c.fields) + if c.star { ".*" } else { "" },
        Expr::AConst(AConst { value, .. }) => match value {
            ConstValue::Integer(n) => n.to_string(),
            ConstValue::Float(text) => text.to_string(),
            ConstValue::Boolean(b) => b.to_string(),
            ConstValue::String(text) => format!("'{text}'"),
            ConstValue::BitString(text) => text.to_string(),
            ConstValue::Null => "null".into(),
        },
        Expr::AExpr(a) => {
            let parts: Vec<String> = a.lexpr.iter().chain(&a.rexpr).chain(&a.list).map(show).collect();
            format!("({:?} {} {})", a.kind, names(&a.name), parts.join(" "))
        }
        Expr::BoolExpr(b) => {
            let word = match b.op {
                BoolExprType::And => "and",
                BoolExprType::Or => "or",
                BoolExprType::Not => "not",
            };
            format!("({word} {})", list(&b.args))
        }
        Expr::FuncCall(f) => format!("{}({})", names(&f.func_name), list(&f.args)),
        Expr::TypeCast(t) => format!("{}::{}", show(&t.arg), names(&t.type_name.names)),
        Expr::CollateClause(c) => format!(
            "(collate {} {})",
            c.arg.as_ref().map_or(String::new(), show),
            names(&c.collname)
        ),
        Expr::NullTest(n) => format!(
            "({} {})",
            if n.is_not { "notnull" } else { "isnull" },
            show(&n.arg)
        ),
        Expr::RowExpr(r) => format!("row({})", list(&r.args)),
        Expr::SubLink(s) => format!("{:?}({})", s.kind, s.test.as_ref().map_or(String::new(), show)),
        Expr::AIndirection(i) => format!("{}[{}]", show(&i.arg), i.indirection.len()),
        other => format!("{other:?}").chars().take_while(|c| *c != '(').collect(),
    }
}

fn shape(sql: &str) -> String {
    show(&parse_expression(sql, &ParseOptions::default()).unwrap_or_else(|e| panic!("{sql}: {e}")))
}

#[test]
fn operators_bind_as_in_postgresql() {
    for (sql, want) in [
        ("- 2 ^ 2", "(Op ^ -2 2)"),
        ("- a ^ 2", "(Op ^ (Op - a) 2)"),
        ("~ a + b", "(Op ~ (Op + a b))"),
        ("~ a < b", "(Op < (Op ~ a) b)"),
        ("1 * ~ a + b", "(Op * 1 (Op ~ (Op + a b)))"),
        ("a || b + c", "(Op || a (Op + b c))"),
        ("a - b - c", "(Op - (Op - a b) c)"),
        ("2 ^ 3 ^ 2", "(Op ^ (Op ^ 2 3) 2)"),
        ("not a = b and c or d", "(or (and (not (Op = a b)) c) d)"),
        ("1 + not a and b", "(and (Op + 1 (not a)) b)"),
        ("a and b and c", "(and a b c)"),
        ("a and (b and c)", "(and a (and b c))"),
        ("a or b and c or d", "(or a (and b c) d)"),
        ("a = b is null", "(isnull (Op = a b))"),
        ("a is null = b", "(Op = (isnull a) b)"),
        ("a between 1 and 2 and b", "(and (Between BETWEEN a 1 2) b)"),
        (
            "a not between 1 + 2 and 3",
            "(NotBetween NOT BETWEEN a (Op + 1 2) 3)",
        ),
        ("a like b || c", "(Like ~~ a (Op || b c))"),
        ("a < b like c", "(Op < a (Like ~~ b c))"),
        ("a in (1, 2) = b", "(Op = (In = a 1 2) b)"),
        ("-1::int", "(Op - 1::pg_catalog.int4)"),
        ("a::int::text", "a::pg_catalog.int4::text"),
        ("a collate b || c", "(Op || (collate a b) c)"),
        ("a at time zone b + c", "(Op + pg_catalog.timezone(b a) c)"),
        ("a is distinct from b + c", "(Distinct = a (Op + b c))"),
        ("a operator(s.+) b * c", "(Op s.+ a (Op * b c))"),
        ("a = any (b)", "(OpAny = a b)"),
        ("a <> all (select 1)", "All(a)"),
        ("(a, b) overlaps (c, d)", "pg_catalog.overlaps(a b c d)"),
        ("((a)).b[1].c", "a[3]"),
        (
            "substring(a for 2)",
            "pg_catalog.substring(a 1 2::pg_catalog.int4)",
        ),
        ("trim(leading 'x' from a)", "pg_catalog.ltrim(a 'x')"),
        ("position(a in b)", "pg_catalog.position(b a)"),
        ("extract(year from a)", "pg_catalog.extract('year' a)"),
        (
            "a similar to b escape c",
            "(Similar ~ a pg_catalog.similar_to_escape(b c))",
        ),
        ("a isnull", "(isnull a)"),
        ("2147483648", "2147483648"),
        ("-9223372036854775808", "-9223372036854775808"),
    ] {
        assert_eq!(shape(sql), want, "{sql}");
    }
}

fn select(sql: &str) -> Box<SelectStmt> {
    let mut statements = parse(sql, &ParseOptions::default()).unwrap();
    match statements.remove(0).stmt {
        Statement::Select(select) => select,
        other => panic!("{other:?}"),
    }
}

#[test]
fn set_operations_nest_to_the_left_and_intersect_binds_tighter() {
    let s = select("SELECT 1 UNION SELECT 2 EXCEPT SELECT 3 INTERSECT SELECT 4 ORDER BY 1");
    assert_eq!(format!("{:?}", s.op), "Except");
    assert_eq!(format!("{:?}", s.larg.as_ref().unwrap().op), "Union");
    assert_eq!(format!("{:?}", s.rarg.as_ref().unwrap().op), "Intersect");
    assert_eq!(s.sort_clause.len(), 1);
}

#[test]
fn statements_carry_their_text() {
    let sql = " SELECT 1 ; ;\n-- c\nCREATE TABLE t (a int) ; COMMIT";
    let statements = parse(sql, &ParseOptions::default()).unwrap();
    let texts: Vec<&str> = statements
        .iter()
        .map(|s| &sql[s.span.start as usize..s.span.end as usize])
        .collect();
    assert_eq!(texts, ["SELECT 1", "CREATE TABLE t (a int)", "COMMIT"]);
}

#[test]
fn long_names_are_cut_with_a_notice() {
    let name = "é".repeat(40);
    let parsed =
        pglite_parser::parse_with_notices(&format!("SELECT 1 AS \"{name}\""), &ParseOptions::default())
            .unwrap();
    let notice = &parsed.notices[0];
    assert_eq!(notice.sqlstate.as_str(), "42622");
    let cut = "é".repeat(31);
    assert_eq!(
        notice.message,
        format!("identifier \"{name}\" will be truncated to \"{cut}\"")
    );
}

#[test]
fn plpgsql_forms() {
    let options = ParseOptions::default();
    let select = parse_plpgsql_expression("count(*) + 1 FROM t WHERE a ORDER BY 1", &options).unwrap();
    assert_eq!(
        (
            select.target_list.len(),
            select.from.len(),
            select.sort_clause.len()
        ),
        (1, 1, 1)
    );
    let assign = parse_plpgsql_assignment("x.y[1] := a + 1", &options).unwrap();
    assert_eq!(assign.indirection.len(), 2);
    assert!(parse_plpgsql_assignment("x + 1", &options).is_err());
}

#[test]
fn old_string_rules_warn() {
    let options = ParseOptions {
        standard_conforming_strings: false,
        ..ParseOptions::default()
    };
    let parsed = pglite_parser::parse_with_notices(r"SELECT 'a\\b', 'c\td', E'\n'", &options).unwrap();
    let seen: Vec<(&str, Option<u32>)> = parsed
        .notices
        .iter()
        .map(|n| (n.message.as_str(), n.position))
        .collect();
    assert_eq!(
        seen,
        [
            (r"nonstandard use of \\ in a string literal", Some(7)),
            ("nonstandard use of escape in a string literal", Some(15)),
        ]
    );
    let strict = ParseOptions {
        backslash_quote: pglite_parser::BackslashQuote::Off,
        ..options.clone()
    };
    let error = parse(r"SELECT 'a\'b'", &strict).unwrap_err();
    assert_eq!((error.sqlstate.as_str(), error.position), ("22P06", Some(7)));
    let error = parse("SELECT U&'a'", &options).unwrap_err();
    assert_eq!((error.sqlstate.as_str(), error.position), ("0A000", Some(7)));
}

/// Prepared statements keep trees across threads.
#[test]
fn trees_are_static_and_send() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Statement>();
}
