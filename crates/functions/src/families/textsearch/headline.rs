//! `ts_headline`: the part of a document that shows best how it matches a query.
//!
//! # How it works
//! 1. The document is cut into tokens; each remembers which words of the query it is, and its position.
//! 2. The places where the query's ANDed parts match give *covers*: shortest stretches that match as a whole.
//! 3. Without fragments the best cover is stretched or cut to a good length; with fragments the covers richest in query words
//!    are, each stretched on both sides.

use common::PgResult;
use types::Datum;
use types::json_text::{TokenKind, push_string, unescape};
use types::textsearch::{POSITION_MAX, WORD_BYTES_MAX};

use crate::families::textsearch::config::{Config, config, default_config};
use crate::families::textsearch::convert::{json_tokens, jsonb_text};
use crate::families::textsearch::headline_options::{Options, pairs};
use crate::families::textsearch::lexize::Lexizer;
use crate::families::textsearch::matching::{Answer, Expr, Places, Query, Source, phrase, union};
use crate::families::textsearch::parser::{DefaultParser, Kind};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// A token of the document; one that is several words of the query stands here several times.
#[derive(Clone)]
struct Word<'a> {
    text: &'a str,
    kind: Kind,
    /// The operand of the query that it is.
    item: Option<usize>,
    repeated: bool,
    position: u32,
    shown: bool,
}

impl Word<'_> {
    fn interesting(&self) -> bool {
        self.item.is_some() && !self.repeated
    }

    /// Compound tokens, whose parts follow, and blanks are no words.
    fn is_word(&self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::Tag) && !self.is_compound()
    }

    fn is_compound(&self) -> bool {
        matches!(
            self.kind,
            Kind::Url | Kind::NumHword | Kind::AsciiHword | Kind::Hword
        )
    }
}

/// The words of a stretch, asked for operands.
struct Stretch<'w, 'a>(&'w [Word<'a>]);

impl Source for Stretch<'_, '_> {
    fn lookup(&self, k: usize, places: Option<&mut Places>) -> Answer {
        let mut hits = self.0.iter().filter(|w| w.item == Some(k)).peekable();
        if hits.peek().is_none() {
            return Answer::No;
        }
        if let Some(places) = places {
            for hit in hits {
                if places.places.last() != Some(&hit.position) {
                    places.places.push(hit.position);
                }
            }
        }
        Answer::Yes
    }
}

struct Headline<'a> {
    words: Vec<Word<'a>>,
    options: &'a Options,
    query: &'a Query,
    /// Where each ANDed part of the query matches.
    locations: Vec<Places>,
    /// Where the next cover may begin.
    next: u32,
}

/// Where the ANDed parts of a query match; `None`: it does not match.
fn locations(expr: &Expr, source: &dyn Source) -> Option<Vec<Places>> {
    match expr {
        Expr::Word(_) | Expr::Phrase(..) => {
            let (answer, places) = phrase(expr, source);
            match answer {
                Answer::Yes if places.negate => Some(Vec::new()),
                Answer::Yes => Some(vec![places]),
                _ => None,
            }
        }
        Expr::Not(inner) => match locations(inner, source) {
            Some(_) => None,
            None => Some(Vec::new()),
        },
        Expr::And(list) => {
            let mut all = Vec::new();
            for inner in list {
                all.extend(locations(inner, source)?);
            }
            Some(all)
        }
        // (A & B) | (C & D) is (A | C) & (A | D) & (B | C) & (B | D).
        Expr::Or(list) => {
            let mut sides = list.iter().filter_map(|inner| locations(inner, source));
            let first = sides.next()?;
            Some(sides.fold(first, |left, right| {
                if left.is_empty() {
                    return right;
                }
                if right.is_empty() {
                    return left;
                }
                let pairs = left.iter().flat_map(|l| right.iter().map(move |r| union(l, r)));
                pairs.collect()
            }))
        }
    }
}

