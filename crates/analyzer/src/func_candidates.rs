//! Overload resolution shared by functions and operators, and the candidates of a function call.
//!
//! PG: src/backend/parser/parse_func.c (`func_select_candidate`), src/backend/catalog/namespace.c
//! (`FuncnameGetCandidates`).

use std::sync::Arc;

use catalog::FunctionDesc;
use common::{Oid, PgResult};
use types::oids;

use crate::parse_coerce::CoercionContext;
use crate::state::Analyzer;

/// One way to call one function with the given number of arguments.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub func: Arc<FunctionDesc>,
    /// Types per effective argument (call order; then defaulted ones).
    pub args: Vec<Oid>,
    /// How many trailing actual arguments go into the VARIADIC array.
    pub variadic_count: usize,
    /// How many arguments take their default.
    pub default_count: usize,
    /// For named notation: declared position of each call argument, then of each defaulted one.
    pub positions: Option<Vec<usize>>,
    /// Another candidate fits equally well.
    pub ambiguous: bool,
}

/// What a call looks like to the candidate search.
pub(crate) struct CallShape<'s> {
    pub arg_count: usize,
    pub names: &'s [Option<Arc<str>>],
    pub expand_variadic: bool,
    pub include_out: bool,
}

impl Analyzer<'_> {
    /// Every function of the name that could take the call, by argument count and names.
    pub fn function_candidates(
        &self,
        schema: Option<&str>,
        name: &str,
        shape: &CallShape<'_>,
    ) -> PgResult<Vec<Candidate>> {
        let mut out: Vec<Candidate> = Vec::new();
        for func in self.cx.catalog.functions_by_name(schema, name)? {
            let Some(new) = candidate(&func, shape) else {
                continue;
            };
            let new_fixed = new.args.len() - new.default_count;
            let twin = out.iter_mut().find(|c| {
                c.args.len() - c.default_count == new_fixed && c.args[..new_fixed] == new.args[..new_fixed]
            });
            let Some(twin) = twin else {
                out.push(new);
                continue;
            };
            if twin.func.namespace != new.func.namespace {
                continue;
            }
            match (twin.variadic_count > 0, new.variadic_count > 0) {
                (true, false) => *twin = new,
                (false, true) => {}
                _ => twin.ambiguous = true,
            }
        }
        Ok(out)
    }

    /// Candidates that the argument types can be implicitly coerced to.
    pub fn match_argument_types(&self, inputs: &[Oid], candidates: &[Candidate]) -> PgResult<Vec<usize>> {
        let mut out = Vec::new();
        for (i, c) in candidates.iter().enumerate() {
            if self.can_coerce_type(inputs, &c.args[..inputs.len()], CoercionContext::Implicit)? {
                out.push(i);
            }
        }
        Ok(out)
    }

    /// The best of several argument lists that all fit, or `None` when there is no best one.
    pub fn select_candidate(&self, inputs: &[Oid], lists: &[&[Oid]]) -> PgResult<Option<usize>> {
        let mut base = Vec::with_capacity(inputs.len());
        for &t in inputs {
            base.push(if t == oids::UNKNOWN { t } else { self.base_type(t)? });
        }
        let unknown_count = base.iter().filter(|t| **t == oids::UNKNOWN).count();
        let mut alive: Vec<usize> = (0..lists.len()).collect();
        self.keep_best(&mut alive, |i| {
            Ok(base
                .iter()
                .zip(lists[i])
                .filter(|(b, t)| **b != oids::UNKNOWN && b == t)
                .count())
        })?;
        if let [only] = alive.as_slice() {
            return Ok(Some(*only));
        }
        let mut categories = Vec::with_capacity(base.len());
        for &t in &base {
            categories.push(self.ty(t)?.category);
        }
        self.keep_best(&mut alive, |i| {
            let mut count = 0;
            for ((b, t), category) in base.iter().zip(lists[i]).zip(&categories) {
                if *b == oids::UNKNOWN {
                    continue;
                }
                if b == t {
                    count += 1;
                } else {
                    let d = self.ty(*t)?;
                    count += usize::from(d.category == *category && d.preferred);
                }
            }
            Ok(count)
        })?;
        if let [only] = alive.as_slice() {
            return Ok(Some(*only));
        }
        if unknown_count == 0 {
            return Ok(None);
        }
        if let Some(filtered) = self.resolve_unknowns(&base, lists, &alive)? {
            alive = filtered;
            if let [only] = alive.as_slice() {
                return Ok(Some(*only));
            }
        }
        self.assume_known_type(&base, unknown_count, lists, &alive)
    }

    fn keep_best(&self, alive: &mut Vec<usize>, score: impl Fn(usize) -> PgResult<usize>) -> PgResult<()> {
        let mut best = 0;
        let mut kept = Vec::new();
        for &i in alive.iter() {
            let s = score(i)?;
            if kept.is_empty() || s > best {
                best = s;
                kept.clear();
                kept.push(i);
            } else if s == best {
                kept.push(i);
            }
        }
        *alive = kept;
        Ok(())
    }

    /// Decides a category for every unknown argument and keeps the candidates that fit it.
    fn resolve_unknowns(
        &self,
        base: &[Oid],
        lists: &[&[Oid]],
        alive: &[usize],
    ) -> PgResult<Option<Vec<usize>>> {
        let mut wanted: Vec<Option<(u8, bool)>> = vec![None; base.len()];
        for (slot, _) in base.iter().enumerate().filter(|(_, t)| **t == oids::UNKNOWN) {
            let mut conflict = false;
            for &i in alive {
                let d = self.ty(lists[i][slot])?;
                match &mut wanted[slot] {
                    None => wanted[slot] = Some((d.category, d.preferred)),
                    Some((category, preferred)) if *category == d.category => *preferred |= d.preferred,
                    Some(entry) => {
                        if d.category == b'S' {
                            *entry = (d.category, d.preferred);
                        } else {
                            conflict = true;
                        }
                    }
                }
            }
            if conflict && wanted[slot].is_none_or(|w| w.0 != b'S') {
                return Ok(None);
            }
        }
        let mut kept = Vec::new();
        for &i in alive {
            let mut keep = true;
            for (slot, want) in wanted.iter().enumerate() {
                let Some((category, preferred)) = want else {
                    continue;
                };
                let d = self.ty(lists[i][slot])?;
                keep &= d.category == *category && (!preferred || d.preferred);
            }
            if keep {
                kept.push(i);
            }
        }
        Ok((!kept.is_empty()).then_some(kept))
    }

    /// Last resort: if all known arguments have one type, the unknown ones may have it too.
    fn assume_known_type(
        &self,
        base: &[Oid],
        unknown_count: usize,
        lists: &[&[Oid]],
        alive: &[usize],
    ) -> PgResult<Option<usize>> {
        if unknown_count >= base.len() {
            return Ok(None);
        }
        let mut known = base.iter().filter(|t| **t != oids::UNKNOWN);
        let Some(&first) = known.next() else {
            return Ok(None);
        };
        if known.any(|t| *t != first) {
            return Ok(None);
        }
        let assumed = vec![first; base.len()];
        let mut found = None;
        for &i in alive {
            if self.can_coerce_type(&assumed, lists[i], CoercionContext::Implicit)? {
                if found.is_some() {
                    return Ok(None);
                }
                found = Some(i);
            }
        }
        Ok(found)
    }
}

