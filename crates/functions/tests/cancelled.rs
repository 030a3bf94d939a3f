//! Functions over long values look at the cancel flag: called with a flag that is set, they end with 57014.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Instant;

use common::cancel::{CancelReason, CancelToken};
use common::{Oid, PgResult};
use pglite_functions as functions;
use types::io::{self, IoContext};
use types::{Datum, FormatSettings, PhysType, Selection, Vector, oids};

use functions::{CallInfo, facts};

mod site;

const INT4_ARRAY: Oid = Oid(1007);
const TEXT_ARRAY: Oid = Oid(1009);
const INT4_MULTIRANGE: Oid = Oid(4451);

/// Longer than what functions pass over without a look.
const LONG_BYTES: usize = 5 << 20;
const LONG_ELEMENTS: usize = 100_000;

fn list(open: &str, element: &str, close: &str) -> String {
    let elements = vec![element; LONG_ELEMENTS];
    format!("{open}{}{close}", elements.join(", "))
}

/// A long value for an argument of some type, and what the type is where the function leaves it open.
fn long(type_oid: Oid) -> Option<(Oid, String)> {
    let text = || "long and ".repeat(LONG_BYTES / 9);
    Some(match type_oid {
        oids::TEXT | oids::BPCHAR | oids::VARCHAR | oids::BYTEA => (type_oid, text()),
        oids::JSON => (type_oid, list("[", "[1, {\"a\": \"b\"}]", "]")),
        oids::JSONB => (type_oid, list("{\"k\": [", "[1, {\"a\": \"b\"}]", "]}")),
        oids::XML => (type_oid, list("<a>", "<b c=\"d\">text</b>", "</a>")),
        oids::ANYARRAY | oids::ANYCOMPATIBLEARRAY => (INT4_ARRAY, list("{", "12345", "}")),
        TEXT_ARRAY => (type_oid, list("{", "word", "}")),
        oids::VARBIT | oids::BIT => (type_oid, "1011".repeat(LONG_BYTES / 4)),
        oids::ANYMULTIRANGE => {
            let ranges: Vec<String> = (0..LONG_ELEMENTS)
                .map(|i| format!("[{},{})", 3 * i, 3 * i + 1))
                .collect();
            (INT4_MULTIRANGE, format!("{{{}}}", ranges.join(",")))
        }
        oids::POLYGON => (type_oid, list("(", "(1,2)", ")")),
        oids::PATH => (type_oid, list("(", "(1,2)", ")")),
        oids::NUMERIC => (type_oid, "12345".repeat(20_000)),
        _ => return None,
    })
}

/// Short values for other arguments, to be tried one after the other.
fn short(type_oid: Oid) -> &'static [&'static str] {
    match type_oid {
        oids::TEXT | oids::BPCHAR | oids::VARCHAR => &[
            "and", "base64", "hex", "escape", "UTF8", "l.*zz", "{a,b}", "%s %I %L", "9",
        ],
        oids::BYTEA => &["and"],
        oids::NAME => &["UTF8", "LATIN1"],
        oids::JSON | oids::JSONB => &["{\"a\": 1}", "[1]"],
        oids::XML => &["<a/>"],
        oids::BOOL => &["f", "t"],
        oids::INT2 | oids::INT4 | oids::INT8 | oids::OID => &["5", "3000000"],
        oids::FLOAT8 | oids::FLOAT4 | oids::NUMERIC => &["3", "0.5"],
        oids::ANYARRAY | oids::ANYCOMPATIBLEARRAY | TEXT_ARRAY => &["{5,7}"],
        oids::ANYELEMENT | oids::ANYCOMPATIBLE | oids::ANYNONARRAY => &["5"],
        oids::ANYMULTIRANGE => &["{[5,6)}"],
        oids::ANYRANGE => &["[5,6)"],
        oids::VARBIT | oids::BIT => &["101"],
        oids::JSONPATH => &["$.k[*] ? (@.a == \"c\")", "$"],
        oids::POLYGON | oids::PATH => &["((0,0),(1,1))"],
        oids::POINT => &["(0,1)"],
        _ => &[],
    }
}

