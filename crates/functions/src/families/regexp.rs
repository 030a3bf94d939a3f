//! Functions over regular expressions.

use std::sync::Arc;

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::pieces::List;
use common::{PgError, PgResult, long, pg_err};
use types::{ArrayValue, Datum, PhysType, oids};

use crate::families::casing;
use crate::families::quote::{STRING_BYTES_MAX, string_too_long};
use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, set_functions};
use crate::framework::set::{ScalarRows, SetRows};
use crate::regex::{Flags, Regex, Spans};

/// The last pattern of a call site, compiled.
struct Compiled {
    pattern: String,
    /// As the call gave them: the rules of its collation never change.
    options: Flags,
    regex: Arc<Regex>,
}

fn regex(ctx: &mut FnContext<'_>, pattern: &str, options: Flags) -> PgResult<Arc<Regex>> {
    let (session, collation) = (ctx.session, ctx.call.collation);
    let compiled = ctx.cache.get_or_try_insert(
        |c: &Compiled| c.pattern == pattern && c.options == options,
        || {
            let rules = casing::rules_of(session, collation)?;
            Ok(Compiled {
                pattern: pattern.to_owned(),
                options,
                regex: Arc::new(Regex::new(pattern, Flags { rules, ..options })?),
            })
        },
    )?;
    Ok(compiled.regex.clone())
}

fn matches(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<bool> {
    regex(ctx, pattern, Flags::default())?.is_match(ctx.cancel, s)
}
fn not_matches(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<bool> {
    Ok(!matches(ctx, s, pattern)?)
}
fn imatches(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<bool> {
    let options = Flags::parse("i")?;
    regex(ctx, pattern, options)?.is_match(ctx.cancel, s)
}
fn not_imatches(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<bool> {
    Ok(!imatches(ctx, s, pattern)?)
}

#[cold]
fn no_global(function: &str) -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "{function}() does not support the \"global\" option"
    )
}

/// Flags of a function for which `g` makes no sense.
fn local(flags: &str, function: &str) -> PgResult<Flags> {
    let options = Flags::parse(flags)?;
    if options.global {
        Err(no_global(function))
    } else {
        Ok(options)
    }
}

fn regexp_like(ctx: &mut FnContext<'_>, s: &str, pattern: &str, flags: &str) -> PgResult<bool> {
    let options = local(flags, "regexp_like")?;
    regex(ctx, pattern, options)?.is_match(ctx.cancel, s)
}

/// The text of a group; `None` when it took no part.
fn group<'s>(s: &'s str, spans: &Spans, k: usize) -> Option<&'s str> {
    let (from, to) = spans.get(k).copied().flatten()?;
    Some(&s[from..to])
}

/// The groups of a match, or the whole match when there are none.
fn groups(s: &str, found: &Regex, spans: &Spans) -> ArrayValue {
    let from = usize::from(found.groups() > 0);
    let text = |k: usize| group(s, spans, k).map_or(Datum::Null, Datum::text);
    ArrayValue::from_elements(oids::TEXT, (from..=found.groups()).map(text).collect())
}

fn regexp_match(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    flags: &str,
) -> PgResult<Option<ArrayValue>> {
    let options = Flags::parse(flags)?;
    if options.global {
        return Err(ErrorExt::hint(
            no_global("regexp_match"),
            "Use the regexp_matches function instead.",
        ));
    }
    let found = regex(ctx, pattern, options)?;
    let spans = found.find_at(ctx.cancel, s, 0)?;
    Ok(spans.map(|spans| groups(s, &found, &spans)))
}
fn regexp_match_no_flags(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<Option<ArrayValue>> {
    regexp_match(ctx, s, pattern, "")
}

/// `substring(s from pattern)`: the first group if there is one.
pub(super) fn substring(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<Option<String>> {
    let found = regex(ctx, pattern, Flags::default())?;
    let wanted = usize::from(found.groups() > 0);
    let spans = found.find_at(ctx.cancel, s, 0)?;
    Ok(spans
        .and_then(|spans| group(s, &spans, wanted))
        .map(str::to_owned))
}

/// Where a search starts: the byte offset of a character number.
fn start_offset(s: &str, start: i32) -> PgResult<Option<usize>> {
    let at = positive(start, "start")? - 1;
    if at == 0 {
        return Ok(Some(0));
    }
    let offset = s.char_indices().map(|(i, _)| i).chain([s.len()]).nth(at);
    Ok(offset)
}

fn positive(value: i32, name: &str) -> PgResult<usize> {
    if value <= 0 {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid value for parameter \"{name}\": {value}"
        ));
    }
    Ok(value as usize)
}

