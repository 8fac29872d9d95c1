//! The binary `millwright`: reads the command line and the configuration, and runs one command.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::cli::run()
}
