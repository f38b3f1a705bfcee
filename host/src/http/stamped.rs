//! A request body that notes when it was handed to the socket.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::clock::Clock;
use crate::units::Nanos;

/// The moment that a [`StampedBody`] went out; shared with whoever waits for the reply.
#[derive(Debug, Clone)]
pub(super) struct SentStamp(Arc<AtomicI64>);

const NOT_YET: i64 = i64::MIN;

impl SentStamp {
    pub(super) fn get(&self) -> Option<Nanos> {
        let at = self.0.load(Ordering::Acquire);
        (at != NOT_YET).then_some(Nanos(at))
    }
}

/// The HTTP connection asks its body for data once it is open, has encoded the head, and is about
/// to write both. That moment is the one that counts as "sent": waiting for a connection and
/// opening one are behind it, and nothing but the write is ahead.
#[derive(Debug)]
pub(super) struct StampedBody {
    data: Option<Bytes>,
    clock: Clock,
    sent: SentStamp,
}

impl StampedBody {
    pub(super) fn new(data: Bytes, clock: Clock) -> (StampedBody, SentStamp) {
        let sent = SentStamp(Arc::new(AtomicI64::new(NOT_YET)));
        (StampedBody { data: Some(data), clock, sent: sent.clone() }, sent)
    }
}

impl Body for StampedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.take();
        if data.is_some() {
            self.sent.0.store(self.clock.now().0, Ordering::Release);
        }
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, Bytes::len) as u64)
    }
}
