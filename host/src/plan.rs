//! Config → stages. It can be looked at without running anything.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::record::StageHeader;

/// The stages of a run, in order, each with its own folder below `folder`.
pub fn stages(config: &Config, folder: &Path) -> Vec<Arc<StageHeader>> {
    let mut uses: HashMap<String, u32> = HashMap::new();
    let loads = config.load.parallel.iter().zip(&config.load.number);
    loads
        .enumerate()
        .map(|(index, (&parallel, &number))| {
            let mut name = format!("parallel_{parallel}_number_{number}");
            let used = uses.entry(name.clone()).or_default();
            *used += 1;
            if *used > 1 {
                name = format!("{name}_{used}");
            }
            Arc::new(StageHeader {
                index,
                folder: folder.join(&name),
                name,
                parallel: Some(parallel),
                rate_rps: config.load.rate_rps,
                number,
                warmup: config.load.warmup.of(number),
            })
        })
        .collect()
}
