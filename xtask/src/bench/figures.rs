//! Latencies and what is made of them: percentiles, medians, spreads.
//!
//! Invariant: percentiles are of single requests; medians and spreads are of slices.
//! Failure: none; without values there are zeroes.

use std::time::Duration;

/// Latencies of one slice.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Adds one.
    pub fn add(&mut self, latency: Duration) {
        self.0
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds those of another connection.
    pub fn join(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Milliseconds below which `share` (0 to 1) of them are.
    pub fn percentile(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let at = (share * self.0.len() as f64).ceil() as usize;
        f64::from(
            self.0
                .get(at.saturating_sub(1).min(last))
                .copied()
                .unwrap_or(0),
        ) / 1000.0
    }
}

/// One value per slice.
#[derive(Clone, Debug, Default)]
pub struct Slices(pub Vec<f64>);

impl Slices {
    /// Adds one.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        match sorted.len() {
            0 => 0.0,
            count if count % 2 == 1 => sorted[count / 2],
            count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
        }
    }

    /// The smallest and the largest.
    pub fn range(&self) -> (f64, f64) {
        let low = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if self.0.is_empty() {
            (0.0, 0.0)
        } else {
            (low, high)
        }
    }

    /// This less another, slice by slice.
    pub fn less(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a - b).collect())
    }

    /// This over another, slice by slice: neighbours in time see the same noise.
    pub fn over(&self, other: &Self) -> Self {
        Self(
            self.0
                .iter()
                .zip(&other.0)
                .filter(|(_, o)| **o > 0.0)
                .map(|(a, b)| a / b)
                .collect(),
        )
    }
}

/// What came of a slice: per second, milliseconds, CPU-µs per scan.
pub struct Figures {
    rate: f64,
    p50: f64,
    p95: f64,
    p99: f64,
    cpu: f64,
}

impl Figures {
    /// Of so many scans, sent by requests with these latencies.
    pub fn of(latencies: &mut Latencies, scans: usize, took: Duration, cpu: Duration) -> Self {
        Self {
            rate: scans as f64 / took.as_secs_f64().max(1e-9),
            p50: latencies.percentile(0.5),
            p95: latencies.percentile(0.95),
            p99: latencies.percentile(0.99),
            cpu: cpu.as_secs_f64() * 1e6 / scans.max(1) as f64,
        }
    }
}

/// The same for all slices of a side.
#[derive(Debug, Default)]
pub struct Series {
    /// Scans a second.
    pub rate: Slices,
    /// Milliseconds.
    pub p50: Slices,
    /// Milliseconds.
    pub p95: Slices,
    /// Milliseconds.
    pub p99: Slices,
    /// CPU-µs per scan.
    pub cpu: Slices,
}

impl Series {
    /// Adds a slice.
    pub fn add(&mut self, figures: Figures) {
        self.rate.add(figures.rate);
        self.p50.add(figures.p50);
        self.p95.add(figures.p95);
        self.p99.add(figures.p99);
        self.cpu.add(figures.cpu);
    }

    /// `p50 / p95 / p99`.
    pub fn latencies(&self) -> String {
        let [p50, p95, p99] = [&self.p50, &self.p95, &self.p99].map(|slices| ms(slices.median()));
        format!("{p50} / {p95} / {p99}")
    }
}

/// `0.93 (0.88–1.01)`: median and range.
pub fn ratio(slices: &Slices) -> String {
    let (low, high) = slices.range();
    format!("{:.2} ({low:.2}–{high:.2})", slices.median())
}

/// A number of events, with thousands apart.
pub fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Milliseconds, with as many decimals as they deserve.
pub fn ms(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(0.99), 0.0);
        for ms in (1..=100).rev() {
            latencies.add(Duration::from_millis(ms));
        }
        assert_eq!(latencies.percentile(0.5), 50.0);
        assert_eq!(latencies.percentile(0.99), 99.0);
        assert_eq!(latencies.percentile(1.0), 100.0);
    }

    #[test]
    fn slices_are_compared_pair_by_pair() {
        let (ours, theirs) = (Slices(vec![2.0, 9.0, 4.0]), Slices(vec![1.0, 3.0, 4.0]));
        let over = ours.over(&theirs);
        assert_eq!((over.median(), over.range()), (2.0, (1.0, 3.0)));
        assert_eq!(ratio(&over), "2.00 (1.00–3.00)");
        assert_eq!(ours.less(&theirs).0, [1.0, 6.0, 0.0]);
        assert_eq!(Slices(vec![1.0, 2.0]).median(), 1.5);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            (whole(1234567.0), whole(999.4)),
            ("1,234,567".to_owned(), "999".to_owned())
        );
        assert_eq!((ms(3.1278), ms(25.4)), ("3.1".to_owned(), "25".to_owned()));
    }
}
