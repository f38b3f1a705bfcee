//! What can be seen of a run while it goes on.
//!
//! ```text
//! events ─Follower→ Board ←snapshot─ progress line · --progress-file · --live · --dashboard · …
//!           Activity ─sampler─┘
//! ```
//!
//! The outputs' thread writes every record on the [`Board`]. Whoever shows something copies what it
//! needs from it when it gets to it, on a thread of its own: one that is slow sees fewer pictures, and
//! holds up nobody.

mod board;
mod follower;
mod picture;
mod series;
mod snapshot;
mod terminal;
mod view;

pub use board::Board;
pub use follower::Follower;
pub use picture::Picture;
pub use series::Point;
pub use snapshot::{ClientProgress, Phase, Snapshot, Spread, StageProgress};
pub use terminal::Live;
