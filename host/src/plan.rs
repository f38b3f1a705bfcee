//! Config → stages. It can be looked at without running anything.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::record::StageHeader;

/// The stages of a run, in order, each with its own folder below `folder`.
pub fn stages(config: &Config, folder: &Path) -> Vec<Arc<StageHeader>> {
    let mut uses: HashMap<String, u32> = HashMap::new();
    let loads = config.load.stages().into_iter().enumerate();
    loads
        .map(|(index, load)| {
            let used = uses.entry(load.name.clone()).or_default();
            *used += 1;
            let name = if *used > 1 { format!("{}_{used}", load.name) } else { load.name };
            Arc::new(StageHeader {
                index,
                folder: folder.join(&name),
                name,
                parallel: load.parallel,
                rate_rps: load.rate_rps,
                number: load.number,
                warmup: config.load.warmup.of(load.number),
                goodput: config.load.goodput.clone(),
            })
        })
        .collect()
}
