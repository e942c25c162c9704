//! Statistics that a few wrong points do not move.
//!
//! Invariant: the same numbers give the same answer in whatever order they come.
//! Failure: of nothing, the answer is none.

/// From the median absolute deviation to the standard deviation of a bell curve.
pub(super) const MAD_TO_SIGMA: f64 = 1.482_6;

/// The middle value; the mean of the two in the middle. Reorders what it is given.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if !even {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp);
    Some(lower.map_or(upper, |lower| f64::midpoint(lower, upper)))
}

/// The median distance from a centre, as a standard deviation. Overwrites what it is given.
pub(super) fn spread(values: &mut [f64], center: f64) -> Option<f64> {
    for value in &mut *values {
        *value = (*value - center).abs();
    }
    median(values).map(|mad| mad * MAD_TO_SIGMA)
}

/// The value that a share of the others is not above. Reorders what it is given.
pub(super) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = (share * last as f64).round().clamp(0.0, last as f64) as usize;
    let (_, found, _) = values.select_nth_unstable_by(place, f64::total_cmp);
    Some(*found)
}

/// The largest value but `rank - 1`. Reorders what it is given.
pub(super) fn largest(values: &mut [f64], rank: usize) -> Option<f64> {
    let place = values.len().checked_sub(rank.max(1))?;
    let (_, found, _) = values.select_nth_unstable_by(place, f64::total_cmp);
    Some(*found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_value_moves_neither_the_middle_nor_the_spread() {
        let calm = [3.0, 1.0, 2.0, 5.0, 4.0];
        let wild = [3.0, 1.0, 2.0, 5_000.0, 4.0];
        for values in [calm, wild] {
            assert_eq!(median(&mut values.clone()), Some(3.0));
            assert_eq!(spread(&mut values.clone(), 3.0), Some(MAD_TO_SIGMA));
        }
        assert_eq!(median(&mut [1.0, 4.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn places_are_counted_from_either_end() {
        let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(quantile(&mut values, 0.0), Some(1.0));
        assert_eq!(quantile(&mut values, 0.75), Some(4.0));
        assert_eq!(largest(&mut values, 1), Some(5.0));
        assert_eq!(largest(&mut values, 3), Some(3.0));
        assert_eq!(largest(&mut values, 6), None);
    }
}
