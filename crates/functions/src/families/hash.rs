//! The functions of hash operator classes, with PostgreSQL's values: users see them, and hash partitions depend on them.
//!
//! PG: src/common/hashfn.c, access/hash/hashfunc.c.
//!
//! # How it works
//! Everything comes down to Bob Jenkins' `lookup3` over bytes, or over one 32-bit word, without or with a seed. Integers of
//! different widths hash alike when equal. Compound values combine the hashes of their parts.
//!
//! # Not here
//! Hash joins and aggregates have a faster hash of their own (`types::compare::hash`).

use common::cancel::CancelToken;
use common::{Oid, PgError, PgResult, pg_err};
use types::compare::{interval_span, without_padding};
use types::jsonb::JsonbRef;
use types::{ArrayValue, Datum, MultirangeValue, Numeric, Range, RangeValue, RecordValue, oids};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// A hash without or with a seed: 32 or 64 bits. Who cancels gets another hash, sooner.
#[derive(Clone, Copy)]
enum Form<'a> {
    Plain(&'a CancelToken),
    Seeded(u64, &'a CancelToken),
}

struct State {
    a: u32,
    b: u32,
    c: u32,
}

impl State {
    fn new(len: usize, form: Form<'_>) -> State {
        let start = 0x9e37_79b9_u32.wrapping_add(len as u32).wrapping_add(3_923_095);
        let mut state = State {
            a: start,
            b: start,
            c: start,
        };
        if let Form::Seeded(seed, _) = form
            && seed != 0
        {
            state.a = state.a.wrapping_add((seed >> 32) as u32);
            state.b = state.b.wrapping_add(seed as u32);
            state.mix();
        }
        state
    }

    fn add(&mut self, words: [u32; 3]) {
        self.a = self.a.wrapping_add(words[0]);
        self.b = self.b.wrapping_add(words[1]);
        self.c = self.c.wrapping_add(words[2]);
    }

    fn mix(&mut self) {
        let State { a, b, c } = self;
        for (first, second) in [(4, 6), (16, 19)] {
            *a = a.wrapping_sub(*c) ^ c.rotate_left(first);
            *c = c.wrapping_add(*b);
            *b = b.wrapping_sub(*a) ^ a.rotate_left(second);
            *a = a.wrapping_add(*c);
            *c = c.wrapping_sub(*b) ^ b.rotate_left(if first == 4 { 8 } else { 4 });
            *b = b.wrapping_add(*a);
        }
    }

    /// The low 32 bits are the plain hash; 64 bits come out of the seeded form.
    fn finish(mut self) -> u64 {
        let State { a, b, c } = &mut self;
        *c = (*c ^ *b).wrapping_sub(b.rotate_left(14));
        *a = (*a ^ *c).wrapping_sub(c.rotate_left(11));
        *b = (*b ^ *a).wrapping_sub(a.rotate_left(25));
        *c = (*c ^ *b).wrapping_sub(b.rotate_left(16));
        *a = (*a ^ *c).wrapping_sub(c.rotate_left(4));
        *b = (*b ^ *a).wrapping_sub(a.rotate_left(14));
        *c = (*c ^ *b).wrapping_sub(b.rotate_left(24));
        u64::from(self.b) << 32 | u64::from(self.c)
    }
}

/// Up to four bytes as a little-endian word.
fn word(bytes: &[u8]) -> u32 {
    let mut all = [0; 4];
    all[..bytes.len()].copy_from_slice(bytes);
    u32::from_le_bytes(all)
}

/// Bytes that are mixed in together, and how many of these between two looks at the cancel flag.
const BLOCK: usize = 12;
const BLOCKS_UNCHECKED: usize = 1 << 18;

fn hash_bytes(bytes: &[u8], form: Form<'_>) -> u64 {
    let mut state = State::new(bytes.len(), form);
    let (blocks, rest) = bytes.split_at(bytes.len() - bytes.len() % BLOCK);
    for piece in blocks.chunks(BLOCKS_UNCHECKED * BLOCK) {
        if form.cancel().is_cancelled() {
            break;
        }
        for block in piece.chunks_exact(BLOCK) {
            state.add([word(&block[..4]), word(&block[4..8]), word(&block[8..])]);
            state.mix();
        }
    }
    let part = |from: usize, to: usize| word(&rest[from.min(rest.len())..to.min(rest.len())]);
    // The lowest byte of the third word was for the length once.
    state.add([part(0, 4), part(4, 8), part(8, 11) << 8]);
    form.cut(state.finish())
}

fn hash_u32(value: u32, form: Form<'_>) -> u64 {
    let mut state = State::new(4, form);
    state.add([value, 0, 0]);
    form.cut(state.finish())
}

impl<'a> Form<'a> {
    fn cancel(self) -> &'a CancelToken {
        match self {
            Form::Plain(cancel) | Form::Seeded(_, cancel) => cancel,
        }
    }

    fn cut(self, hash: u64) -> u64 {
        match self {
            Form::Plain(_) => hash & u64::from(u32::MAX),
            Form::Seeded(..) => hash,
        }
    }

    /// What stands for values that are hashed to a constant.
    fn constant(self, plain: u32) -> u64 {
        match self {
            Form::Plain(_) => u64::from(plain),
            Form::Seeded(seed, _) => seed.wrapping_add(plain as i32 as i64 as u64),
        }
    }

    /// `31 * hash + next` in the form's width.
    fn chain(self, hash: u64, next: u64) -> u64 {
        self.cut((hash << 5).wrapping_sub(hash).wrapping_add(next))
    }

    /// One bit to the left, round each 32 bits.
    fn rotate(self, hash: u64) -> u64 {
        match self {
            Form::Plain(_) => u64::from((hash as u32).rotate_left(1)),
            Form::Seeded(..) => {
                u64::from(((hash >> 32) as u32).rotate_left(1)) << 32
                    | u64::from((hash as u32).rotate_left(1))
            }
        }
    }
}