/// The words of a document so far.
struct Gathered<'a> {
    query: &'a Query,
    words: Vec<Word<'a>>,
    position: u32,
}

impl<'a> Gathered<'a> {
    /// Adds what the dictionaries are done with.
    fn take(&mut self, lexizer: &mut Lexizer<'_, 'a>) -> PgResult<()> {
        loop {
            let lexemes = lexizer.next_lexemes()?;
            if lexemes.is_some() {
                self.position += 1;
            }
            let found = lexemes.as_deref().unwrap_or(&[]);
            for (kind, text) in lexizer.take_used() {
                self.words.push(Word {
                    text,
                    kind,
                    item: None,
                    repeated: false,
                    position: 0,
                    shown: false,
                });
                let mut position = self.position;
                for lexeme in found {
                    position += u32::from(lexeme.adds_position);
                    self.mark(&lexeme.word, position);
                }
            }
            self.position += found.iter().filter(|l| l.adds_position).count() as u32;
            if lexemes.is_none() {
                return Ok(());
            }
        }
    }

    /// Says of the last word what it is in the query; a word that is several things stands there several times.
    fn mark(&mut self, lexeme: &str, position: u32) {
        let Some(at) = self.words.len().checked_sub(1) else {
            return;
        };
        self.words[at].position = position.min(u32::from(POSITION_MAX));
        for (k, operand) in self.query.operands.iter().enumerate() {
            let hit = if operand.prefix {
                lexeme.starts_with(&operand.word)
            } else {
                lexeme == operand.word
            };
            if !hit {
                continue;
            }
            if self.words[at].item.is_none() {
                self.words[at].item = Some(k);
            } else {
                let again = Word {
                    item: Some(k),
                    repeated: true,
                    ..self.words[at].clone()
                };
                self.words.push(again);
            }
        }
    }
}