/// What a type that the function leaves open is in these calls.
fn actual(type_oid: Oid) -> Oid {
    match type_oid {
        oids::ANYARRAY | oids::ANYCOMPATIBLEARRAY => INT4_ARRAY,
        oids::ANYELEMENT | oids::ANYCOMPATIBLE | oids::ANYNONARRAY => oids::INT4,
        oids::ANYMULTIRANGE => INT4_MULTIRANGE,
        oids::ANYRANGE => oids::INT4RANGE,
        other => other,
    }
}

fn value(type_oid: Oid, text: &str) -> PgResult<Datum> {
    let settings = FormatSettings::default();
    io::input(actual(type_oid), -1, text, &IoContext::new(&settings))
}

/// Calls a function with the flag set.
fn call(proc: &facts::ProcRow, args: &[Datum]) -> Option<PgResult<Datum>> {
    let cancel = CancelToken::new();
    cancel.cancel(CancelReason::User);
    let types: Vec<Oid> = proc.proargtypes.iter().map(|t| actual(*t)).collect();
    let call = CallInfo::new(proc.oid, &types, actual(proc.prorettype));
    site::with_context(&call, &cancel, |ctx| {
        if let Some(kernels) = functions::kernels(proc.oid) {
            return Some((kernels.scalar)(ctx, args));
        }
        let make = functions::set_function(proc.oid)?;
        Some(make(ctx, args).map(|_| Datum::Null))
    })
}

fn is_cancelled(result: &PgResult<Datum>) -> bool {
    matches!(result, Err(e) if e.sqlstate.as_str() == "57014")
}

/// Functions by their `prosrc`, with the arguments that are not long.
const LOOK: &[(&str, &[Option<&str>])] = &[
    ("binary_encode", &[None, Some("hex")]),
    ("binary_encode", &[None, Some("base64")]),
    ("binary_encode", &[None, Some("escape")]),
    ("binary_decode", &[None, Some("hex")]),
    ("binary_decode", &[None, Some("base64")]),
    ("binary_decode", &[None, Some("escape")]),
    ("byteacat", &[None, None]),
    ("byteaoverlay", &[None, None, Some("5"), Some("5")]),
    ("bytea_reverse", &[None]),
    ("bytea_bit_count", &[None]),
    ("crc32_bytea", &[None]),
    ("crc32c_bytea", &[None]),
    ("hashtext", &[None]),
    ("hashtextextended", &[None, Some("5")]),
    ("hashbytea", &[None]),
    ("hash_array", &[None]),
    ("jsonb_hash", &[None]),
    ("hash_multirange", &[None]),
    ("unistr", &[None]),
    ("textlen", &[None]),
    ("bpcharlen", &[None]),
    ("unicode_normalize_func", &[None, Some("NFC")]),
    ("unicode_is_normalized", &[None, Some("NFKD")]),
    ("array_sort", &[None]),
    ("array_fill", &[Some("7"), Some("{1000,1000}")]),
    ("array_append", &[None, Some("5")]),
    ("array_prepend", &[Some("5"), None]),
    ("array_cat", &[None, None]),
    ("array_remove", &[None, Some("5")]),
    ("array_replace", &[None, Some("5"), Some("7")]),
    ("array_position", &[None, Some("5")]),
    ("array_positions", &[None, Some("5")]),
    ("text_to_array", &[None, Some("n")]),
    ("text_to_table", &[None, Some("n")]),
    ("xpath", &[Some("/a/x"), None, Some("{}")]),
    ("xpath_exists", &[Some("/a/x"), None, Some("{}")]),
    ("array_reverse", &[None]),
    ("trim_array", &[None, Some("5")]),
    ("pg_convert_from", &[None, Some("LATIN1")]),
    ("pg_convert_to", &[None, Some("LATIN1")]),
    ("pg_convert", &[None, Some("UTF8"), Some("LATIN1")]),
    ("repeat", &[None, Some("5")]),
    ("quote_ident", &[None]),
    ("quote_literal", &[None]),
    ("quote_nullable", &[None]),
    ("text_format", &[Some("%s"), None]),
    ("text_format_nv", &[None]),
    ("replace_text", &[None, Some("and"), Some("x")]),
    ("split_part", &[None, Some("and"), Some("300000")]),
    ("split_part", &[None, Some("and"), Some("-300000")]),
    ("btrim", &[None, Some("long ad")]),
    ("ltrim", &[None, Some("long ad")]),
    ("rtrim", &[None, Some("long ad")]),
    ("textregexeq", &[None, Some("[0-9]x")]),
    ("regexp_count_no_start", &[None, Some("[0-9]x")]),
    // No limit to how long a match is.
    ("textregexeq", &[None, Some("n.*q")]),
    ("textlike", &[None, Some("%_o_%_n_%_q")]),
    ("textpos", &[None, None]),
    ("byteapos", &[None, None]),
    ("regexp_split_to_array_no_flags", &[None, Some("and")]),
    ("json_array_element_text", &[None, Some("-1")]),
    ("json_extract_path", &[None, Some("{5}")]),
    ("json_array_length", &[None]),
    ("json_strip_nulls", &[None, Some("f")]),
    ("json_array_elements", &[None]),
    ("jsonb_pretty", &[None]),
    ("jsonb_object_field_text", &[None, Some("k")]),
    ("jsonb_each_text", &[None]),
    ("to_timestamp", &[Some("5"), None]),
    ("bitshiftleft", &[None, Some("5")]),
    ("bitsubstr_no_len", &[None, Some("5")]),
    ("path_distance", &[None, None]),
    ("path_inter", &[None, None]),
    ("xml_is_well_formed_document", &[None]),
    ("xml_is_well_formed_content", &[None]),
];