fn hash_i64(value: i64, form: Form<'_>) -> u64 {
    let (low, high) = (value as u32, (value >> 32) as u32);
    hash_u32(low ^ if value >= 0 { high } else { !high }, form)
}

fn hash_f64(value: f64, form: Form<'_>) -> u64 {
    if value == 0.0 {
        return form.constant(0);
    }
    let bits = if value.is_nan() {
        0x7ff8 << 48
    } else {
        value.to_bits()
    };
    hash_bytes(&bits.to_le_bytes(), form)
}

/// Digits in base 10,000 without zeros at the ends, and the weight of the first.
fn hash_number(value: &Numeric, form: Form<'_>) -> u64 {
    if !value.is_finite() {
        return form.constant(0);
    }
    let mut wire = Vec::new();
    types::numeric::send(value, &mut wire);
    let (head, tail) = wire.split_at(wire.len().min(8));
    let mut weight = match head {
        [_, _, high, low, ..] => i16::from_be_bytes([*high, *low]),
        _ => 0,
    };
    let digits: Vec<[u8; 2]> = tail.chunks_exact(2).map(|d| [d[1], d[0]]).collect();
    let leading = digits.iter().take_while(|d| **d == [0, 0]).count();
    let Some(last) = digits.iter().rposition(|d| *d != [0, 0]) else {
        return form.constant(u32::MAX);
    };
    weight = weight.wrapping_sub(leading as i16);
    let hash = hash_bytes(&digits[leading..=last].concat(), form);
    form.cut(hash ^ i64::from(weight) as u64)
}

fn hash_bound_pair(subtype: Oid, range: Option<&Range>, form: Form<'_>) -> PgResult<u64> {
    let Some(range) = range else {
        return Ok(form.rotate(hash_u32(1, form)));
    };
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    let flags = flag(range.lower.inclusive, 2)
        | flag(range.upper.inclusive, 4)
        | flag(range.lower.is_infinite(), 8)
        | flag(range.upper.is_infinite(), 16);
    let part = |value: &Datum| {
        if value.is_null() {
            Ok(0)
        } else {
            hash_value(subtype, value, form)
        }
    };
    let hash = hash_u32(flags, form) ^ part(&range.lower.value)?;
    Ok(form.rotate(hash) ^ part(&range.upper.value)?)
}

#[cold]
fn no_hash_function(type_oid: Oid, form: Form<'_>) -> Box<PgError> {
    let name = match type_oid {
        oids::VARBIT => "bit varying",
        _ => types::builtin::type_row(type_oid).map_or("???", |t| t.typname),
    };
    let what = match form {
        Form::Plain(_) => "a hash function",
        Form::Seeded(..) => "an extended hash function",
    };
    pg_err!(UNDEFINED_FUNCTION, "could not identify {what} for type {name}")
}