impl<'a> Headline<'a> {
    fn new(
        ctx: &FnContext<'_>,
        config: &Config,
        text: &'a str,
        query: &'a Query,
        options: &'a Options,
    ) -> PgResult<Headline<'a>> {
        let mut gathered = Gathered {
            query,
            words: Vec::new(),
            position: 0,
        };
        let mut lexizer = Lexizer::new(config, ctx.cancel);
        for (n, token) in DefaultParser::new(text).enumerate() {
            if n % 4096 == 4095 {
                ctx.cancel.check()?;
            }
            if token.1.len() >= WORD_BYTES_MAX {
                continue;
            }
            lexizer.push(token);
            gathered.take(&mut lexizer)?;
        }
        lexizer.end();
        gathered.take(&mut lexizer)?;
        let words = gathered.words;
        let expr = query.expr.as_ref();
        let found = expr.and_then(|e| locations(e, &Stretch(&words)));
        Ok(Headline {
            words,
            options,
            query,
            locations: found.unwrap_or_default(),
            next: 0,
        })
    }

    fn count(&self, i: usize) -> i32 {
        i32::from(self.words[i].is_word())
    }

    fn interest(&self, i: usize) -> i32 {
        i32::from(self.words[i].interesting())
    }

    /// Short words, numbers and what is no word make no good end, unless the query asks for them.
    fn bad_end(&self, i: usize) -> bool {
        let word = &self.words[i];
        let ends = word.is_word()
            && !matches!(
                word.kind,
                Kind::Scientific
                    | Kind::Version
                    | Kind::Decimal
                    | Kind::SignedInt
                    | Kind::UnsignedInt
                    | Kind::Protocol
                    | Kind::Entity
            );
        (!ends || word.text.len() as i32 <= self.options.short_word) && !word.interesting()
    }

    /// The next cover: its first and last token.
    fn cover(&mut self) -> Option<(usize, usize)> {
        let mut from = self.next;
        loop {
            let mut end = None;
            for part in &self.locations {
                let first = part
                    .places
                    .iter()
                    .find(|p| p.saturating_sub(part.width) >= from)?;
                end = end.max(Some(*first));
            }
            let end = end?;
            let starts = self.locations.iter().filter_map(|part| {
                let last = part.places.iter().rev().find(|p| **p <= end)?;
                Some(last.saturating_sub(part.width))
            });
            let begin = starts.min()?;
            let inside = |w: &Word<'_>| w.item.is_some() && (begin..=end).contains(&w.position);
            let first = self.words.iter().position(inside);
            let last = self.words.iter().rposition(inside);
            if let (Some(first), Some(last)) = (first, last)
                && self.query.matches(&Stretch(&self.words[first..=last]))
            {
                self.next = begin + 1;
                return Some((first, last));
            }
            from = begin + 1;
        }
    }

    fn show(&mut self, range: std::ops::Range<usize>) {
        for word in &mut self.words[range] {
            word.shown = !word.repeated;
        }
    }

    /// From the beginning until there are enough words.
    fn show_beginning(&mut self) {
        let (mut count, mut end) = (0, 0);
        while end < self.words.len() && count < self.options.words_min {
            count += self.count(end);
            end += 1;
        }
        self.show(0..end);
    }

    /// One stretch of the document.
    fn choose_one(&mut self) {
        // Covers its words, interesting words, begin, end.
        let mut best: Option<(bool, i32, usize, usize)> = None;
        while let Some((first, last)) = self.cover() {
            let (begin, end, interesting) = self.stretched(first, last);
            let whole = begin <= first && end >= last;
            let better = best.is_none_or(|(best_whole, most, _, best_end)| {
                (whole, interesting) > (best_whole, most)
                    || ((whole, interesting) == (best_whole, most)
                        && !self.bad_end(end)
                        && self.bad_end(best_end))
            });
            if better {
                best = Some((whole, interesting, begin, end));
            }
        }
        match best {
            Some((_, _, begin, end)) => self.show(begin..end + 1),
            None => self.show_beginning(),
        }
    }

    /// A cover made longer or shorter: begin, end, interesting words.
    fn stretched(&self, first: usize, last: usize) -> (usize, usize, i32) {
        let (min, max) = (self.options.words_min, self.options.words_max);
        let (mut count, mut interesting, mut begin, mut end) = (0, 0, first, first);
        let mut i = first;
        while i <= last && count < max {
            count += self.count(i);
            interesting += self.interest(i);
            end = i;
            i += 1;
        }
        if count < max {
            // Forward to a good end.
            i = i.saturating_sub(1);
            while i < self.words.len() && count < max {
                if i > last {
                    count += self.count(i);
                    interesting += self.interest(i);
                }
                end = i;
                if !self.bad_end(i) && count >= min {
                    break;
                }
                i += 1;
            }
            if count < min {
                // The document ends: backward.
                for i in (0..first).rev() {
                    count += self.count(i);
                    interesting += self.interest(i);
                    begin = i;
                    if count >= max || (!self.bad_end(i) && count >= min) {
                        break;
                    }
                }
            }
        } else {
            // Too long: back to a good end.
            i = i.min(last);
            while count > min && self.bad_end(i) {
                count -= self.count(i);
                interesting -= self.interest(i);
                end = i.saturating_sub(1);
                i = i.saturating_sub(1);
            }
        }
        (begin, end, interesting)
    }

    /// Several stretches.
    fn choose_fragments(&mut self) {
        let mut covers = self.fragments();
        let mut shown = 0;
        while shown < self.options.fragments_max {
            let candidates = covers.iter().enumerate().filter(|(_, c)| !c.gone);
            // Most interesting words, then fewest words, then the first.
            let best = candidates
                .min_by_key(|(_, c)| (-c.interesting, c.count))
                .map(|(i, _)| i);
            let Some(best) = best else { break };
            let chosen = covers[best].clone();
            let (begin, end) = self.grown(&chosen);
            self.show(begin..end + 1);
            shown += 1;
            for cover in &mut covers {
                cover.gone |= cover.begin <= end && cover.end >= begin;
            }
            covers[best].gone = true;
        }
        if shown == 0 {
            self.show_beginning();
        }
    }

    /// All covers, cut so that none has too many words and each begins and ends with a word of the query.
    fn fragments(&mut self) -> Vec<Fragment> {
        let mut found = Vec::new();
        while let Some((first, last)) = self.cover() {
            let mut begin = first;
            while begin <= last {
                while begin < last && !self.words[begin].interesting() {
                    begin += 1;
                }
                let (mut count, mut interesting, mut i) = (0, 0, begin);
                while i <= last && count < self.options.words_max {
                    count += self.count(i);
                    interesting += self.interest(i);
                    i += 1;
                }
                let mut end = last;
                if last > i {
                    end = i;
                    while end > begin && !self.words[end].interesting() {
                        count -= self.count(end);
                        end -= 1;
                    }
                }
                found.push(Fragment {
                    begin,
                    end,
                    count,
                    interesting,
                    gone: false,
                });
                begin = end + 1;
            }
        }
        found
    }

    /// Stretched on both sides, as far as words are left and no other fragment is there.
    fn grown(&self, fragment: &Fragment) -> (usize, usize) {
        let (mut begin, mut end, mut count) = (fragment.begin, fragment.end, fragment.count);
        let max = self.options.words_max;
        if count >= max {
            return (begin, end);
        }
        let half = (max - count) / 2;
        let (mut taken, mut mark) = (0, begin);
        for i in (0..begin).rev() {
            if taken >= half || self.words[i].shown {
                break;
            }
            taken += self.count(i);
            mark = i;
        }
        count += taken;
        while mark < begin && self.bad_end(mark) {
            count -= self.count(mark);
            mark += 1;
        }
        begin = mark;
        mark = end;
        for i in end + 1..self.words.len() {
            if count >= max || self.words[i].shown {
                break;
            }
            count += self.count(i);
            mark = i;
        }
        while mark > end && self.bad_end(mark) {
            mark -= 1;
        }
        end = mark;
        (begin, end)
    }

    fn text(&self) -> String {
        let (mut out, mut inside, mut fragments) = (String::new(), false, 0);
        for word in self.words.iter().filter(|w| !w.repeated) {
            if !word.shown {
                inside = false;
                continue;
            }
            if !inside {
                inside = true;
                fragments += 1;
                if fragments > 1 {
                    out.push_str(&self.options.delimiter);
                }
            }
            if word.kind == Kind::Tag && !self.options.all {
                out.push(' ');
            } else if !word.is_compound() {
                let selected = word.item.is_some();
                out.push_str(if selected { &self.options.start } else { "" });
                out.push_str(word.text);
                out.push_str(if selected { &self.options.stop } else { "" });
            }
        }
        out
    }
}

