//! Printing that ends quietly with its reader.
//!
//! `ambit status | head` must not panic when head has seen enough, and the signal that would end the program instead
//! (SIGPIPE) stays ignored, as Rust leaves it: it would also end a command whose daemon goes away in the middle of a
//! request. So a reader that is gone is noticed here. These macros take the place of the standard ones in this room.

use std::{
    fmt::Arguments,
    io::{ErrorKind, Write},
};

/// What a shell reports for a program that SIGPIPE ended.
const READER_GONE: i32 = 141;

macro_rules! print {
    ($($text:tt)*) => { $crate::output::to_stdout(format_args!($($text)*), "") };
}

macro_rules! println {
    () => { $crate::output::to_stdout(format_args!(""), "\n") };
    ($($text:tt)*) => { $crate::output::to_stdout(format_args!($($text)*), "\n") };
}

macro_rules! eprint {
    ($($text:tt)*) => { $crate::output::to_stderr(format_args!($($text)*), "") };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::output::to_stderr(format_args!($($text)*), "\n") };
}

pub(crate) fn to_stdout(text: Arguments<'_>, end: &str) {
    let mut out = std::io::stdout().lock();
    let Err(error) = out.write_fmt(text).and_then(|()| out.write_all(end.as_bytes())).and_then(|()| out.flush()) else {
        return;
    };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(READER_GONE);
    }
    to_stderr(format_args!("error: what was to be printed could not be written: {error}"), "\n");
    std::process::exit(1);
}

/// Where not even that can be read, there is nobody to tell.
pub(crate) fn to_stderr(text: Arguments<'_>, end: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_fmt(text).and_then(|()| out.write_all(end.as_bytes()));
}