/// Appends a replacement: `\&` the match, `\1` groups, `\\` a backslash.
fn push_replacement(replacement: &str, s: &str, spans: &Spans, out: &mut String) {
    let mut chars = replacement.chars();
    while let Some(ch) = chars.next() {
        if ch != '\\' {
            out.push(ch);
            continue;
        }
        match chars.next() {
            Some('&') => out.push_str(group(s, spans, 0).unwrap_or("")),
            Some(d @ '1'..='9') => {
                let k = d as usize - '0' as usize;
                out.push_str(group(s, spans, k).unwrap_or(""));
            }
            Some('\\') => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
}

/// Which matches are replaced.
#[derive(Clone, Copy)]
struct Which {
    /// Where the search begins.
    from: usize,
    /// The number of the match; 0 for all.
    nth: usize,
}

fn replace(ctx: &FnContext<'_>, found: &Regex, s: &str, replacement: &str, which: Which) -> PgResult<String> {
    let mut out = String::with_capacity(s.len());
    let mut copied = 0;
    let mut matches = Matches::new(ctx.cancel, found, s, which.from);
    let mut count = 0;
    while let Some((start, end, spans)) = matches.next()? {
        count += 1;
        if which.nth != 0 && count != which.nth {
            continue;
        }
        out.push_str(&s[copied..start]);
        let before = out.len();
        push_replacement(replacement, s, &spans, &mut out);
        if out.len() >= STRING_BYTES_MAX {
            return Err(string_too_long(before, out.len() - before));
        }
        copied = end;
        if which.nth != 0 {
            break;
        }
    }
    out.push_str(&s[copied..]);
    Ok(out)
}

fn regexp_replace_plain(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    replacement: &str,
) -> PgResult<String> {
    let found = regex(ctx, pattern, Flags::default())?;
    replace(ctx, &found, s, replacement, Which { from: 0, nth: 1 })
}

fn regexp_replace(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    replacement: &str,
    flags: &str,
) -> PgResult<String> {
    // A fourth argument that looks like a number is the five-argument form with its arguments mixed up.
    if flags.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(ErrorExt::hint(
            pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid regular expression option: \"{}\"",
                &flags[..1]
            ),
            "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.",
        ));
    }
    let options = Flags::parse(flags)?;
    let nth = usize::from(!options.global);
    let found = regex(ctx, pattern, options)?;
    replace(ctx, &found, s, replacement, Which { from: 0, nth })
}

fn regexp_replace_from(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    replacement: &str,
    start: i32,
) -> PgResult<String> {
    regexp_replace_nth(ctx, s, pattern, replacement, start, 1)
}

fn regexp_replace_nth(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    replacement: &str,
    start: i32,
    nth: i32,
) -> PgResult<String> {
    regexp_replace_full(ctx, s, pattern, replacement, start, nth, "")
}

fn regexp_replace_full(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    replacement: &str,
    start: i32,
    nth: i32,
    flags: &str,
) -> PgResult<String> {
    let from = start_offset(s, start)?;
    if nth < 0 {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid value for parameter \"n\": {nth}"
        ));
    }
    let found = regex(ctx, pattern, Flags::parse(flags)?)?;
    let nth = nth as usize;
    match from {
        Some(from) => replace(ctx, &found, s, replacement, Which { from, nth }),
        None => Ok(s.to_owned()),
    }
}

/// The matches of an expression, one after the other; the text before the start still counts for anchors.
struct Matches<'a> {
    cancel: &'a CancelToken,
    found: &'a Regex,
    s: &'a str,
    at: Option<usize>,
}

