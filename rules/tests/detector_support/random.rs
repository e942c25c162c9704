//! Seeded chance: the same numbers everywhere.

/// SplitMix64, and what is drawn from it.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, below 1.
    pub fn unit(&mut self) -> f64 {
        (f64::from(u32::try_from(self.next() >> 32).unwrap()) + 0.5) / 4_294_967_296.0
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Between two, evenly by size: 1 to 10 as often as 10 to 100.
    pub fn sized(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// From `low` to `high`, both included.
    pub fn whole(&mut self, low: usize, high: usize) -> usize {
        low + usize::try_from(self.next() % (high - low + 1) as u64).unwrap()
    }

    pub fn chance(&mut self, of: f64) -> bool {
        self.unit() < of
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.whole(0, from.len() - 1)]
    }

    /// A standard bell curve.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Heavier tails than a bell curve's: Student's with four degrees of freedom, of variance 1.
    pub fn heavy(&mut self) -> f64 {
        let square: f64 = (0..4).map(|_| self.normal().powi(2)).sum();
        self.normal() / (square / 4.0).sqrt() / 2f64.sqrt()
    }

    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 60.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0.0);
        while product > limit {
            product *= self.unit();
            count += 1.0;
        }
        count
    }

    /// How many of `count` have what each has with this chance.
    pub fn binomial(&mut self, count: usize, chance: f64) -> f64 {
        let whole = count as f64;
        let (mean, rest) = (whole * chance, whole * (1.0 - chance));
        if mean < 15.0 {
            return self.poisson(mean).min(whole);
        }
        if rest < 15.0 {
            return whole - self.poisson(rest).min(whole);
        }
        let drawn = mean + (mean * (1.0 - chance)).sqrt() * self.normal();
        drawn.round().clamp(0.0, whole)
    }
}
