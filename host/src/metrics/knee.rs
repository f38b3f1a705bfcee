//! The knee of a sweep: the load from which on more load costs more than it brings.

use super::{Metric, StageSummary};

/// The position of the stage with the highest power, throughput ÷ mean latency (Kleinrock 1979), in
/// a sweep of at least three stages. `None` if there are fewer, or if power is highest at the first
/// or the last of them, so that the knee is not between the loads that were measured.
pub fn knee(stages: &[StageSummary]) -> Option<usize> {
    let power = |stage: &StageSummary| {
        let latency_s = stage.distribution(Metric::Latency)?.mean();
        (latency_s > 0.0).then_some(stage.request_throughput_rps()? / latency_s)
    };
    let mut order: Vec<(f64, f64, usize)> =
        stages.iter().enumerate().filter_map(|(at, stage)| Some((load(stage)?, power(stage)?, at))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let best = (0..order.len()).max_by(|&a, &b| order[a].1.total_cmp(&order[b].1))?;
    (order.len() >= 3 && best > 0 && best + 1 < order.len()).then(|| order[best].2)
}

/// The load of a stage: requests in flight, or else the arrivals per second that were asked for.
pub fn load(stage: &StageSummary) -> Option<f64> {
    stage.stage.parallel.map(f64::from).or(stage.stage.rate_rps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::StageAccumulator;
    use crate::record::{StageHeader, testing};

    /// A stage of a server that takes ten requests at a time in 100 ms.
    fn stage(parallel: u32) -> StageSummary {
        let header = StageHeader {
            index: 0,
            name: format!("parallel_{parallel}"),
            parallel: Some(parallel),
            rate_rps: None,
            number: 100,
            warmup: 0,
            goodput: Vec::new(),
            conversations: false,
            folder: std::env::temp_dir(),
        };
        let mut figures = StageAccumulator::new(&header);
        let latency_ms = 100.0 * f64::from(parallel.max(10)) / 10.0;
        for index in 0..100 {
            figures.push(&testing::whole(f64::from(index / parallel) * latency_ms, latency_ms));
        }
        figures.finish(&header, None).unwrap()
    }

    #[test]
    fn it_is_where_the_server_is_just_full_whatever_the_order() {
        assert_eq!(knee(&[1, 5, 10, 20, 50].map(stage)), Some(2));
        assert_eq!(knee(&[50, 10, 1].map(stage)), Some(1));
    }

    #[test]
    fn a_knee_at_the_end_of_what_was_measured_is_none() {
        assert_eq!(knee(&[1, 2, 5].map(stage)), None);
        assert_eq!(knee(&[10, 20, 50].map(stage)), None);
        assert_eq!(knee(&[1, 10].map(stage)), None);
    }
}