#[derive(Clone)]
struct Fragment {
    begin: usize,
    end: usize,
    count: i32,
    interesting: i32,
    /// Shown, or overlapping what is shown.
    gone: bool,
}

fn headline(
    ctx: &FnContext<'_>,
    config: &Config,
    text: &str,
    query: &Query,
    options: &Options,
) -> PgResult<String> {
    let mut made = Headline::new(ctx, config, text, query, options)?;
    if options.all {
        made.show(0..made.words.len());
    } else if options.fragments_max == 0 {
        made.choose_one();
    } else {
        made.choose_fragments();
    }
    Ok(made.text())
}

/// A JSON document with every string value replaced by its headline, without white space.
fn json_headline(
    ctx: &FnContext<'_>,
    config: &Config,
    json: &str,
    query: &Query,
    options: Option<&str>,
) -> PgResult<String> {
    // Options are looked at with the first string.
    options.map(pairs).transpose()?;
    let mut read = None;
    let mut out = String::new();
    json_tokens(json, ctx.cancel, &mut |token, text, key| {
        if token.kind == TokenKind::String && !key {
            let options = match read.take() {
                Some(options) => options,
                None => Options::given(ctx, options)?,
            };
            let shown = headline(ctx, config, &unescape(text)?, query, read.insert(options))?;
            push_string(&shown, &mut out);
        } else {
            out.push_str(text);
        }
        Ok(())
    })?;
    Ok(out)
}

