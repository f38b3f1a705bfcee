//! Everything that one drawing of a run needs.

use serde::Serialize;

use super::{Board, Point, Snapshot, StageProgress};

/// What stands on a board, copied when somebody is about to draw it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Picture {
    /// The run as it is now.
    pub snapshot: Snapshot,
    /// The last minutes of the stage, second by second.
    pub series: Vec<Point>,
    /// The stages that are over.
    pub finished: Vec<StageProgress>,
    /// What the user was warned of.
    pub warnings: Vec<String>,
}

impl Picture {
    /// The picture of what stands on `board` now.
    pub fn of(board: &Board) -> Picture {
        Picture {
            snapshot: board.snapshot(),
            series: board.series(),
            finished: board.finished(),
            warnings: board.warnings(),
        }
    }
}
