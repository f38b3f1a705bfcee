//! The bindings to `tickrate:plugin@0.1`, and all that knows of them: what the host offers to a
//! plugin, what goes in, what comes out. A later version of the contract gets a folder of its own
//! beside this one.

mod answers;
mod instance;
mod questions;

use std::time::Duration;

pub(super) use instance::{
    ApiExports, ApiInstance, DatasetExports, DatasetInstance, InfoInstance, Opening, Roles,
};

use super::sandbox::Sandbox;
use bindings::tickrate::plugin::host::{File, Host, Level};

/// The version of the contract that these bindings speak.
pub(super) const VERSION: &str = "0.1.0";

/// What `bindgen!` makes of `wit/`.
#[allow(missing_docs, reason = "generated; wit/ has the documentation")]
pub(super) mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "tickrate:plugin/plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
        imports: { default: trappable },
    });
}

/// Time for one question to `info`: it only returns constants.
const INFO: Duration = Duration::from_secs(10);

impl Host for Sandbox {
    fn log(&mut self, level: Level, text: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.log(level, &text);
        Ok(())
    }

    fn count(&mut self, text: String) -> wasmtime::Result<Result<u32, String>> {
        Ok(self.services.tokenizer().and_then(|tokenizer| {
            let count = tokenizer.count(&text)?;
            u32::try_from(count).map_err(|_| "the text has too many tokens".to_owned())
        }))
    }

    fn encode(&mut self, text: String) -> wasmtime::Result<Result<Vec<u32>, String>> {
        Ok(self.services.tokenizer().and_then(|tokenizer| tokenizer.encode(&text)))
    }

    fn decode(&mut self, tokens: Vec<u32>) -> wasmtime::Result<Result<String, String>> {
        Ok(self.services.tokenizer().and_then(|tokenizer| tokenizer.decode(&tokens)))
    }

    fn random(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random())
    }

    fn files(&mut self) -> wasmtime::Result<Result<Vec<File>, String>> {
        let list = self.files.list();
        Ok(list.map(|files| files.into_iter().map(|(name, bytes)| File { name, bytes }).collect()))
    }

    fn read(&mut self, name: String, offset: u64, length: u32) -> wasmtime::Result<Result<Vec<u8>, String>> {
        // More than its memory a plugin cannot take, and the host must not hold more for it.
        let length = length.min(u32::try_from(self.limiter.limit()).unwrap_or(u32::MAX));
        Ok(self.files.read(&name, offset, length))
    }
}
