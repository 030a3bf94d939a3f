//! The quicksort of Bentley and McIlroy ("Engineering a Sort Function", 1993), for rows that compare equal to come out in the order in
//! which PostgreSQL's sort leaves them: window functions over ties and queries that order by too little show it.
//!
//! # Invariants
//! - Which elements are compared and exchanged depends on the results of comparisons alone, step by step as the paper has it with the
//!   changes that PostgreSQL's `sort_template.h` documents: an input in order is left alone, pieces below seven are sorted by insertion,
//!   the pivot is the middle, the median of three, or beyond forty elements that of three medians.
//! - The larger piece is sorted by going on, the smaller by recursion: the depth is logarithmic.

use std::cmp::Ordering;

/// Below this, insertion.
const SMALL: usize = 7;
/// Beyond this, the pivot is a median of medians.
const LARGE: usize = 40;

/// Sorts a slice; what compares equal may change places.
pub(crate) fn sort<T>(items: &mut [T], compare: &mut dyn FnMut(&T, &T) -> Ordering) {
    let mut items = items;
    loop {
        let n = items.len();
        if n < 2 || in_order(items, compare) {
            return;
        }
        if n < SMALL {
            return insertion(items, compare);
        }
        let pivot = pivot(items, compare);
        items.swap(0, pivot);
        let (less, greater) = partition(items, compare);
        let (left, rest) = items.split_at_mut(less);
        let middle = rest.len() - greater;
        let (_, right) = rest.split_at_mut(middle);
        let (small, large) = if left.len() <= right.len() {
            (left, right)
        } else {
            (right, left)
        };
        sort(small, compare);
        items = large;
    }
}

fn in_order<T>(items: &[T], compare: &mut dyn FnMut(&T, &T) -> Ordering) -> bool {
    items
        .windows(2)
        .all(|pair| compare(&pair[0], &pair[1]) != Ordering::Greater)
}

fn insertion<T>(items: &mut [T], compare: &mut dyn FnMut(&T, &T) -> Ordering) {
    for next in 1..items.len() {
        let mut at = next;
        while at > 0 && compare(&items[at - 1], &items[at]) == Ordering::Greater {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

fn pivot<T>(items: &[T], compare: &mut dyn FnMut(&T, &T) -> Ordering) -> usize {
    let n = items.len();
    let middle = n / 2;
    if n == SMALL {
        return middle;
    }
    let (mut low, mut mid, mut high) = (0, middle, n - 1);
    if n > LARGE {
        let step = n / 8;
        low = median(items, low, low + step, low + 2 * step, compare);
        mid = median(items, mid - step, mid, mid + step, compare);
        high = median(items, high - 2 * step, high - step, high, compare);
    }
    median(items, low, mid, high, compare)
}

fn median<T>(
    items: &[T],
    a: usize,
    b: usize,
    c: usize,
    compare: &mut dyn FnMut(&T, &T) -> Ordering,
) -> usize {
    if compare(&items[a], &items[b]) == Ordering::Less {
        if compare(&items[b], &items[c]) == Ordering::Less {
            b
        } else if compare(&items[a], &items[c]) == Ordering::Less {
            c
        } else {
            a
        }
    } else if compare(&items[b], &items[c]) == Ordering::Greater {
        b
    } else if compare(&items[a], &items[c]) == Ordering::Less {
        a
    } else {
        c
    }
}

/// Three parts around the pivot in front: how many are less, how many greater. What equals the pivot gathers at both ends first, then
/// goes to the middle.
fn partition<T>(items: &mut [T], compare: &mut dyn FnMut(&T, &T) -> Ordering) -> (usize, usize) {
    let n = items.len();
    // Equal: [0, a) and (d, n). Less: [a, b). Greater: (c, d]. Not looked at: [b, c].
    let (mut a, mut b) = (1, 1);
    let (mut c, mut d) = (n - 1, n - 1);
    loop {
        while b <= c {
            match compare(&items[b], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(a, b);
                    a += 1;
                }
                Ordering::Less => {}
            }
            b += 1;
        }
        // The pivot itself is in front of everything: `c` stops at it at the latest.
        while b <= c {
            match compare(&items[c], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    items.swap(c, d);
                    d -= 1;
                }
                Ordering::Greater => {}
            }
            c -= 1;
        }
        if b > c {
            break;
        }
        items.swap(b, c);
        b += 1;
        c -= 1;
    }
    let (less, greater) = (b - a, d - c);
    let front = a.min(less);
    swap_ranges(items, 0, b - front, front);
    let back = greater.min(n - d - 1);
    swap_ranges(items, b, n - back, back);
    (less, greater)
}

fn swap_ranges<T>(items: &mut [T], from: usize, to: usize, count: usize) {
    for k in 0..count {
        items.swap(from + k, to + k);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random numbers, always the same.
    fn numbers(n: usize, modulus: u32) -> Vec<(u32, usize)> {
        let mut state = 12345_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % modulus
        };
        (0..n).map(|k| (next(), k)).collect()
    }

    #[test]
    fn sorts_whatever_the_size() {
        for n in [0, 1, 2, 6, 7, 8, 40, 41, 100, 1000] {
            for modulus in [1, 2, 10, 1_000_000] {
                let mut items = numbers(n, modulus);
                let mut expected = items.clone();
                sort(&mut items, &mut |a, b| a.0.cmp(&b.0));
                assert!(items.windows(2).all(|p| p[0].0 <= p[1].0));
                items.sort_unstable();
                expected.sort_unstable();
                assert_eq!(items, expected);
            }
        }
    }

    #[test]
    fn ties_stand_as_in_postgresql() {
        // tenk1's first ten by unique1 in table order, sorted by `four`: what the window tests of PostgreSQL show.
        let mut items: Vec<(u32, u32)> = [4, 2, 1, 6, 9, 8, 5, 3, 7, 0]
            .iter()
            .map(|u| (u % 4, *u))
            .collect();
        sort(&mut items, &mut |a, b| a.0.cmp(&b.0));
        let order: Vec<u32> = items.iter().map(|i| i.1).collect();
        assert_eq!(order, [0, 8, 4, 5, 9, 1, 6, 2, 3, 7]);
    }
}