fn candidate(func: &Arc<FunctionDesc>, shape: &CallShape<'_>) -> Option<Candidate> {
    let declared = declared_args(func, shape.include_out);
    let (given, wanted) = (shape.arg_count, declared.len());
    let named = shape.names.iter().any(Option::is_some);
    let has_variadic = func.variadic.is_valid();
    if named && has_variadic && shape.expand_variadic {
        return None;
    }
    let variadic = !named && has_variadic && shape.expand_variadic && wanted <= given;
    let use_defaults = wanted > given;
    if use_defaults && given + func.default_count < wanted {
        return None;
    }
    if given != wanted && !variadic && !use_defaults {
        return None;
    }
    let mut positions = None;
    let mut args: Vec<Oid>;
    if named {
        let map = match_names(func, shape, wanted)?;
        args = map.iter().map(|p| declared[*p]).collect();
        positions = Some(map);
    } else {
        args = declared;
    }
    let mut variadic_count = 0;
    if variadic {
        variadic_count = given + 1 - wanted;
        args.truncate(wanted - 1);
        args.resize(given.max(wanted), func.variadic);
    }
    Some(Candidate {
        func: func.clone(),
        args,
        variadic_count,
        default_count: wanted.saturating_sub(given),
        positions,
        ambiguous: false,
    })
}

/// Declared argument types; CALL counts OUT parameters of procedures too.
fn declared_args(func: &FunctionDesc, include_out: bool) -> Vec<Oid> {
    if !include_out || func.arg_modes.is_empty() {
        return func.arg_types.clone();
    }
    func.all_arg_types
        .iter()
        .zip(&func.arg_modes)
        .filter(|(_, m)| **m != b't')
        .map(|(t, _)| *t)
        .collect()
}

/// Declared position of every call argument and then of every argument left to its default.
fn match_names(func: &FunctionDesc, shape: &CallShape<'_>, wanted: usize) -> Option<Vec<usize>> {
    if func.arg_names.is_empty() {
        return None;
    }
    let input_names: Vec<&str> = (0..func.arg_names.len())
        .filter(|i| {
            func.arg_modes.is_empty()
                || matches!(func.arg_modes.get(*i), Some(b'i' | b'b' | b'v'))
                || (shape.include_out && func.arg_modes.get(*i) == Some(&b'o'))
        })
        .map(|i| &*func.arg_names[i])
        .collect();
    let mut map = Vec::with_capacity(wanted);
    for (i, name) in shape.names.iter().enumerate() {
        let position = match name {
            None => i,
            Some(n) => input_names.iter().position(|x| !x.is_empty() && **x == **n)?,
        };
        if position >= wanted || map.contains(&position) {
            return None;
        }
        map.push(position);
    }
    for position in 0..wanted {
        if !map.contains(&position) {
            if position + func.default_count < wanted {
                return None;
            }
            map.push(position);
        }
    }
    Some(map)
}
