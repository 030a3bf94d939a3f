//! The values of a vector in one of three forms, and in others once somebody asked for them.
//!
//! # Invariants
//! - What is in a form beside the first says the same as the first.
//! - Who changes values changes the first form; the others are gone then.

use std::sync::{Arc, OnceLock};

use common::PgResult;
use common::cancel::CancelToken;

use crate::vector_data::{each, map_each};
use crate::{Compact, Datum, Numeric, PhysType, StringColumn, VectorData};

/// Numbers of type `numeric` that have one scale and fit 64 bits each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decimals {
    /// Digits after the decimal point.
    pub scale: u16,
    /// The numbers times 10^scale.
    pub digits: Vec<i64>,
}

impl Decimals {
    fn general(&self) -> VectorData {
        let number = |&unscaled: &i64| Numeric::Small {
            unscaled,
            scale: self.scale,
        };
        VectorData::Numeric(self.digits.iter().map(number).collect())
    }
}

#[derive(Clone, Debug)]
enum Form {
    /// The values are in `data`, which is empty otherwise.
    General,
    Decimals(Decimals),
    Rest(Arc<Compact>),
}

/// See the head of the file.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    first: Form,
    data: VectorData,
    /// The general form beside another.
    general: OnceLock<VectorData>,
    /// The decimals beside a compact form.
    decimals: OnceLock<Decimals>,
}

impl Values {
    fn of(first: Form) -> Values {
        Values {
            first,
            data: VectorData::Bool(Vec::new()),
            general: OnceLock::new(),
            decimals: OnceLock::new(),
        }
    }

    pub fn general_of(data: VectorData) -> Values {
        Values {
            data,
            ..Values::of(Form::General)
        }
    }

    pub fn decimals_of(decimals: Decimals) -> Values {
        Values::of(Form::Decimals(decimals))
    }

    pub fn rest_of(rest: Arc<Compact>) -> Values {
        Values::of(Form::Rest(rest))
    }

    /// `len` default values.
    pub fn defaults(phys: PhysType, len: usize) -> Values {
        match phys {
            PhysType::Numeric => Values::decimals_of(Decimals {
                scale: 0,
                digits: vec![0; len],
            }),
            _ => Values::general_of(VectorData::defaults(phys, len)),
        }
    }

    pub fn len(&self) -> usize {
        match &self.first {
            Form::General => self.data.len(),
            Form::Decimals(decimals) => decimals.digits.len(),
            Form::Rest(rest) => rest.len(),
        }
    }

    pub fn phys(&self) -> PhysType {
        match &self.first {
            Form::General => self.data.phys(),
            Form::Decimals(_) => PhysType::Numeric,
            Form::Rest(rest) => rest.phys(),
        }
    }

    /// The general form.
    #[inline]
    pub fn general(&self) -> &VectorData {
        match &self.first {
            Form::General => &self.data,
            Form::Decimals(decimals) => self.general.get_or_init(|| decimals.general()),
            Form::Rest(rest) => self.general.get_or_init(|| rest.expand()),
        }
    }

    /// The general form, if nothing need be done for it.
    pub fn ready(&self) -> Option<&VectorData> {
        match &self.first {
            Form::General => Some(&self.data),
            _ => self.general.get(),
        }
    }

    /// The general form for writing.
    #[inline]
    pub fn general_mut(&mut self) -> &mut VectorData {
        if !matches!(self.first, Form::General) {
            self.generalize();
        }
        &mut self.data
    }

    #[cold]
    fn generalize(&mut self) {
        self.general();
        if let Some(data) = self.general.take() {
            self.data = data;
        }
        self.decimals.take();
        self.first = Form::General;
    }

    /// The decimals, if it is a column of such.
    #[inline]
    pub fn decimals(&self) -> Option<&Decimals> {
        match &self.first {
            Form::General => None,
            Form::Decimals(decimals) => Some(decimals),
            Form::Rest(rest) => {
                rest.scale()?;
                Some(self.decimals.get_or_init(|| rest.decimals().unwrap_or_default()))
            }
        }
    }

    /// The scale of the decimals, if it is a column of such.
    pub fn scale(&self) -> Option<u16> {
        match &self.first {
            Form::General => None,
            Form::Decimals(decimals) => Some(decimals.scale),
            Form::Rest(rest) => rest.scale(),
        }
    }

    /// Where decimals of this scale can be appended. Once somebody has asked for the general form it is the first, or a column that grows
    /// and is looked at in turn would be made anew each time.
    pub fn growing(&mut self, scale: u16) -> Option<&mut Vec<i64>> {
        match &mut self.first {
            Form::Decimals(mine)
                if self.general.get().is_none() && (mine.scale == scale || mine.digits.is_empty()) =>
            {
                mine.scale = scale;
                Some(&mut mine.digits)
            }
            _ => None,
        }
    }

