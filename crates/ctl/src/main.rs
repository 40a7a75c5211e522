//! The operator's tool; see the library.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    ctl::run(&ctl::Arguments::parse())
}
