//! Where the limit is: asks for loads to be measured, is told how they went, and closes in.

/// A search over whole-numbered loads. It knows nothing of servers: whoever asks it measures.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    kind: Kind,
    lower: u32,
    upper: u32,
    next: Option<u32>,
    /// The highest load known to pass, or the best one so far.
    best: Option<u32>,
    /// The lowest load known to fail, or the first one beyond the best.
    beyond: Option<u32>,
    /// A load below the best that is known to score less.
    below: Option<u32>,
    /// What the best load scored, for an optimum.
    best_score: Option<f64>,
}

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The highest load that passes.
    HighestPassing,
    /// The load with the highest score.
    HighestScore,
}

/// How a load went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// Whether every criterion held and every request succeeded.
    pub passed: bool,
    /// What is to be as high as possible; `None` if it was not measured.
    pub score: Option<f64>,
}

impl Search {
    /// A search between `lower` and `upper`, both included, that begins at `start`.
    pub fn new(kind: Kind, lower: u32, upper: u32, start: u32) -> Search {
        let upper = upper.max(lower);
        let next = Some(start.clamp(lower, upper));
        Search { kind, lower, upper, next, best: None, beyond: None, below: None, best_score: None }
    }

    /// The load to measure next; `None` once the answer is known.
    pub fn ask(&self) -> Option<u32> {
        self.next
    }

    /// The answer so far.
    pub fn best(&self) -> Option<u32> {
        self.best
    }

    /// What the best load scored.
    pub fn best_score(&self) -> Option<f64> {
        self.best_score
    }

    /// Takes how the load that was asked for went.
    pub fn tell(&mut self, told: Told) {
        let Some(load) = self.next else { return };
        let better = match self.kind {
            Kind::HighestPassing => told.passed,
            // A load that loses requests is no optimum, whatever its score.
            Kind::HighestScore => {
                told.passed && told.score.is_some_and(|score| self.best_score.is_none_or(|best| score > best))
            }
        };
        match self.best {
            Some(best) if better && load < best => self.beyond = Some(best),
            Some(best) if better => self.below = Some(best),
            Some(best) if load < best => self.below = Some(load),
            _ if better => {}
            _ => self.beyond = Some(load),
        }
        if better {
            self.best = Some(load);
            self.best_score = told.score;
        }
        self.next = match (self.best, self.beyond) {
            // Everything passed so far: twice as much, up to the bound.
            (Some(best), None) if best < self.upper => Some(best.saturating_mul(2).min(self.upper)),
            (Some(best), None) => self.lower_than(best),
            // Nothing passed so far: half as much, down to the bound.
            (None, Some(beyond)) if beyond > self.lower => Some((beyond / 2).max(self.lower)),
            (None, _) => None,
            // In between.
            (Some(best), Some(beyond)) if beyond > best + 1 => Some(best + (beyond - best) / 2),
            (Some(best), Some(_)) => self.lower_than(best),
        };
    }

    /// What to measure below the best load, if that was the first and so nothing below it is known:
    /// the optimum may be there.
    fn lower_than(&self, best: u32) -> Option<u32> {
        let unknown = self.kind == Kind::HighestScore && self.below.is_none() && best > self.lower;
        unknown.then(|| (best / 2).max(self.lower))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Searches a server that passes up to `limit`; returns the answer and the loads that were tried.
    fn searched(limit: u32, lower: u32, upper: u32, start: u32) -> (Option<u32>, Vec<u32>) {
        let mut search = Search::new(Kind::HighestPassing, lower, upper, start);
        let mut tried = Vec::new();
        while let Some(load) = search.ask() {
            tried.push(load);
            search.tell(Told { passed: load <= limit, score: None });
        }
        (search.best(), tried)
    }

    #[test]
    fn it_doubles_until_it_fails_and_halves_the_rest() {
        assert_eq!(searched(13, 1, 65536, 2), (Some(13), vec![2, 4, 8, 16, 12, 14, 13]));
        assert_eq!(searched(0, 1, 65536, 8), (None, vec![8, 4, 2, 1]));
        assert_eq!(searched(100, 1, 10, 4), (Some(10), vec![4, 8, 10]));
    }

    #[test]
    fn an_optimum_is_where_the_score_stops_growing() {
        let mut search = Search::new(Kind::HighestScore, 1, 1000, 1);
        while let Some(load) = search.ask() {
            search.tell(Told { passed: true, score: Some(-(f64::from(load) - 40.0).powi(2)) });
        }
        assert!((32..=48).contains(&search.best().unwrap()), "{:?}", search.best());
    }

    /// A latency is least at the lowest load, wherever the search begins.
    #[test]
    fn an_optimum_may_be_below_the_first_load() {
        for (start, loads) in [(12, vec![12, 24, 18, 15, 13, 6, 9, 7, 3, 4, 1, 2]), (1, vec![1, 2])] {
            let mut search = Search::new(Kind::HighestScore, 1, 1000, start);
            let mut tried = Vec::new();
            while let Some(load) = search.ask() {
                tried.push(load);
                search.tell(Told { passed: true, score: Some(-f64::from(load)) });
            }
            assert_eq!(search.best(), Some(1));
            assert_eq!(tried, loads);
        }
    }

    /// One look below the first load is enough where it is worse there.
    #[test]
    fn a_first_load_that_is_best_stays_so() {
        let mut search = Search::new(Kind::HighestScore, 1, 1000, 12);
        let mut tried = Vec::new();
        while let Some(load) = search.ask().filter(|_| tried.len() < 20) {
            tried.push(load);
            search.tell(Told { passed: true, score: Some(-f64::from(load.abs_diff(12))) });
        }
        assert_eq!((search.best(), &tried[..]), (Some(12), &[12, 24, 18, 15, 13, 6][..]));
    }

    proptest! {
        #[test]
        fn the_highest_passing_load_is_found_in_few_steps(
            limit in 0_u32..70_000,
            lower in 1_u32..50,
            span in 0_u32..65_000,
            start in 0_u32..70_000,
        ) {
            let upper = lower + span;
            let (best, tried) = searched(limit, lower, upper, start);
            prop_assert_eq!(best, (limit >= lower).then_some(limit.min(upper)));
            prop_assert!(tried.iter().all(|load| (lower..=upper).contains(load)));
            prop_assert!(tried.len() <= 36, "{:?}", tried);
        }
    }
}
