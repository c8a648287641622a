//! Exponential backoff between attempts.
//!
//! 1. The pause doubles with each failure in a row, between a first and a longest one.
//! 2. Jitter spreads the attempts of a fleet: instances that failed together do not come back
//!    together.
//! 3. The caller waits, on the server's clock; this type only counts.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::verify::crypto::random::random_u32;

/// No jitter.
const EXACT: RangeInclusive<u32> = 100..=100;

/// The pauses between attempts at one thing.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    /// The share of the pause that is waited, in percent.
    percent: RangeInclusive<u32>,
    failures: u32,
}

impl Backoff {
    /// Pauses from `first` to `longest`, without jitter.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            percent: EXACT,
            failures: 0,
        }
    }

    /// The same with jitter: a random share of each pause, in percent.
    #[must_use]
    pub(crate) fn with_jitter(self, percent: RangeInclusive<u32>) -> Self {
        Self { percent, ..self }
    }

    /// Failures since the last success.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure. The pause before the next attempt.
    pub(crate) fn failed(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        let pause = self.first.saturating_mul(factor).min(self.longest);
        jittered(pause, &self.percent)
    }

    /// An attempt succeeded: the next pause is the first one.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random share of a span, in percent.
pub(crate) fn jittered(span: Duration, percent: &RangeInclusive<u32>) -> Duration {
    let (least, most) = (percent.start() * 10, percent.end() * 10);
    let steps = most.saturating_sub(least);
    let share = match steps {
        0 => least,
        steps => least + random_u32() % (steps + 1),
    };
    span.saturating_mul(share) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn backoff_doubles_up_to_the_longest_pause_and_starts_again_after_a_success() {
        let mut backoff = Backoff::new(SECOND, SECOND * 60);
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(backoff.failed(), SECOND * pause);
        }
        for _ in 0..100 {
            assert_eq!(backoff.failed(), SECOND * 60);
        }
        assert_eq!(backoff.failures(), 108);
        backoff.reset();
        assert_eq!((backoff.failures(), backoff.failed()), (0, SECOND));
    }

    #[test]
    fn backoff_jitter_stays_between_its_shares_and_differs() {
        let pauses: Vec<Duration> = (0..100)
            .map(|_| {
                let mut backoff = Backoff::new(SECOND, SECOND).with_jitter(90..=110);
                backoff.failed()
            })
            .collect();
        let (least, most) = (SECOND * 9 / 10, SECOND * 11 / 10);
        assert!(pauses.iter().all(|pause| (least..=most).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }

    #[test]
    fn backoff_of_absurd_spans_overflows_nothing() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX).with_jitter(100..=125);
        assert!(backoff.failed() > SECOND);
        assert_eq!(
            Backoff::new(Duration::ZERO, SECOND).failed(),
            Duration::ZERO
        );
    }
}
