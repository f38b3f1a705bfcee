//! WASI's first version without anything behind it, for runtimes that will not start without it.
//!
//! Go's runtime asks for the time while tickrate is putting arguments into its memory, when a component may
//! call nothing outside of itself. So these functions are a module within the component: the clock counts how
//! often it was asked, random bytes are all the same, nothing can be read, and what is written goes nowhere.

/// The name of the module that these functions are imported from.
pub(super) const NAME: &str = "wasi_snapshot_preview1";

const I32: u8 = 0x7f;
const I64: u8 = 0x7e;

/// The error "bad file descriptor".
const BAD_FILE: u8 = 8;

// Instructions, with what belongs to each.
const TRAP: &[u8] = &[0x00];
const DONE: &[u8] = &[0x41, 0];
const FAIL: &[u8] = &[0x41, BAD_FILE];
/// Stores 0 where the local variable of this index points to.
const fn zero_at(local: u8) -> [u8; 7] {
    [0x20, local, 0x41, 0, 0x36, 2, 0]
}
/// A microsecond more than the last time, where the third argument points to.
const TICK: &[u8] = &[0x23, 0, 0x42, 0xe8, 0x07, 0x7c, 0x24, 0, 0x20, 2, 0x23, 0, 0x37, 3, 0];
/// Bytes from the first argument on, as many as the second says.
const FILL: &[u8] = &[0x20, 0, 0x41, 42, 0x20, 1, 0xfc, 0x0b, 0];
/// The lengths of the pieces in the second and third argument, added up where the fourth points to.
#[rustfmt::skip]
const ADD_UP: &[u8] = &[
    0x02, 0x40, 0x03, 0x40,             // block, loop
    0x20, 2, 0x45, 0x0d, 1,             // until no piece is left
    0x20, 4, 0x20, 1, 0x28, 2, 4, 0x6a, 0x21, 4, // its length
    0x20, 1, 0x41, 8, 0x6a, 0x21, 1,    // the next piece
    0x20, 2, 0x41, 1, 0x6b, 0x21, 2,    // one less
    0x0c, 0, 0x0b, 0x0b,                // again, end, end
    0x20, 3, 0x20, 4, 0x36, 2, 0,
];

/// A function: its name, its parameters, whether it returns an error number, and what it does.
type Function = (&'static str, &'static [u8], bool, Vec<u8>);

fn functions() -> Vec<Function> {
    let then = |parts: &[&[u8]]| parts.concat();
    let none = then(&[&zero_at(0), &zero_at(1), DONE]);
    vec![
        ("args_get", &[I32, I32], true, DONE.to_vec()),
        ("args_sizes_get", &[I32, I32], true, none.clone()),
        ("environ_get", &[I32, I32], true, DONE.to_vec()),
        ("environ_sizes_get", &[I32, I32], true, none),
        ("clock_time_get", &[I32, I64, I32], true, then(&[TICK, DONE])),
        ("random_get", &[I32, I32], true, then(&[FILL, DONE])),
        ("sched_yield", &[], true, DONE.to_vec()),
        ("poll_oneoff", &[I32, I32, I32, I32], true, then(&[&zero_at(3), DONE])),
        ("proc_exit", &[I32], false, TRAP.to_vec()),
        ("fd_write", &[I32, I32, I32, I32], true, then(&[ADD_UP, DONE])),
        ("fd_read", &[I32, I32, I32, I32], true, FAIL.to_vec()),
        ("fd_close", &[I32], true, DONE.to_vec()),
        ("fd_fdstat_get", &[I32, I32], true, FAIL.to_vec()),
        ("fd_fdstat_set_flags", &[I32, I32], true, DONE.to_vec()),
        ("fd_prestat_get", &[I32, I32], true, FAIL.to_vec()),
        ("fd_prestat_dir_name", &[I32, I32, I32], true, FAIL.to_vec()),
    ]
}

/// The module, which `wit-component` puts between a runtime and the world.
pub(super) fn module() -> Vec<u8> {
    let functions = functions();
    let results = |returns: bool| if returns { vec![1, I32] } else { vec![0] };
    let types = functions.iter().map(|(_, parameters, returns, _)| {
        [vec![0x60], vector(parameters.iter().map(|&kind| vec![kind])), results(*returns)].concat()
    });
    let memory = [name("env"), name("memory"), vec![2, 0, 0]].concat();
    let indices = (0..).take(functions.len());
    let clock = vec![I64, 1, 0x42, 0, 0x0b];
    let exports = functions.iter().zip(indices.clone());
    let exports = exports.map(|((called, ..), index)| [name(called), vec![0], number(index)].concat());
    let bodies = functions.iter().map(|(.., code)| {
        // One more variable, of which only one function has need.
        let body = [&[1, 1, I32], &code[..], &[0x0b]].concat();
        [number(body.len()), body].concat()
    });
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &vector(types)),
        section(2, &vector([memory])),
        section(3, &vector(indices.map(number))),
        section(6, &vector([clock])),
        section(7, &vector(exports)),
        section(10, &vector(bodies)),
    ]
    .concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &number(content.len())[..], content].concat()
}

fn vector(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let items: Vec<Vec<u8>> = items.into_iter().collect();
    [number(items.len()), items.concat()].concat()
}

fn name(text: &str) -> Vec<u8> {
    [number(text.len()), text.as_bytes().to_vec()].concat()
}

/// A number as WebAssembly writes it: seven bits in a byte, the lowest first.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Extern, Instance, Memory, MemoryType, Module, Store};

    use super::*;

    #[test]
    fn the_functions_do_nothing_and_say_so() {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
        let module = Module::new(&engine, module()).unwrap();
        let instance = Instance::new(&mut store, &module, &[Extern::Memory(memory)]).unwrap();
        let clock = instance.get_typed_func::<(i32, i64, i32), i32>(&mut store, "clock_time_get").unwrap();
        for microseconds in [1, 2] {
            assert_eq!(clock.call(&mut store, (1, 0, 64)).unwrap(), 0);
            assert_eq!(memory.data(&store)[64..72], u64::to_le_bytes(microseconds * 1000));
        }
        // Two pieces of 3 and 300 bytes.
        memory.write(&mut store, 0, &[0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 44, 1, 0, 0]).unwrap();
        let write = instance.get_typed_func::<(i32, i32, i32, i32), i32>(&mut store, "fd_write").unwrap();
        assert_eq!(write.call(&mut store, (2, 0, 2, 32)).unwrap(), 0);
        assert_eq!(memory.data(&store)[32..36], [47, 1, 0, 0]);
        let read = instance.get_typed_func::<(i32, i32, i32, i32), i32>(&mut store, "fd_read").unwrap();
        assert_eq!(read.call(&mut store, (0, 0, 0, 0)).unwrap(), 8);
        let random = instance.get_typed_func::<(i32, i32), i32>(&mut store, "random_get").unwrap();
        assert_eq!(random.call(&mut store, (100, 2)).unwrap(), 0);
        assert_eq!(memory.data(&store)[99..103], [0, 42, 42, 0]);
    }
}
