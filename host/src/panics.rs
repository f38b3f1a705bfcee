//! Panics of the decoders of Arrow and Parquet, which trust some numbers in a file. A damaged file must not
//! end the run: what panicked becomes an error like any other.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `decode`. A decoder that has panicked must not be asked again.
///
/// # Errors
/// If it panics: the panic's own words, in one line. Nothing is printed.
pub fn contain<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !is_contained() {
                before(panic);
            }
        }));
    });
    let outer = CONTAINED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(decode));
    CONTAINED.set(outer);
    done.map_err(|panic| words(panic.as_ref()))
}

/// Whether a panic of this thread, as it is now, would be contained.
pub fn is_contained() -> bool {
    CONTAINED.get()
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason is known");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_one_line_and_the_next_call_is_none_the_wiser() {
        let at = 7;
        let told = contain(|| assert_eq!(at, 8, "no\nsuch offset")).unwrap_err();
        assert!(told.contains("no such offset") && told.lines().count() == 1, "{told}");
        assert_eq!(contain(|| panic!("short")), Err::<(), _>("short".into()));
        assert!(!is_contained());
        assert_eq!(contain(is_contained), Ok(true));
    }
}