/// A hash access method's operator class exists for a built-in type.
fn is_hashable(type_oid: Oid) -> bool {
    const HASH: Oid = Oid(405);
    types::builtin::type_row(type_oid).is_none_or(|t| {
        t.is_array()
            || t.typtype != b'b'
            || matches!(t.oid, oids::VARCHAR | oids::CIDR)
            || crate::facts::default_opclass(HASH, type_oid).is_some()
    })
}

fn hash_value(type_oid: Oid, value: &Datum, form: Form<'_>) -> PgResult<u64> {
    Ok(match value {
        Datum::Null => 0,
        Datum::Array(a) => hash_elements(a, form)?,
        Datum::Record(r) => hash_fields(r, form)?,
        Datum::Range(r) => hash_bound_pair(r.subtype, r.range.as_ref(), form)?,
        Datum::Multirange(m) => hash_ranges(m, form)?,
        _ if !is_hashable(type_oid) => return Err(no_hash_function(type_oid, form)),
        Datum::Bool(v) => hash_u32(u32::from(*v), form),
        Datum::Char(v) => hash_u32(*v as i8 as i32 as u32, form),
        Datum::Int2(v) => hash_u32(i32::from(*v) as u32, form),
        Datum::Int4(v) => hash_u32(*v as u32, form),
        Datum::Int8(v) => hash_i64(*v, form),
        Datum::Oid(v) => hash_u32(*v, form),
        Datum::Float4(v) => hash_f64(f64::from(*v), form),
        Datum::Float8(v) => hash_f64(*v, form),
        Datum::Interval(v) => hash_i64(interval_span(*v) as i64, form),
        Datum::Uuid(v) => hash_bytes(v, form),
        Datum::Numeric(v) => hash_number(v, form),
        Datum::Text(s) if type_oid == oids::BPCHAR => hash_bytes(without_padding(s).as_bytes(), form),
        Datum::Text(s) => hash_bytes(s.as_bytes(), form),
        Datum::Bytes(b) => hash_raw(type_oid, b, form)?,
    })
}

fn hash_raw(type_oid: Oid, bytes: &[u8], form: Form<'_>) -> PgResult<u64> {
    match (type_oid, bytes) {
        (oids::TIMETZ, bytes) => Ok(hash_timetz(bytes, form)),
        (oids::JSONB, bytes) => Ok(hash_jsonb(bytes, form)),
        // Addresses lie in memory as PostgreSQL hashes them.
        (oids::BYTEA | oids::INET | oids::CIDR | oids::MACADDR | oids::MACADDR8, bytes) => {
            Ok(hash_bytes(bytes, form))
        }
        _ => Err(common::unsupported!(
            "hashing of this type is not implemented yet"
        )),
    }
}

fn hash_timetz(bytes: &[u8], form: Form<'_>) -> u64 {
    let (time, zone) = bytes.split_at(bytes.len().min(8));
    let time = time.try_into().map_or(0, i64::from_le_bytes);
    hash_i64(time, form) ^ hash_u32(word(&zone[..zone.len().min(4)]), form)
}

/// What begins a container in a document's hash.
const JSON_ARRAY: u64 = 0x4000_0000;
const JSON_OBJECT: u64 = 0x2000_0000;

fn hash_jsonb(bytes: &[u8], form: Form<'_>) -> u64 {
    match JsonbRef::root(bytes) {
        JsonbRef::Array(a) if a.is_empty() => form.constant(0),
        JsonbRef::Object(o) if o.is_empty() => form.constant(0),
        // A scalar is stored in an array of its own.
        scalar if scalar.is_scalar() => hash_json_value(container_mark(JSON_ARRAY, form), scalar, form),
        other => hash_json_value(0, other, form),
    }
}

fn container_mark(mark: u64, form: Form<'_>) -> u64 {
    match form {
        Form::Plain(_) => mark,
        Form::Seeded(..) => mark << 32 | mark,
    }
}

