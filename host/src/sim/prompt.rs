//! How the tokens of a prompt are counted.
//!
//! The simulator's own rule for counting: a text is split at white space and each word into
//! pieces of four bytes, and every piece is a token. A list of token ids counts its length, a
//! message of a chat four tokens more than its content, and a picture or a sound 64.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};

use serde::Deserialize;
use serde_json::value::RawValue;

/// Tokens in a block of the prefix cache.
pub(super) const BLOCK_TOKENS: u64 = 16;

const MESSAGE_TOKENS: u32 = 4;
const MEDIA_TOKENS: u32 = 64;

/// A prompt's tokens, counted; with a cache also the hash of every full block and what precedes it.
#[derive(Default)]
pub(super) struct PromptTokens {
    count: u64,
    hasher: Option<DefaultHasher>,
    blocks: Vec<u64>,
}

impl PromptTokens {
    /// No tokens yet. `hashed` asks for the hashes of blocks.
    pub fn new(hashed: bool) -> PromptTokens {
        PromptTokens { hasher: hashed.then(DefaultHasher::new), ..PromptTokens::default() }
    }

    /// How many tokens there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The hashes of the full blocks, in order.
    pub fn blocks(&self) -> &[u64] {
        &self.blocks
    }

    /// Appends a token.
    pub fn push(&mut self, token: u32) {
        self.count += 1;
        if let Some(hasher) = &mut self.hasher {
            hasher.write_u32(token);
            if self.count.is_multiple_of(BLOCK_TOKENS) {
                self.blocks.push(hasher.finish());
            }
        }
    }

    /// Appends a text.
    pub fn push_text(&mut self, text: &str) {
        // A prompt of megabytes is counted on the thread that serves everybody.
        if self.hasher.is_none() && text.is_ascii() {
            self.count += pieces_of_ascii(text.as_bytes());
            return;
        }
        for word in text.split_whitespace() {
            for piece in word.as_bytes().chunks(4) {
                let mut token = [0; 4];
                token[..piece.len()].copy_from_slice(piece);
                self.push(u32::from_le_bytes(token));
            }
        }
    }

    /// Appends a message of a chat.
    pub fn push_message(&mut self, message: &ChatMessage) -> Result<(), serde_json::Error> {
        for i in 0..MESSAGE_TOKENS {
            self.push(
                message.role.bytes().fold(i, |token, byte| token.wrapping_mul(31).wrapping_add(byte.into())),
            );
        }
        match message.content {
            None => Ok(()),
            Some(content) => self.push_content(content),
        }
    }

    /// Appends a text, or a list of texts and media.
    pub fn push_content(&mut self, content: &RawValue) -> Result<(), serde_json::Error> {
        if !content.get().starts_with('[') {
            self.push_text(&serde_json::from_str::<Cow<str>>(content.get())?);
            return Ok(());
        }
        for part in serde_json::from_str::<Vec<ContentPart>>(content.get())? {
            match part.text {
                Some(text) => self.push_text(&text),
                None => (0..MEDIA_TOKENS).for_each(|i| self.push(i)),
            }
        }
        Ok(())
    }
}

/// What eight bytes do to the count: for each number of bytes that the last piece has, from 0 to 3 as a full
/// one is over, and each set of white space among them, the pieces that begin and how many bytes the last has.
const STEPS: [[(u8, u8); 256]; 4] = {
    let mut steps = [[(0, 0); 256]; 4];
    let mut begun = 0;
    while begun < 4 {
        let mut spaces = 0;
        while spaces < 256 {
            let (mut pieces, mut bytes, mut at) = (0, begun as u8, 0);
            while at < 8 {
                if spaces >> at & 1 == 1 {
                    bytes = 0;
                } else {
                    pieces += (bytes == 0) as u8;
                    bytes = (bytes + 1) % 4;
                }
                at += 1;
            }
            steps[begun][spaces] = (pieces, bytes);
            spaces += 1;
        }
        begun += 1;
    }
    steps
};

/// How many pieces of up to four bytes the words of an ASCII text have.
fn pieces_of_ascii(text: &[u8]) -> u64 {
    let (eights, rest) = text.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    let (mut pieces, mut begun) = (0, 0);
    for eight in eights.iter().chain([&last]) {
        let (more, bytes) = STEPS[begun][usize::from(white_space(u64::from_le_bytes(*eight)))];
        pieces += u64::from(more);
        begun = usize::from(bytes);
    }
    pieces
}

/// Which of eight ASCII characters are white space: a bit for each, the lowest for the lowest byte.
fn white_space(eight: u64) -> u8 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    // No sum leaves its byte, as no character has the high bit: it tells whether one is at least so large.
    let at_least = |character: u8| eight + EACH * u64::from(0x80 - character);
    let found = (at_least(b'\t') & !at_least(b'\r' + 1)) | (at_least(b' ') & !at_least(b' ' + 1));
    // Brings the high bits of all bytes together in the highest byte.
    (((found >> 7) & EACH).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// A message of a chat.
#[derive(Deserialize)]
pub(super) struct ChatMessage<'a> {
    pub role: String,
    #[serde(borrow)]
    pub content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ContentPart {
    text: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn white_space_is_what_it_is_to_rust() {
        for (character, at) in (0..128).flat_map(|character| (0..8).map(move |at| (character, at))) {
            let eight = (0x7f7f_7f7f_7f7f_7f7f & !(0xff << (8 * at))) | (u64::from(character) << (8 * at));
            let expected = u8::from(char::from(character).is_whitespace()) << at;
            assert_eq!(white_space(eight), expected, "{character:#x} at {at}");
        }
    }

    proptest! {
        #[test]
        fn counting_alone_and_with_hashes_agree(text in "[a-c \t-\r\x1c-\x21]{0,80}|[ -~\u{85}\u{a0}é]{0,40}") {
            let count = |hashed| {
                let mut tokens = PromptTokens::new(hashed);
                tokens.push_text(&text);
                tokens.count()
            };
            prop_assert_eq!(count(false), count(true));
        }
    }

    #[test]
    fn a_block_is_known_by_itself_and_all_before_it() {
        let blocks = |text: &str| {
            let mut tokens = PromptTokens::new(true);
            tokens.push_text(text);
            tokens.blocks
        };
        let one = blocks(&" good".repeat(40));
        let other = blocks(&format!(" time{}", " good".repeat(39)));
        assert_eq!(one.len(), 2);
        assert_eq!(one, blocks(&" good".repeat(47)));
        assert_ne!(one[1], other[1]);
    }
}
