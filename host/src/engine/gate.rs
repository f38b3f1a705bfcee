//! Where workers wait for each other between the phases of a stage.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A row of gates that workers pass in order. A gate opens when its keeper has seen all of them
/// arrive, so that nobody is still in the phase before it.
#[derive(Debug)]
pub(super) struct Gates {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    arrived: Vec<usize>,
    open: usize,
}

impl Gates {
    pub(super) fn new(count: usize) -> Gates {
        Gates { state: Mutex::new(State { arrived: vec![0; count], open: 0 }), changed: Condvar::new() }
    }

    /// A worker's part: arrives at a gate and waits until it is open.
    pub(super) fn enter(&self, gate: usize) {
        let mut state = self.lock();
        state.arrived[gate] += 1;
        self.changed.notify_all();
        while state.open <= gate {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The keeper's part: waits until `workers` have arrived at a gate.
    pub(super) fn gather(&self, gate: usize, workers: usize) {
        let mut state = self.lock();
        while state.arrived[gate] < workers {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The keeper's part: opens a gate.
    pub(super) fn open(&self, gate: usize) {
        let mut state = self.lock();
        state.open = gate + 1;
        self.changed.notify_all();
    }

    /// For a worker that gave up: counts as arrived at every gate from this one on.
    pub(super) fn leave(&self, from: usize) {
        let mut state = self.lock();
        for arrived in &mut state.arrived[from..] {
            *arrived += 1;
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