fn hash_json_value(hash: u64, value: JsonbRef<'_>, form: Form<'_>) -> u64 {
    if form.cancel().is_cancelled() {
        return hash;
    }
    let text = |hash: u64, s: &str| form.rotate(hash) ^ hash_bytes(s.as_bytes(), form);
    match value {
        JsonbRef::Null => form.rotate(hash) ^ form.constant(1),
        JsonbRef::Bool(b) => {
            let own = match form {
                Form::Seeded(seed, _) if seed != 0 => hash_u32(u32::from(b), form),
                _ => {
                    if b {
                        2
                    } else {
                        4
                    }
                }
            };
            form.rotate(hash) ^ own
        }
        JsonbRef::Number(n) => form.rotate(hash) ^ hash_number(&n.value(), form),
        JsonbRef::String(s) => text(hash, s),
        JsonbRef::Array(a) => a.iter().fold(hash ^ container_mark(JSON_ARRAY, form), |h, v| {
            hash_json_value(h, v, form)
        }),
        JsonbRef::Object(o) => o
            .iter()
            .fold(hash ^ container_mark(JSON_OBJECT, form), |h, (k, v)| {
                hash_json_value(text(h, k), v, form)
            }),
    }
}

fn hash_elements(a: &ArrayValue, form: Form<'_>) -> PgResult<u64> {
    a.elements.iter().try_fold(1, |hash, element| {
        form.cancel().check()?;
        Ok(form.chain(hash, hash_value(a.element_type, element, form)?))
    })
}

fn hash_fields(r: &RecordValue, form: Form<'_>) -> PgResult<u64> {
    let fields = r.fields.iter().zip(&r.field_types);
    fields.into_iter().try_fold(0, |hash, (field, type_oid)| {
        Ok(form.chain(hash, hash_value(*type_oid, field, form)?))
    })
}

fn hash_ranges(m: &MultirangeValue, form: Form<'_>) -> PgResult<u64> {
    m.ranges.iter().try_fold(1, |hash, range| {
        form.cancel().check()?;
        Ok(form.chain(hash, hash_bound_pair(m.subtype, Some(range), form)?))
    })
}

/// The seeded hash of a value under its type's default hash operator class, as hash partitioning uses it.
pub fn hash_extended(type_oid: Oid, value: &Datum, seed: u64) -> PgResult<u64> {
    hash_value(type_oid, value, Form::Seeded(seed, CancelToken::never()))
}

/// PostgreSQL's `hash_any`.
pub fn hash_any(bytes: &[u8]) -> u32 {
    hash_bytes(bytes, Form::Plain(CancelToken::never())) as u32
}

/// What `hashfloat8` gives.
pub fn hash_float8(value: f64) -> u32 {
    hash_f64(value, Form::Plain(CancelToken::never())) as u32
}

fn plain(hash: u64) -> i32 {
    hash as u32 as i32
}

/// A tuple id as it lies in a page: upper and lower half of the block, then the line.
fn tid_bytes(tid: i64) -> [u8; 6] {
    let halves = [(tid >> 32) as u16, (tid >> 16) as u16, tid as u16].map(u16::to_le_bytes);
    let [[a, b], [c, d], [e, f]] = halves;
    [a, b, c, d, e, f]
}