#[test]
fn functions_over_long_values_can_be_cancelled() {
    let mut wrong = Vec::new();
    for (name, args) in LOOK {
        let proc = facts::procs()
            .iter()
            .find(|p| p.prosrc == *name && p.proargtypes.len() == args.len())
            .unwrap_or_else(|| panic!("{name}"));
        let given: Vec<Datum> = proc
            .proargtypes
            .iter()
            .zip(*args)
            .map(|(t, text)| match (text, *name, *t) {
                (Some(text), ..) => value(*t, text).unwrap(),
                (None, "binary_decode", _) => Datum::text("6c6f6e67".repeat(LONG_BYTES / 8)),
                (None, "text_format", _) => value(oids::TEXT, &long(oids::TEXT).unwrap().1).unwrap(),
                (None, ..) => value(*t, &long(*t).unwrap().1).unwrap(),
            })
            .collect();
        match call(proc, &given) {
            Some(result) if is_cancelled(&result) => {}
            Some(result) => wrong.push(format!("{name}: {:?}", result.map(|_| "a result"))),
            None => wrong.push(format!("{name} has no code")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// These look at the token of their thread.
#[test]
fn functions_without_a_token_look_at_that_of_the_thread() {
    let words = Datum::text(vec!["a"; LONG_ELEMENTS].join("."));
    let array = || value(TEXT_ARRAY, &long(TEXT_ARRAY).unwrap().1).unwrap();
    let format = || Datum::text("9".repeat(LONG_ELEMENTS));
    let cases: [(&str, Vec<Datum>); 7] = [
        ("jsonb_object", vec![array()]),
        ("jsonb_object_two_arg", vec![array(), array()]),
        ("json_object", vec![array()]),
        ("json_object_two_arg", vec![array(), array()]),
        (
            "numeric_to_char",
            vec![value(oids::NUMERIC, "1.5").unwrap(), format()],
        ),
        ("numeric_to_number", vec![format(), format()]),
        ("parse_ident", vec![words, Datum::Bool(true)]),
    ];
    for (name, args) in cases {
        let found = facts::procs()
            .iter()
            .find(|p| p.prosrc == name && p.proargtypes.len() == args.len());
        let proc = found.unwrap_or_else(|| panic!("{name}"));
        let cancel = CancelToken::new();
        cancel.cancel(CancelReason::User);
        let _entered = cancel.enter();
        assert!(
            call(proc, &args).is_some_and(|result| is_cancelled(&result)),
            "{name}"
        );
    }
}

/// `cargo test --profile profiling -p pglite-functions --test cancelled -- --ignored --nocapture`: a line for each call that needs longer.
#[test]
#[ignore = "a report: functions that pass over a long value without a look"]
fn who_does_not_look() {
    const SHOWN_MS: f64 = 5.0;
    let plain = |p: &&facts::ProcRow| p.prokind == b'f' && p.provolatile != b'v';
    for proc in facts::procs().iter().filter(plain) {
        for k in 0..proc.proargtypes.len() {
            // Patterns are a matter of their own.
            if k == 1 && proc.prosrc.contains("reg") {
                continue;
            }
            for args in calls(proc, k) {
                let began = Instant::now();
                let Some(result) = call(proc, &args) else { continue };
                let ms = began.elapsed().as_secs_f64() * 1e3;
                if ms > SHOWN_MS && !is_cancelled(&result) {
                    let outcome =
                        result.map_or_else(|e| e.message.chars().take(40).collect(), |_| String::new());
                    println!(
                        "{ms:8.1} ms {} ({}) argument {k}: {outcome}",
                        proc.proname, proc.prosrc
                    );
                }
            }
        }
    }
}

/// Arguments with a long one at position `k`, with each of the short ones for the others.
fn calls(proc: &facts::ProcRow, k: usize) -> Vec<Vec<Datum>> {
    let types = proc.proargtypes;
    let Some((_, text)) = long(types[k]) else {
        return Vec::new();
    };
    let long_value = value(types[k], &text).unwrap();
    let others = || types.iter().enumerate().filter(|(i, _)| *i != k);
    let rounds = others().map(|(_, t)| short(*t).len()).max().unwrap_or(1);
    let one = |round: usize| -> Option<Vec<Datum>> {
        let argument = |(i, t): (usize, &Oid)| {
            if i == k {
                return Some(long_value.clone());
            }
            let values = short(*t);
            value(*t, values.get(round.min(values.len().checked_sub(1)?))?).ok()
        };
        types.iter().enumerate().map(argument).collect()
    };
    (0..rounds.max(1)).filter_map(one).collect()
}

/// Called without what looks at the flag before any input and output does.
#[test]
fn long_shapes_are_read_and_printed_with_looks() {
    use types::io_geo::{path_in, path_out, polygon_in, polygon_out};
    let settings = FormatSettings::default();
    let cancel = CancelToken::new();
    cancel.cancel(CancelReason::User);
    let mut ctx = IoContext::new(&settings);
    ctx.cancel = &cancel;
    for (type_oid, input, output) in [
        (
            oids::PATH,
            path_in as fn(&str, i32, &IoContext<'_>) -> _,
            path_out as fn(&Datum, &IoContext<'_>, &mut String) -> _,
        ),
        (oids::POLYGON, polygon_in, polygon_out),
    ] {
        let (_, text) = long(type_oid).unwrap();
        let shape = value(type_oid, &text).unwrap();
        assert!(is_cancelled(&input(&text, -1, &ctx)));
        assert!(is_cancelled(
            &output(&shape, &ctx, &mut String::new()).map(|()| Datum::Null)
        ));
    }
}

/// A row of a batch may be so long that the batch takes seconds: kernels look for each.
#[test]
fn batches_of_long_values_can_be_cancelled() {
    let cancel = CancelToken::new();
    cancel.cancel(CancelReason::User);
    let number = value(oids::NUMERIC, &"7".repeat(500)).unwrap();
    let text = Datum::text("long");
    let cases: [(&str, &[&Datum]); 8] = [
        ("numeric_add", &[&number, &number]),
        ("numeric_mul", &[&number, &number]),
        ("numeric_div", &[&number, &number]),
        ("numeric_mod", &[&number, &number]),
        ("numeric_sqrt", &[&number]),
        ("numeric_uminus", &[&number]),
        ("lower", &[&text]),
        ("textcat", &[&text, &text]),
    ];
    for (name, args) in cases {
        let found = facts::procs()
            .iter()
            .find(|p| p.prosrc == name && p.proargtypes.len() == args.len());
        let proc = found.unwrap_or_else(|| panic!("{name}"));
        let call = CallInfo::new(proc.oid, proc.proargtypes, proc.prorettype);
        let kernels = functions::kernels(proc.oid).expect("code");
        let column = |(t, v): (&Oid, &&Datum)| {
            Vector::from_datums(PhysType::of_builtin(*t), &[(*v).clone(), (*v).clone()])
        };
        let vectors: Vec<Vector> = proc.proargtypes.iter().zip(args).map(column).collect();
        let vectors: Vec<&Vector> = vectors.iter().collect();
        let mut out = Vector::defaults(PhysType::of_builtin(proc.prorettype), 2);
        let result = site::with_context(&call, &cancel, |ctx| {
            (kernels.vector)(ctx, &vectors, &Selection::All(2), &mut out)
        });
        assert!(is_cancelled(&result.map(|()| Datum::Null)), "{name}");
    }
}
