//! The decoder of replies, for the fuzz target `http_reply`.

use super::decode::{Decoder, Malformed};
use crate::contract::Blocks;

/// What a reply said.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The status, once the head is there.
    pub status: Option<u16>,
    /// As much of the body as came.
    pub body: Vec<u8>,
    /// How many bytes belonged to the reply.
    pub taken: usize,
    /// Whether it is over, and whether the connection may carry another.
    pub done: (bool, bool),
}

/// Decodes a reply that comes in pieces; the fault in one clause where it is none.
pub fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Decoded, String> {
    let (mut decoder, mut body, mut taken) = (Decoder::new(false), Blocks::new(), 0);
    for piece in pieces {
        taken += decoder.push(piece, &mut body).map_err(|Malformed(why)| why)?;
    }
    let status = decoder.head().map(|head| head.status);
    Ok(Decoded { status, body: body.into_vec(), taken, done: (decoder.is_done(), decoder.keeps_alive()) })
}