/// A pair of functions over one scalar: `name(x) -> int4` and `name_extended(x, seed) -> int8`.
macro_rules! hashes {
    ($($plain:ident, $seeded:ident($v:ident: $ty:ty) = $hash:expr;)*) => {$(
        fn $plain($v: $ty) -> i32 {
            let hash: fn($ty, Form<'_>) -> u64 = $hash;
            plain(hash($v, Form::Plain(CancelToken::never())))
        }
        fn $seeded($v: $ty, seed: i64) -> i64 {
            let hash: fn($ty, Form<'_>) -> u64 = $hash;
            hash($v, Form::Seeded(seed as u64, CancelToken::never())) as i64
        }
    )*};
}

hashes! {
    hashbool, hashboolextended(v: bool) = |v, form| hash_u32(u32::from(v), form);
    hashchar, hashcharextended(v: u8) = |v, form| hash_u32(v as i8 as i32 as u32, form);
    hashint2, hashint2extended(v: i16) = |v, form| hash_u32(i32::from(v) as u32, form);
    hashint4, hashint4extended(v: i32) = |v, form| hash_u32(v as u32, form);
    hashint8, hashint8extended(v: i64) = hash_i64;
    hashoid, hashoidextended(v: u32) = hash_u32;
    hashfloat4, hashfloat4extended(v: f32) = |v, form| hash_f64(f64::from(v), form);
    hashfloat8, hashfloat8extended(v: f64) = hash_f64;
    interval_hash, interval_hash_extended(v: types::Interval) = |v, form| hash_i64(interval_span(v) as i64, form);
    hashtid, hashtidextended(v: i64) = |v, form| hash_bytes(&tid_bytes(v), form);
    uuid_hash, uuid_hash_extended(v: [u8; 16]) = |v, form| hash_bytes(&v, form);
}

/// The same for values that arrive by reference.
macro_rules! reference_hashes {
    ($($plain:ident, $seeded:ident($ty:ty) = $hash:expr;)*) => {$(
        fn $plain(ctx: &mut FnContext<'_>, v: &$ty) -> PgResult<i32> {
            let hash: fn(&$ty, Form<'_>) -> u64 = $hash;
            let hash = hash(v, Form::Plain(ctx.cancel));
            ctx.cancel.check().map(|()| plain(hash))
        }
        fn $seeded(ctx: &mut FnContext<'_>, v: &$ty, seed: i64) -> PgResult<i64> {
            let hash: fn(&$ty, Form<'_>) -> u64 = $hash;
            let hash = hash(v, Form::Seeded(seed as u64, ctx.cancel));
            ctx.cancel.check().map(|()| hash as i64)
        }
    )*};
}

reference_hashes! {
    hashtext, hashtextextended(str) = |v, form| hash_bytes(v.as_bytes(), form);
    hashbpchar, hashbpcharextended(str) = |v, form| hash_bytes(without_padding(v).as_bytes(), form);
    hashbytea, hashbyteaextended([u8]) = hash_bytes;
    jsonb_hash, jsonb_hash_extended([u8]) = hash_jsonb;
    timetz_hash, timetz_hash_extended([u8]) = hash_timetz;
    hash_numeric, hash_numeric_extended(Numeric) = hash_number;
    hashoidvector, hashoidvectorextended(ArrayValue) = |v, form| {
        let bytes = v.elements.iter().filter_map(Datum::as_i64).flat_map(|o| (o as u32).to_le_bytes());
        hash_bytes(&bytes.collect::<Vec<u8>>(), form)
    };
}

/// The same for compound values, which may hold what has no hash function.
macro_rules! compound_hashes {
    ($($plain:ident, $seeded:ident($ty:ty) = $hash:expr;)*) => {$(
        fn $plain(ctx: &mut FnContext<'_>, v: &$ty) -> PgResult<i32> {
            let hash: fn(&$ty, Form<'_>) -> PgResult<u64> = $hash;
            let hash = hash(v, Form::Plain(ctx.cancel))?;
            ctx.cancel.check().map(|()| plain(hash))
        }
        fn $seeded(ctx: &mut FnContext<'_>, v: &$ty, seed: i64) -> PgResult<i64> {
            let hash: fn(&$ty, Form<'_>) -> PgResult<u64> = $hash;
            let hash = hash(v, Form::Seeded(seed as u64, ctx.cancel))?;
            ctx.cancel.check().map(|()| hash as i64)
        }
    )*};
}

compound_hashes! {
    hash_array, hash_array_extended(ArrayValue) = hash_elements;
    hash_record, hash_record_extended(RecordValue) = hash_fields;
    hash_range, hash_range_extended(RangeValue) = |v, form| hash_bound_pair(v.subtype, v.range.as_ref(), form);
    hash_multirange, hash_multirange_extended(MultirangeValue) = hash_ranges;
}

fn hashvarlena(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let bytes = args.first().and_then(Datum::as_bytes).unwrap_or_default();
    let hash = plain(hash_bytes(bytes, Form::Plain(ctx.cancel)));
    ctx.cancel.check().map(|()| Datum::Int4(hash))
}

#[rustfmt::skip]
builtins! {
    hashtid(v: tid) -> int4;
    hashtidextended(v: tid, seed: int8) -> int8;
    hashbool(v: bool) -> int4; hashboolextended(v: bool, seed: int8) -> int8;
    hashchar(v: char) -> int4; hashcharextended(v: char, seed: int8) -> int8;
    hashint2(v: int2) -> int4; hashint2extended(v: int2, seed: int8) -> int8;
    hashint4(v: int4) -> int4; hashint4extended(v: int4, seed: int8) -> int8;
    hashdate = hashint4(v: date) -> int4; hashdateextended = hashint4extended(v: date, seed: int8) -> int8;
    hashint8(v: int8) -> int4; hashint8extended(v: int8, seed: int8) -> int8;
    hashoid(v: oid) -> int4; hashoidextended(v: oid, seed: int8) -> int8;
    hashenum = hashoid(v: anyenum) -> int4; hashenumextended = hashoidextended(v: anyenum, seed: int8) -> int8;
    hashxid = hashoid(v: xid) -> int4; hashxidextended = hashoidextended(v: xid, seed: int8) -> int8;
    hashcid = hashoid(v: cid) -> int4; hashcidextended = hashoidextended(v: cid, seed: int8) -> int8;
    hashxid8 = hashint8(v: xid8) -> int4; hashxid8extended = hashint8extended(v: xid8, seed: int8) -> int8;
    pg_lsn_hash = hashint8(v: pg_lsn) -> int4; pg_lsn_hash_extended = hashint8extended(v: pg_lsn, seed: int8) -> int8;
    time_hash = hashint8(v: time) -> int4; time_hash_extended = hashint8extended(v: time, seed: int8) -> int8;
    timestamp_hash = hashint8(v: timestamp) -> int4; timestamp_hash_extended = hashint8extended(v: timestamp, seed: int8) -> int8;
    timestamptz_hash = hashint8(v: timestamptz) -> int4; timestamptz_hash_extended = hashint8extended(v: timestamptz, seed: int8) -> int8;
    timetz_hash(ctx, v: timetz) -> int4; timetz_hash_extended(ctx, v: timetz, seed: int8) -> int8;
    interval_hash(v: interval) -> int4; interval_hash_extended(v: interval, seed: int8) -> int8;
    uuid_hash(v: uuid) -> int4; uuid_hash_extended(v: uuid, seed: int8) -> int8;
    hashfloat4(v: float4) -> int4; hashfloat4extended(v: float4, seed: int8) -> int8;
    hashfloat8(v: float8) -> int4; hashfloat8extended(v: float8, seed: int8) -> int8;
    hash_numeric(ctx, v: numeric) -> int4; hash_numeric_extended(ctx, v: numeric, seed: int8) -> int8;
    hashtext(ctx, v: text) -> int4; hashtextextended(ctx, v: text, seed: int8) -> int8;
    hashname = hashtext(ctx, v: name) -> int4; hashnameextended = hashtextextended(ctx, v: name, seed: int8) -> int8;
    hashbpchar(ctx, v: bpchar) -> int4; hashbpcharextended(ctx, v: bpchar, seed: int8) -> int8;
    hashbytea(ctx, v: bytea) -> int4; hashbyteaextended(ctx, v: bytea, seed: int8) -> int8;
    hashinet = hashbytea(ctx, v: inet) -> int4; hashinetextended = hashbyteaextended(ctx, v: inet, seed: int8) -> int8;
    hashmacaddr = hashbytea(ctx, v: macaddr) -> int4; hashmacaddrextended = hashbyteaextended(ctx, v: macaddr, seed: int8) -> int8;
    hashmacaddr8 = hashbytea(ctx, v: macaddr8) -> int4; hashmacaddr8extended = hashbyteaextended(ctx, v: macaddr8, seed: int8) -> int8;
    jsonb_hash(ctx, v: jsonb) -> int4; jsonb_hash_extended(ctx, v: jsonb, seed: int8) -> int8;
    hashoidvector(ctx, v: oidvector) -> int4; hashoidvectorextended(ctx, v: oidvector, seed: int8) -> int8;
    hash_array(ctx, v: anyarray) -> int4; hash_array_extended(ctx, v: anyarray, seed: int8) -> int8;
    hash_record(ctx, v: record) -> int4; hash_record_extended(ctx, v: record, seed: int8) -> int8;
    hash_range(ctx, v: anyrange) -> int4; hash_range_extended(ctx, v: anyrange, seed: int8) -> int8;
    hash_multirange(ctx, v: anymultirange) -> int4; hash_multirange_extended(ctx, v: anymultirange, seed: int8) -> int8;
    hashvarlena[general strict](internal) -> int4;
}
