//! Datums inside stored trees: the self-describing bytes of `tuple::put_datum`, as hexadecimal text.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Datum;
use crate::tuple::{put_datum, take_datum};

impl Serialize for Datum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        put_datum(self, &mut bytes);
        let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
        let text: String = digits
            .filter_map(|d| char::from_digit(u32::from(d), 16))
            .collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Datum, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |c: u8| {
            char::from(c)
                .to_digit(16)
                .ok_or_else(|| D::Error::custom("not a hexadecimal digit"))
        };
        let mut bytes = Vec::with_capacity(text.len() / 2);
        for pair in text.as_bytes().chunks(2) {
            let [high, low] = pair else {
                return Err(D::Error::custom("an odd number of digits"));
            };
            bytes.push((digit(*high)? << 4 | digit(*low)?) as u8);
        }
        take_datum(&mut bytes.as_slice()).map_err(|e| D::Error::custom(e.message))
    }
}
