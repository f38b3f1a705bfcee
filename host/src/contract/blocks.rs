//! A list that grows without moving what is in it.

/// The size of a block once there is much in the list, in bytes.
const BLOCK_BYTES: usize = 32 << 10;

/// Items in the order in which they came, in blocks.
///
/// A vector that is full moves to twice the room. Replies of one batch grow in step, so that all of their
/// vectors would move in the same moment: at 32 replies of 1 MB each that held up the thread that reads for
/// 25 ms. Here what is full stays where it is, and what is more goes into a block of its own.
#[derive(Debug, Clone)]
pub struct Blocks<T> {
    full: Vec<Vec<T>>,
    last: Vec<T>,
    /// Items in the full blocks.
    before: usize,
}

impl<T> Blocks<T> {
    /// An empty list, which takes no memory.
    pub fn new() -> Blocks<T> {
        Blocks { full: Vec::new(), last: Vec::new(), before: 0 }
    }

    /// How many items there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.before + self.last.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Copy> Blocks<T> {
    /// Appends items.
    #[inline]
    pub fn extend_from_slice(&mut self, items: &[T]) {
        let room = self.last.capacity() - self.last.len();
        let (fitting, rest) = items.split_at(room.min(items.len()));
        self.last.extend_from_slice(fitting);
        if !rest.is_empty() {
            self.begin_block(rest.len());
            self.last.extend_from_slice(rest);
        }
    }

    /// Appends one item.
    #[inline]
    pub fn push(&mut self, item: T) {
        self.extend_from_slice(&[item]);
    }

    /// A block with room for at least so many items, and for twice as many as there are, within bounds.
    #[cold]
    fn begin_block(&mut self, least: usize) {
        let most = BLOCK_BYTES / size_of::<T>().max(1);
        let block = Vec::with_capacity((2 * self.len()).min(most).max(least));
        let full = std::mem::replace(&mut self.last, block);
        self.before += full.len();
        if !full.is_empty() {
            self.full.push(full);
        }
    }

    /// All items in one piece. Where there are several blocks they are copied, so this is not for a thread
    /// that reads.
    pub fn into_vec(self) -> Vec<T> {
        if self.full.is_empty() {
            return self.last;
        }
        let mut all = Vec::with_capacity(self.len());
        // Each is dropped once it is copied.
        for block in self.full.into_iter().chain([self.last]) {
            all.extend_from_slice(&block);
        }
        all
    }
}

impl<T> Default for Blocks<T> {
    fn default() -> Blocks<T> {
        Blocks::new()
    }
}

impl<T: Copy> From<&[T]> for Blocks<T> {
    fn from(items: &[T]) -> Blocks<T> {
        let mut blocks = Blocks::new();
        blocks.extend_from_slice(items);
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_moves_and_blocks_have_a_bounded_size() {
        let mut blocks = Blocks::new();
        blocks.push(0_u8);
        let first = blocks.last.as_ptr();
        for piece in 0..4000 {
            blocks.extend_from_slice(&[piece as u8; 250]);
        }
        assert_eq!(blocks.full[0].as_ptr(), first);
        assert!(blocks.full.iter().all(|block| block.len() == block.capacity()));
        assert!(blocks.full.iter().all(|block| block.capacity() <= BLOCK_BYTES));
        // The blocks grow with the list: a million bytes are not a thousand blocks.
        assert!(blocks.full.len() < 50, "{}", blocks.full.len());
        assert_eq!(blocks.len(), 1_000_001);
    }

    #[test]
    fn what_came_in_one_piece_is_not_copied() {
        let blocks = Blocks::from(&[7_u16; 500][..]);
        let at = blocks.last.as_ptr();
        let all = blocks.into_vec();
        assert_eq!((all.as_ptr(), all.capacity()), (at, 500));
    }

    proptest! {
        #[test]
        fn a_list_is_what_was_appended(pieces in prop::collection::vec(prop::collection::vec(any::<u64>(), 0..9000), 0..12)) {
            let mut blocks = Blocks::new();
            for piece in &pieces {
                blocks.extend_from_slice(piece);
            }
            let all = pieces.concat();
            prop_assert_eq!((blocks.len(), blocks.is_empty()), (all.len(), all.is_empty()));
            prop_assert_eq!(blocks.into_vec(), all);
        }
    }
}
