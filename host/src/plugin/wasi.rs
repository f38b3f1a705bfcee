//! WASI as plugins get it: the standard one, in which nothing blocks for longer than a call may take,
//! and what is not granted is refused and noted.

use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime::{StoreContextMut, Trap};
use wasmtime_wasi::clocks::WasiClocksView;
use wasmtime_wasi::filesystem::WasiFilesystemView;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types::Descriptor};
use wasmtime_wasi::p2::bindings::io::poll::{Host as _, HostPollable as _};
use wasmtime_wasi::p2::bindings::io::streams::{
    Host as _, HostInputStream as _, HostOutputStream as _, StreamError,
};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{Host as _, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, Network};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi::runtime::in_tokio;
use wasmtime_wasi::sockets::WasiSocketsView;

use super::sandbox::Sandbox;

/// What a host function sees of its instance.
type Caller<'a> = StoreContextMut<'a, Sandbox>;

/// Puts WASI into `linker`.
///
/// # Errors
/// If wasmtime's WASI is not the one that this file knows.
pub(super) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    no_sleep(&mut linker.instance("wasi:clocks/monotonic-clock@0.2.12")?)?;
    bounded_waits(linker)?;
    noted_questions(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A sleep happens in the host, where no epoch can end it. A plugin has nothing to wait for: every
/// sleep is over at once, and a loop of them runs into the time limit.
fn no_sleep(clock: &mut LinkerInstance<'_, Sandbox>) -> wasmtime::Result<()> {
    for function in ["subscribe-duration", "subscribe-instant"] {
        clock.func_wrap(function, |mut store: Caller<'_>, (_,): (u64,)| {
            let pollable: Resource<DynPollable> =
                monotonic_clock::Host::subscribe_duration(&mut store.data_mut().clocks(), 0)?;
            Ok((pollable,))
        })?;
    }
    Ok(())
}

/// Waits for `work`, but not for longer than the call may take.
fn within<T>(left: std::time::Duration, work: impl Future<Output = T>) -> wasmtime::Result<T> {
    in_tokio(async { tokio::time::timeout(left, work).await }).map_err(|_| Trap::Interrupt.into())
}

/// What a stream answered, with its errors as the guest sees them.
fn answer<T>(
    store: &mut Caller<'_>,
    result: Result<T, wasmtime_wasi::p2::StreamError>,
) -> wasmtime::Result<(Result<T, StreamError>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(store.data_mut().table().convert_stream_error(error)?),
    },))
}

/// The functions that wait, each of them within the time of its call.
fn bounded_waits(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    let mut poll = linker.instance("wasi:io/poll@0.2.12")?;
    poll.func_wrap("poll", |mut store: Caller<'_>, (list,): (Vec<Resource<DynPollable>>,)| {
        let left = store.data().time_left();
        Ok((within(left, store.data_mut().table().poll(list))??,))
    })?;
    poll.func_wrap("[method]pollable.block", |mut store: Caller<'_>, (one,): (Resource<DynPollable>,)| {
        let left = store.data().time_left();
        within(left, store.data_mut().table().block(one))?
    })?;
    let mut streams = linker.instance("wasi:io/streams@0.2.12")?;
    streams.func_wrap(
        "[method]input-stream.blocking-read",
        |mut store: Caller<'_>, (stream, length): (Resource<DynInputStream>, u64)| {
            let left = store.data().time_left();
            let read = within(left, store.data_mut().table().blocking_read(stream, length))?;
            answer(&mut store, read)
        },
    )?;
    streams.func_wrap(
        "[method]input-stream.blocking-skip",
        |mut store: Caller<'_>, (stream, length): (Resource<DynInputStream>, u64)| {
            let left = store.data().time_left();
            let skipped = within(left, store.data_mut().table().blocking_skip(stream, length))?;
            answer(&mut store, skipped)
        },
    )?;
    streams.func_wrap(
        "[method]output-stream.blocking-write-and-flush",
        |mut store: Caller<'_>, (stream, bytes): (Resource<DynOutputStream>, Vec<u8>)| {
            let left = store.data().time_left();
            let written = within(left, store.data_mut().table().blocking_write_and_flush(stream, bytes))?;
            answer(&mut store, written)
        },
    )?;
    streams.func_wrap(
        "[method]output-stream.blocking-write-zeroes-and-flush",
        |mut store: Caller<'_>, (stream, length): (Resource<DynOutputStream>, u64)| {
            let left = store.data().time_left();
            let table = store.data_mut().table();
            let written = within(left, table.blocking_write_zeroes_and_flush(stream, length))?;
            answer(&mut store, written)
        },
    )?;
    streams.func_wrap(
        "[method]output-stream.blocking-flush",
        |mut store: Caller<'_>, (stream,): (Resource<DynOutputStream>,)| {
            let left = store.data().time_left();
            let flushed = within(left, store.data_mut().table().blocking_flush(stream))?;
            answer(&mut store, flushed)
        },
    )?;
    streams.func_wrap(
        "[method]output-stream.blocking-splice",
        |mut store: Caller<'_>,
         (to, from, length): (Resource<DynOutputStream>, Resource<DynInputStream>, u64)| {
            let left = store.data().time_left();
            let spliced = within(left, store.data_mut().table().blocking_splice(to, from, length))?;
            answer(&mut store, spliced)
        },
    )
}

/// The questions whose answers depend on what is granted.
fn noted_questions(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    linker.instance("wasi:cli/environment@0.2.12")?.func_wrap(
        "get-environment",
        |mut store: Caller<'_>, (): ()| {
            store.data_mut().looked_for_environment();
            Ok((store.data().environment(),))
        },
    )?;
    linker.instance("wasi:filesystem/preopens@0.2.12")?.func_wrap(
        "get-directories",
        |mut store: Caller<'_>, (): ()| {
            store.data_mut().looked_for_folders();
            let found: Vec<(Resource<Descriptor>, String)> =
                preopens::Host::get_directories(&mut store.data_mut().filesystem())?;
            Ok((found,))
        },
    )?;
    linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?.func_wrap(
        "resolve-addresses",
        |mut store: Caller<'_>, (network, name): (Resource<Network>, String)| {
            let answer: Result<Resource<ResolveAddressStream>, ErrorCode> =
                if store.data_mut().may_resolve(&name) {
                    let asked = store.data_mut().sockets().resolve_addresses(network, name);
                    match asked {
                        Ok(stream) => Ok(stream),
                        Err(error) => Err(error.downcast()?),
                    }
                } else {
                    Err(ErrorCode::AccessDenied)
                };
            Ok((answer,))
        },
    )
}