    /// The digits of decimals that may grow, whatever their scale.
    pub fn growing_digits(&mut self) -> Option<&mut Vec<i64>> {
        match &mut self.first {
            Form::Decimals(mine) if self.general.get().is_none() => Some(&mut mine.digits),
            _ => None,
        }
    }

    /// The compact form, while nothing else is there.
    pub fn rest(&self) -> Option<&Arc<Compact>> {
        match &self.first {
            Form::Rest(rest) if self.general.get().is_none() => Some(rest),
            _ => None,
        }
    }

    /// The number of each row's word, and the words, in a column of few different strings.
    pub fn dictionary(&self) -> Option<(&[u8], &StringColumn)> {
        match &self.first {
            Form::Rest(rest) => rest.dictionary(),
            _ => None,
        }
    }

    /// The same values without what was made for those who asked; `None` when that is what is here.
    pub fn afresh(&self) -> Option<Values> {
        match &self.first {
            Form::Rest(rest) => Some(Values::rest_of(Arc::clone(rest))),
            _ => None,
        }
    }

    /// A value that is not NULL.
    pub fn datum(&self, i: usize) -> Datum {
        match (&self.first, self.ready()) {
            (Form::Decimals(decimals), _) => Datum::Numeric(Numeric::Small {
                unscaled: decimals.digits[i],
                scale: decimals.scale,
            }),
            (_, Some(data)) => data.datum(i),
            (Form::Rest(rest), None) => rest.datum(i),
            _ => self.general().datum(i),
        }
    }

    /// Value `i`, which is a long string.
    pub fn long_datum(&self, i: usize, cancel: &CancelToken) -> PgResult<Datum> {
        match self.ready() {
            Some(VectorData::Text(s)) => s.long_text(i, cancel).map(Datum::Text),
            Some(VectorData::Bytes(s)) => s.long_bytes(i, cancel).map(Datum::Bytes),
            _ => Ok(self.datum(i)),
        }
    }

    /// An integer of class `Int2`, `Int4` or `Int8`.
    #[inline]
    pub fn integer(&self, i: usize) -> Option<i64> {
        match self.ready() {
            Some(VectorData::Int2(d)) => Some(i64::from(d[i])),
            Some(VectorData::Int4(d)) => Some(i64::from(d[i])),
            Some(VectorData::Int8(d)) => Some(d[i]),
            Some(_) => None,
            None => self.rest().and_then(|rest| rest.integer(i)),
        }
    }

    /// The digits of a number and its scale, in a column of decimals.
    #[inline]
    pub fn decimal(&self, i: usize) -> Option<(i64, u16)> {
        match &self.first {
            Form::Decimals(d) => Some((d.digits[i], d.scale)),
            Form::Rest(rest) => rest.decimal(i),
            Form::General => None,
        }
    }

    /// The bytes of a string.
    #[inline]
    pub fn bytes(&self, i: usize) -> Option<&[u8]> {
        match self.ready() {
            Some(VectorData::Text(s) | VectorData::Bytes(s)) => Some(s.bytes(i)),
            Some(_) => None,
            None => self.rest().and_then(|rest| rest.bytes(i)),
        }
    }

    /// Those at positions.
    pub fn take(&self, p: impl Iterator<Item = usize> + Clone) -> Values {
        if let Form::Decimals(Decimals { scale, digits }) = &self.first {
            return Values::decimals_of(Decimals {
                scale: *scale,
                digits: p.map(|i| digits[i]).collect(),
            });
        }
        if let Some(rest) = self.rest() {
            return match rest.some_decimals(p.clone()) {
                Some(decimals) => Values::decimals_of(decimals),
                None => Values::general_of(rest.take(p)),
            };
        }
        Values::general_of(
            map_each!(self.general(), v => p.map(|i| v[i].clone()).collect(), s => s.gather(p)),
        )
    }

    pub fn truncate(&mut self, len: usize) {
        match &mut self.first {
            Form::Decimals(decimals) if self.general.get().is_none() => decimals.digits.truncate(len),
            _ => each!(self.general_mut(), v => v.truncate(len), s => s.truncate(len)),
        }
    }

    pub fn push_default(&mut self) {
        match &mut self.first {
            Form::Decimals(decimals) if self.general.get().is_none() => decimals.digits.push(0),
            _ => self.general_mut().push_default(),
        }
    }

    pub fn memory_bytes(&self) -> usize {
        let general = |data: &VectorData| match data {
            VectorData::Text(s) | VectorData::Bytes(s) => s.memory_bytes(),
            data => data.len() * data.phys().fixed_width(),
        };
        let first = match &self.first {
            Form::General => general(&self.data),
            Form::Decimals(decimals) => decimals.digits.len() * size_of::<i64>(),
            Form::Rest(rest) => rest.memory_bytes(),
        };
        first
            + self.general.get().map_or(0, general)
            + self
                .decimals
                .get()
                .map_or(0, |d| d.digits.len() * size_of::<i64>())
    }
}
