//! Near misses of column names, for hints.
//!
//! PG: src/backend/parser/parse_relation.c (`updateFuzzyAttrMatchState`), src/backend/utils/adt/levenshtein.c.

use common::AttrNumber;
use nodes::query::RangeTblEntry;

const MAX_FUZZY_DISTANCE: usize = 3;

/// Where a column was found: range table index, query levels outwards, position.
type Place = (usize, usize, usize);

/// Exact and near matches of a column name over the whole range table.
#[derive(Debug)]
pub(crate) struct FuzzyMatches {
    pub exact: Option<Place>,
    pub exact_again: bool,
    pub first: Option<Place>,
    pub second: Option<Place>,
    distance: isize,
}

impl FuzzyMatches {
    pub fn new() -> FuzzyMatches {
        FuzzyMatches {
            exact: None,
            exact_again: false,
            first: None,
            second: None,
            distance: MAX_FUZZY_DISTANCE as isize + 1,
        }
    }

    /// Looks at all columns of an entry.
    pub fn consider(
        &mut self,
        rte: &RangeTblEntry,
        index: usize,
        up: usize,
        relation: Option<&str>,
        name: &str,
        system: Option<AttrNumber>,
    ) {
        let penalty = relation.map_or(0, |r| levenshtein(r, &rte.eref.name, MAX_FUZZY_DISTANCE + 1));
        let mut exact = system.map(|_| 0);
        for (i, column) in rte.eref.columns.iter().enumerate() {
            if rte.columns.get(i).is_some_and(|c| !c.type_ref.oid.is_valid()) {
                continue;
            }
            if &**column == name {
                exact = Some(i);
            }
            self.update(penalty, column, name, (index, up, i));
        }
        if let Some(i) = exact
            && penalty == 0
        {
            if self.exact.is_some() {
                self.exact_again = true;
            } else {
                self.exact = Some((index, up, i));
            }
        }
    }

    fn update(&mut self, penalty: usize, actual: &str, wanted: &str, place: Place) {
        if penalty as isize > self.distance || actual.is_empty() {
            return;
        }
        let limit = (self.distance + 1 - penalty as isize).max(0) as usize;
        let distance = levenshtein(actual, wanted, limit);
        if distance > wanted.len() / 2 {
            return;
        }
        let distance = (distance + penalty) as isize;
        if distance < self.distance {
            self.distance = distance;
            self.first = Some(place);
            self.second = None;
        } else if distance == self.distance {
            if self.second.is_some() {
                self.first = None;
                self.second = None;
                self.distance = distance - 1;
            } else if self.first.is_some() {
                self.second = Some(place);
            } else if self.distance <= MAX_FUZZY_DISTANCE as isize {
                self.first = Some(place);
            }
        }
    }
}

/// Edit distance in characters; anything above `limit` comes out as `limit + 1`.
pub(crate) fn levenshtein(a: &str, b: &str, limit: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()].min(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::levenshtein;

    #[test]
    fn counts_edits() {
        assert_eq!(levenshtein("kitten", "sitting", 9), 3);
        assert_eq!(levenshtein("", "abc", 9), 3);
        assert_eq!(levenshtein("abc", "xyz", 1), 2);
    }
}
