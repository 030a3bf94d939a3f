//! Partition bounds: FOR VALUES ... as stored in `pg_class.relpartbound`.

use common::PgResult;
use serde::{Deserialize, Serialize};

use crate::expr::Const;
use crate::serial;

/// How a partitioned table divides its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum PartitionStrategy {
    List,
    Range,
    Hash,
}

impl PartitionStrategy {
    /// `pg_partitioned_table.partstrat`.
    pub fn letter(self) -> u8 {
        match self {
            PartitionStrategy::List => b'l',
            PartitionStrategy::Range => b'r',
            PartitionStrategy::Hash => b'h',
        }
    }

    /// The strategy of a letter.
    pub fn of_letter(letter: u8) -> PartitionStrategy {
        match letter {
            b'l' => PartitionStrategy::List,
            b'h' => PartitionStrategy::Hash,
            _ => PartitionStrategy::Range,
        }
    }

    /// As written in PARTITION BY.
    pub fn word(self) -> &'static str {
        match self {
            PartitionStrategy::List => "LIST",
            PartitionStrategy::Range => "RANGE",
            PartitionStrategy::Hash => "HASH",
        }
    }
}

/// One end of a range in one key column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum RangeDatum {
    MinValue,
    Value(Const),
    MaxValue,
}

/// Which rows a partition takes. Values have the types of the partition key's columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum PartitionBound {
    Default,
    /// IN (...); NULL may be among them.
    List(Vec<Const>),
    /// FROM (inclusive) TO (exclusive).
    Range {
        lower: Vec<RangeDatum>,
        upper: Vec<RangeDatum>,
    },
    Hash {
        modulus: i32,
        remainder: i32,
    },
}

impl PartitionBound {
    /// The stored form.
    pub fn encode(&self) -> PgResult<String> {
        serial::encode(self)
    }

    /// From the stored form.
    pub fn decode(text: &str) -> PgResult<PartitionBound> {
        serial::decode(text)
    }
}