impl<'a> Matches<'a> {
    fn new(cancel: &'a CancelToken, found: &'a Regex, s: &'a str, from: usize) -> Matches<'a> {
        Matches {
            cancel,
            found,
            s,
            at: Some(from),
        }
    }

    /// Start, end and groups of the next match. After an empty one the search goes on a character further.
    fn next(&mut self) -> PgResult<Option<(usize, usize, Spans)>> {
        let Some(at) = self.at else { return Ok(None) };
        self.cancel.check()?;
        let Some(spans) = self.found.find_at(self.cancel, self.s, at)? else {
            self.at = None;
            return Ok(None);
        };
        let (start, end) = spans.first().copied().flatten().unwrap_or((at, at));
        self.at = if end > start {
            Some(end)
        } else {
            self.s[end..].chars().next().map(|c| end + c.len_utf8())
        };
        Ok(Some((start, end, spans)))
    }

    /// Match number `n`, counted from 0.
    fn nth(&mut self, n: usize) -> PgResult<Option<Spans>> {
        for _ in 0..n {
            if self.next()?.is_none() {
                return Ok(None);
            }
        }
        Ok(self.next()?.map(|(_, _, spans)| spans))
    }
}

fn count(ctx: &mut FnContext<'_>, s: &str, pattern: &str, start: i32, flags: &str) -> PgResult<i32> {
    let from = start_offset(s, start)?;
    let found = regex(ctx, pattern, local(flags, "regexp_count")?)?;
    let Some(from) = from else { return Ok(0) };
    let mut matches = Matches::new(ctx.cancel, &found, s, from);
    let mut count = 0;
    while matches.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}
fn count_no_flags(ctx: &mut FnContext<'_>, s: &str, pattern: &str, start: i32) -> PgResult<i32> {
    count(ctx, s, pattern, start, "")
}
fn count_no_start(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<i32> {
    count(ctx, s, pattern, 1, "")
}

/// `regexp_instr` with all its parameters.
fn instr(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    start: i32,
    nth: i32,
    end_option: i32,
    flags: &str,
    group: i32,
) -> PgResult<i32> {
    let from = start_offset(s, start)?;
    let nth = positive(nth, "n")?;
    if !(0..=1).contains(&end_option) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid value for parameter \"endoption\": {end_option}"
        ));
    }
    let group = subexpression(group)?;
    let options = local(flags, "regexp_instr")?;
    let found = regex(ctx, pattern, options)?;
    let Some(from) = from else { return Ok(0) };
    let spans = Matches::new(ctx.cancel, &found, s, from).nth(nth - 1)?;
    let part = spans.and_then(|spans| spans.get(group).copied().flatten());
    let at = part.map(|(start, end)| if end_option == 1 { end } else { start });
    Ok(at.map_or(0, |at| s[..at].chars().count() as i32 + 1))
}
fn subexpression(group: i32) -> PgResult<usize> {
    usize::try_from(group).map_err(|_| {
        pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid value for parameter \"subexpr\": {group}"
        )
    })
}
fn instr2(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<i32> {
    instr(ctx, s, pattern, 1, 1, 0, "", 0)
}
fn instr3(ctx: &mut FnContext<'_>, s: &str, pattern: &str, start: i32) -> PgResult<i32> {
    instr(ctx, s, pattern, start, 1, 0, "", 0)
}
fn instr4(ctx: &mut FnContext<'_>, s: &str, pattern: &str, start: i32, nth: i32) -> PgResult<i32> {
    instr(ctx, s, pattern, start, nth, 0, "", 0)
}
fn instr5(ctx: &mut FnContext<'_>, s: &str, pattern: &str, start: i32, nth: i32, end: i32) -> PgResult<i32> {
    instr(ctx, s, pattern, start, nth, end, "", 0)
}
fn instr6(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    start: i32,
    nth: i32,
    end: i32,
    flags: &str,
) -> PgResult<i32> {
    instr(ctx, s, pattern, start, nth, end, flags, 0)
}

/// `regexp_substr` with all its parameters.
fn substr(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    start: i32,
    nth: i32,
    flags: &str,
    group: i32,
) -> PgResult<Option<String>> {
    let from = start_offset(s, start)?;
    let nth = positive(nth, "n")?;
    let group = subexpression(group)?;
    let options = local(flags, "regexp_substr")?;
    let found = regex(ctx, pattern, options)?;
    let Some(from) = from else { return Ok(None) };
    let spans = Matches::new(ctx.cancel, &found, s, from).nth(nth - 1)?;
    Ok(spans
        .and_then(|spans| self::group(s, &spans, group))
        .map(str::to_owned))
}
fn substr2(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<Option<String>> {
    substr(ctx, s, pattern, 1, 1, "", 0)
}
fn substr3(ctx: &mut FnContext<'_>, s: &str, pattern: &str, start: i32) -> PgResult<Option<String>> {
    substr(ctx, s, pattern, start, 1, "", 0)
}
fn substr4(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    start: i32,
    nth: i32,
) -> PgResult<Option<String>> {
    substr(ctx, s, pattern, start, nth, "", 0)
}
fn substr5(
    ctx: &mut FnContext<'_>,
    s: &str,
    pattern: &str,
    start: i32,
    nth: i32,
    flags: &str,
) -> PgResult<Option<String>> {
    substr(ctx, s, pattern, start, nth, flags, 0)
}

/// The pieces between matches; an empty match at the very start, the end or right after another does not split.
fn split(ctx: &FnContext<'_>, found: &Regex, s: &str) -> PgResult<Vec<Datum>> {
    let mut list = List::new(0);
    let (mut from, mut previous_end) = (0, 0);
    let piece = |s: &str| Ok::<_, Box<PgError>>(Datum::Text(long::text(s, ctx.cancel)?));
    let mut matches = Matches::new(ctx.cancel, found, s, 0);
    while let Some((start, end, _)) = matches.next()? {
        if start < s.len() && end > previous_end {
            list.extend(ctx.cancel, [piece(&s[from..start])?])?;
            from = end;
        }
        previous_end = end;
    }
    list.extend(ctx.cancel, [piece(&s[from..])?])?;
    Ok(list.finish())
}

fn split_to_array(ctx: &mut FnContext<'_>, s: &str, pattern: &str, flags: &str) -> PgResult<ArrayValue> {
    let options = local(flags, "regexp_split_to_array")?;
    let found = regex(ctx, pattern, options)?;
    Ok(ArrayValue::from_elements(oids::TEXT, split(ctx, &found, s)?))
}
fn split_to_array_no_flags(ctx: &mut FnContext<'_>, s: &str, pattern: &str) -> PgResult<ArrayValue> {
    split_to_array(ctx, s, pattern, "")
}

#[rustfmt::skip]
builtins! {
    textregexeq = matches(ctx, s: text, pattern: text) -> bool; textregexne = not_matches(ctx, s: text, pattern: text) -> bool;
    nameregexeq = matches(ctx, s: name, pattern: text) -> bool; nameregexne = not_matches(ctx, s: name, pattern: text) -> bool;
    texticregexeq = imatches(ctx, s: text, pattern: text) -> bool; texticregexne = not_imatches(ctx, s: text, pattern: text) -> bool;
    nameicregexeq = imatches(ctx, s: name, pattern: text) -> bool; nameicregexne = not_imatches(ctx, s: name, pattern: text) -> bool;
    regexp_like(ctx, s: text, pattern: text, flags: text) -> bool; regexp_like_no_flags = matches(ctx, s: text, pattern: text) -> bool;
    regexp_match(ctx, s: text, pattern: text, flags: text) -> text_array; regexp_match_no_flags(ctx, s: text, pattern: text) -> text_array;
    textregexsubstr = substring(ctx, s: text, pattern: text) -> text;
    textregexreplace_noopt = regexp_replace_plain(ctx, s: text, pattern: text, replacement: text) -> text;
    textregexreplace = regexp_replace(ctx, s: text, pattern: text, replacement: text, flags: text) -> text;
    textregexreplace_extended_no_n = regexp_replace_from(ctx, s: text, pattern: text, replacement: text, start: int4) -> text;
    textregexreplace_extended_no_flags = regexp_replace_nth(ctx, s: text, pattern: text, replacement: text, start: int4, nth: int4) -> text;
    textregexreplace_extended = regexp_replace_full(ctx, s: text, pattern: text, replacement: text, start: int4, nth: int4, flags: text) -> text;
    regexp_count = count(ctx, s: text, pattern: text, start: int4, flags: text) -> int4;
    regexp_count_no_flags = count_no_flags(ctx, s: text, pattern: text, start: int4) -> int4;
    regexp_count_no_start = count_no_start(ctx, s: text, pattern: text) -> int4;
    regexp_instr = instr(ctx, s: text, pattern: text, start: int4, nth: int4, end: int4, flags: text, group: int4) -> int4;
    regexp_instr_no_start = instr2(ctx, s: text, pattern: text) -> int4; regexp_instr_no_n = instr3(ctx, s: text, pattern: text, start: int4) -> int4;
    regexp_instr_no_endoption = instr4(ctx, s: text, pattern: text, start: int4, nth: int4) -> int4;
    regexp_instr_no_flags = instr5(ctx, s: text, pattern: text, start: int4, nth: int4, end: int4) -> int4;
    regexp_instr_no_subexpr = instr6(ctx, s: text, pattern: text, start: int4, nth: int4, end: int4, flags: text) -> int4;
    regexp_substr = substr(ctx, s: text, pattern: text, start: int4, nth: int4, flags: text, group: int4) -> text;
    regexp_substr_no_start = substr2(ctx, s: text, pattern: text) -> text; regexp_substr_no_n = substr3(ctx, s: text, pattern: text, start: int4) -> text;
    regexp_substr_no_flags = substr4(ctx, s: text, pattern: text, start: int4, nth: int4) -> text;
    regexp_substr_no_subexpr = substr5(ctx, s: text, pattern: text, start: int4, nth: int4, flags: text) -> text;
    regexp_split_to_array = split_to_array(ctx, s: text, pattern: text, flags: text) -> text_array;
    regexp_split_to_array_no_flags = split_to_array_no_flags(ctx, s: text, pattern: text) -> text_array;
}

fn rows(phys: PhysType, values: Vec<Datum>) -> Box<dyn SetRows> {
    Box::new(ScalarRows {
        phys,
        iter: values.into_iter().map(Ok),
    })
}

fn text_args(args: &[Datum]) -> Option<(&str, &str, &str)> {
    let text = |k: usize| args.get(k).and_then(Datum::as_str);
    Some((text(0)?, text(1)?, if args.len() > 2 { text(2)? } else { "" }))
}

fn regexp_matches(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let Some((s, pattern, flags)) = text_args(args) else {
        return Ok(rows(PhysType::Nested, Vec::new()));
    };
    let options = Flags::parse(flags)?;
    let found = regex(ctx, pattern, options)?;
    let mut values = List::new(0);
    let mut matches = Matches::new(ctx.cancel, &found, s, 0);
    while let Some((_, _, spans)) = matches.next()? {
        values.extend(ctx.cancel, [Datum::Array(Arc::new(groups(s, &found, &spans)))])?;
        if !options.global {
            break;
        }
    }
    Ok(rows(PhysType::Nested, values.finish()))
}

fn split_to_table(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let Some((s, pattern, flags)) = text_args(args) else {
        return Ok(rows(PhysType::Text, Vec::new()));
    };
    let options = local(flags, "regexp_split_to_table")?;
    let found = regex(ctx, pattern, options)?;
    let pieces = split(ctx, &found, s)?;
    Ok(rows(PhysType::Text, pieces))
}

set_functions! {
    regexp_matches(text, text, text) -> text_array = regexp_matches;
    regexp_matches_no_flags(text, text) -> text_array = regexp_matches;
    regexp_split_to_table(text, text, text) -> text = split_to_table;
    regexp_split_to_table_no_flags(text, text) -> text = split_to_table;
}
