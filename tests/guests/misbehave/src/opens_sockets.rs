//! Connects to a server that it was not given: the one at the address in `"how"`.

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

pub struct OpensSockets;

impl Misdeed for OpensSockets {
    fn anywhere(&self, call: &Call) -> Result<(), PluginError> {
        let connected = std::net::TcpStream::connect(call.how);
        connected.map(drop).map_err(|_| PluginError::Internal("no connection".into()))
    }
}
