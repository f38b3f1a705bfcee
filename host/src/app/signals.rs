//! Ctrl-C and its like: the first asks for a gentle end, the second for one at once.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::engine::{StopSignal, StopSwitch};
use crate::output::console::Console;

/// Listens for SIGINT and SIGTERM on a thread of its own, until the process ends. The switch is for
/// whoever else may have to end the run.
pub(super) fn listen(console: Console) -> std::io::Result<(Arc<StopSwitch>, StopSignal)> {
    let (switch, stop) = StopSwitch::new();
    let switch = Arc::new(switch);
    let pressed = switch.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                console.print(if pressed.press() {
                    "stopping: requests in flight are finished and everything is written; press Ctrl-C again to give them up"
                } else {
                    "stopping now: requests in flight are given up, and everything is written"
                });
            }
        });
    })?;
    Ok((switch, stop))
}
