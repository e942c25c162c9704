//! How far a value is from where it is expected.
//!
//! Invariant: the score grows with the distance on either side, for every kind; a count's is what
//! chance alone and the measured noise allow together.
//! Failure: none; what lies outside a kind's range is read as its end.

use super::{Band, Kind};

/// The smallest count that is expected of anything.
const LEAST_MEAN: f64 = 0.02;
/// Shares closer to none, or to all, are hardly told apart: a null in a thousand is no news.
const FEW_IN_A_THOUSAND: f64 = 0.005;
/// Halvings until a limit of a band is exact enough.
const HALVINGS: usize = 48;

/// A value as it is compared: multiples become differences, and a share's noise the same everywhere.
pub(super) fn forward(kind: Kind, value: f64) -> f64 {
    match kind {
        Kind::Count => value.max(0.0).ln_1p(),
        Kind::Rate => {
            let share = value.clamp(0.0, 1.0) * (1.0 - 2.0 * FEW_IN_A_THOUSAND) + FEW_IN_A_THOUSAND;
            share.sqrt().asin()
        }
        Kind::Value => value,
    }
}

/// The value that is compared as this.
pub(super) fn back(kind: Kind, compared: f64) -> f64 {
    match kind {
        Kind::Count => compared.max(0.0).exp_m1(),
        Kind::Rate => {
            let share = compared
                .clamp(0.0, std::f64::consts::FRAC_PI_2)
                .sin()
                .powi(2);
            ((share - FEW_IN_A_THOUSAND) / (1.0 - 2.0 * FEW_IN_A_THOUSAND)).clamp(0.0, 1.0)
        }
        Kind::Value => compared,
    }
}

/// What is expected of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expected {
    pub kind: Kind,
    /// The centre, as a value.
    pub mean: f64,
    /// The noise, as it is compared.
    pub sigma: f64,
    /// How much of chance is in a count: 1 when its noise is a Poisson process', less when it is
    /// steadier, more when it comes in clumps.
    pub chance: f64,
}

impl Expected {
    /// How many times the scale a value is off; negative below the centre.
    pub fn score(&self, value: f64) -> f64 {
        if self.kind != Kind::Count {
            let off = forward(self.kind, value) - forward(self.kind, self.mean);
            return off / self.sigma;
        }
        let value = value.max(0.0);
        let chance = deviance(value, self.mean) / self.chance;
        let noise = ((value + 1.0) / (self.mean.max(0.0) + 1.0)).ln().abs() / self.sigma;
        let both = chance.hypot(noise);
        if both == 0.0 {
            return 0.0;
        }
        let score = chance * noise / both;
        if value < self.mean { -score } else { score }
    }

    /// Where the score stays below these limits.
    pub fn band(&self, below: f64, above: f64) -> Band {
        let center = self.mean;
        if self.kind != Kind::Count {
            let at = |score: f64| back(self.kind, forward(self.kind, center) + score * self.sigma);
            return Band {
                center,
                low: at(-below),
                high: at(above),
            };
        }
        let low = if -self.score(0.0) <= below {
            0.0
        } else {
            self.between(0.0, center, -below)
        };
        let mut far = center * 2.0 + 8.0;
        for _ in 0..64 {
            if self.score(far) >= above {
                break;
            }
            far *= 2.0;
        }
        Band {
            center,
            low,
            high: self.between(center, far, above),
        }
    }

    /// The value between two at which the score passes a limit.
    fn between(&self, mut low: f64, mut high: f64, limit: f64) -> f64 {
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.score(middle) < limit {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }
}

/// How unlikely a count is by chance alone, as a distance: the square root of the Poisson deviance.
pub(super) fn deviance(value: f64, mean: f64) -> f64 {
    let mean = mean.max(LEAST_MEAN);
    let surprise = if value > 0.0 {
        value * (value / mean).ln() - (value - mean)
    } else {
        mean
    };
    (2.0 * surprise.max(0.0)).sqrt()
}

/// The least noise that is believed, as it is compared.
pub(super) fn floor(kind: Kind, mean: f64, typical: f64) -> f64 {
    match kind {
        Kind::Count => 0.01,
        Kind::Rate => 0.01,
        Kind::Value => (0.005 * mean.abs()).max(0.005 * typical).max(1e-9),
    }
}

/// The noise that chance alone makes of a count, as a spread of what is compared.
pub(super) fn chance_spread(mean: f64, chance: f64) -> f64 {
    let mean = mean.max(0.0);
    chance * mean.sqrt() / (mean + 1.0)
}

/// The standard deviation of a bell curve that stays within this distance nine times in ten.
pub(super) fn sigma_of_nine_in_ten(distance: f64) -> f64 {
    distance / 1.644_9
}
