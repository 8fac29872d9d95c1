//! What each command of the command line does.

pub mod backup;
pub mod demo;
pub mod erase;
pub mod gc;
pub mod import;
pub mod model;
pub mod package;
pub mod rebuild;
pub mod replay;
pub mod seal;
pub mod serve;
pub mod verify;

use serde::Serialize;

use crate::cli::Output;
use crate::config::Config;

/// Prints a result.
///
/// # Errors
/// When it cannot be written as JSON.
#[expect(clippy::print_stdout, reason = "the result of a command goes to standard out")]
pub fn print<T: Serialize>(output: Output, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
    match output {
        Output::Json => println!("{}", serde_json::to_string_pretty(value)?),
        Output::Text => println!("{}", text(value)),
    }
    Ok(())
}

/// `millwright openapi`.
///
/// # Errors
/// When the document cannot be written.
pub fn openapi() -> anyhow::Result<()> {
    let (_, document) = crate::routes::all();
    print(Output::Text, &(), |()| document.to_pretty_json().unwrap_or_default())
}

/// `millwright config`: secrets are not shown.
///
/// # Errors
/// Never: the signature is that of a command.
pub fn config(config: &Config) -> anyhow::Result<()> {
    let mut shown = config.clone();
    shown.surreal.password = shown.surreal.password.map(|_| "(set)".to_owned());
    for mqtt in &mut shown.mqtt {
        mqtt.password = mqtt.password.take().map(|_| "(set)".to_owned());
    }
    for opcua in &mut shown.opcua {
        opcua.password = opcua.password.take().map(|_| "(set)".to_owned());
    }
    for password in [
        shown.notice_email.as_mut().map(|email| &mut email.password),
        shown.notice_mqtt.as_mut().map(|mqtt| &mut mqtt.password),
    ]
    .into_iter()
    .flatten()
    {
        *password = password.take().map(|_| "(set)".to_owned());
    }
    print(Output::Text, &(), |()| format!("{shown:#?}"))
}
