//! The binary `millwright`: reads the command line and the configuration, and runs one command.

use std::process::ExitCode;

/// Folding makes and drops small things by the million: a third of a rebuild's processor time went into the allocator of the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    api::cli::run()
}
