//! Names a header that cannot be one.

use tickrate_guest::HttpRequest;

use crate::misdeed::{Call, Misdeed};

pub struct HeaderThatIsNone;

impl Misdeed for HeaderThatIsNone {
    fn to_request(&self, _call: &Call, request: &mut HttpRequest) {
        request.headers.push(("not a header".into(), "x".into()));
    }
}
