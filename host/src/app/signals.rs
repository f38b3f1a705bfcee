//! Ctrl-C and its like: the first asks for a gentle end, the second for one at once.

use tokio::signal::unix::{SignalKind, signal};

use crate::engine::{StopSignal, StopSwitch};
use crate::output::console::Console;

/// Listens for SIGINT and SIGTERM on a thread of its own, until the process ends.
pub(super) fn listen(console: Console) -> std::io::Result<StopSignal> {
    let (switch, stop) = StopSwitch::new();
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
                console.print(if switch.press() {
                    "stopping: requests in flight are finished and everything is written; press Ctrl-C again to give them up"
                } else {
                    "stopping now: requests in flight are given up, and everything is written"
                });
            }
        });
    })?;
    Ok(stop)
}