/// `ts_headline` of one type of document: with and without configuration and options.
macro_rules! headlines {
    ($($plain:ident $opt:ident $by_id:ident $by_id_opt:ident ($ty:ty => $ret:ty) = $make:expr;)*) => {$(
        fn $plain(ctx: &mut FnContext<'_>, document: $ty, query: &[u8]) -> PgResult<$ret> {
            let config = default_config(ctx)?;
            $make(ctx, &config, document, &Query::new(query), None)
        }
        fn $opt(ctx: &mut FnContext<'_>, document: $ty, query: &[u8], options: &str) -> PgResult<$ret> {
            let config = default_config(ctx)?;
            $make(ctx, &config, document, &Query::new(query), Some(options))
        }
        fn $by_id(ctx: &mut FnContext<'_>, id: u32, document: $ty, query: &[u8]) -> PgResult<$ret> {
            let config = config(ctx, id)?;
            config.check()?;
            $make(ctx, &config, document, &Query::new(query), None)
        }
        fn $by_id_opt(
            ctx: &mut FnContext<'_>,
            id: u32,
            document: $ty,
            query: &[u8],
            options: &str,
        ) -> PgResult<$ret> {
            let config = config(ctx, id)?;
            config.check()?;
            $make(ctx, &config, document, &Query::new(query), Some(options))
        }
    )*};
}

fn text_headline(
    ctx: &FnContext<'_>,
    config: &Config,
    text: &str,
    query: &Query,
    options: Option<&str>,
) -> PgResult<String> {
    headline(ctx, config, text, query, &Options::given(ctx, options)?)
}

fn jsonb_headline(
    ctx: &FnContext<'_>,
    config: &Config,
    json: &[u8],
    query: &Query,
    options: Option<&str>,
) -> PgResult<std::sync::Arc<[u8]>> {
    let text = json_headline(ctx, config, &jsonb_text(ctx, json)?, query, options)?;
    match types::jsonb::input(&text, ctx.cancel)? {
        Datum::Bytes(document) => Ok(document),
        other => Err(common::internal!("jsonb value expected, got {other:?}")),
    }
}

headlines! {
    ts_headline ts_headline_opt ts_headline_byid ts_headline_byid_opt (&str => String) = text_headline;
    ts_headline_json ts_headline_json_opt ts_headline_json_byid ts_headline_json_byid_opt (&str => String) = json_headline;
    ts_headline_jsonb ts_headline_jsonb_opt ts_headline_jsonb_byid ts_headline_jsonb_byid_opt
        (&[u8] => std::sync::Arc<[u8]>) = jsonb_headline;
}

builtins! {
    ts_headline(ctx, document: text, query: tsquery) -> text;
    ts_headline_opt(ctx, document: text, query: tsquery, options: text) -> text;
    ts_headline_byid(ctx, config: regconfig, document: text, query: tsquery) -> text;
    ts_headline_byid_opt(ctx, config: regconfig, document: text, query: tsquery, options: text) -> text;
    ts_headline_json(ctx, document: json, query: tsquery) -> json;
    ts_headline_json_opt(ctx, document: json, query: tsquery, options: text) -> json;
    ts_headline_json_byid(ctx, config: regconfig, document: json, query: tsquery) -> json;
    ts_headline_json_byid_opt(ctx, config: regconfig, document: json, query: tsquery, options: text) -> json;
    ts_headline_jsonb(ctx, document: jsonb, query: tsquery) -> jsonb;
    ts_headline_jsonb_opt(ctx, document: jsonb, query: tsquery, options: text) -> jsonb;
    ts_headline_jsonb_byid(ctx, config: regconfig, document: jsonb, query: tsquery) -> jsonb;
    ts_headline_jsonb_byid_opt(ctx, config: regconfig, document: jsonb, query: tsquery, options: text) -> jsonb;
}
