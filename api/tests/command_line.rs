//! The command line: what it prints, and with which status it ends.

#![allow(clippy::unwrap_used, reason = "a check that cannot read what it checks must fail")]

use std::process::{Command, Output};

/// Runs the binary in an empty folder, without configuration from this process's environment.
fn millwright(arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_millwright"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MILLWRIGHT_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(dir.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_names_every_command() {
    let output = millwright(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for command in ["serve", "demo", "import", "verify", "replay", "rebuild", "openapi", "config"] {
        assert!(help.contains(command), "{command} is not in the help:\n{help}");
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    let cases: [(&[&str], &str); 5] = [
        (&[], "Usage"),
        (&["serve", "--listen", "nowhere"], "nowhere"),
        (&["demo", "--for", "a while"], "a while"),
        (&["import", "file.csv"], "--mapping"),
        (&["serve", "--config", "missing.toml"], "missing.toml"),
    ];
    for (arguments, expected) in cases {
        let output = millwright(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = text(&output.stderr);
        assert!(error.contains(expected), "{arguments:?} does not name {expected}:\n{error}");
    }
}

#[test]
fn what_fails_ends_with_1_and_names_it() {
    let cases: [(&[&str], &str); 5] = [
        (&["import", "--mapping", "missing.toml", "file.csv"], "missing.toml"),
        (&["verify", "--data-dir", "nothing-here"], "nothing-here"),
        (&["verify", "--vkey", "no-key-and-no-file"], "no-key-and-no-file"),
        (&["verify", "--since", "no-checkpoint"], "no-checkpoint"),
        (&["replay", "--to", "4711"], "4711"),
    ];
    for (arguments, expected) in cases {
        let output = millwright(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let error = text(&output.stderr);
        assert!(error.contains(expected), "{arguments:?} does not name {expected}:\n{error}");
    }
}

#[test]
fn the_openapi_document_is_3_1_and_describes_every_operation() {
    let output = millwright(&["openapi"]);
    assert_eq!(output.status.code(), Some(0));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let said = operation["summary"].as_str().or(operation["description"].as_str()).unwrap_or_default();
            assert!(!said.is_empty(), "{method} {path} says nothing");
            described += 1;
        }
    }
    assert!(described > 40, "only {described} operations");
}
