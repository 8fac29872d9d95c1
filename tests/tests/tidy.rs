//! The structure of the project as tests: which crate may know which, and what no file may hold.

#![allow(clippy::unwrap_used, reason = "a check that cannot read what it checks must fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tests::workspace;

/// Each crate, and the crates of ours that it may know. What is not listed is forbidden.
const ARROWS: [(&str, &[&str]); 20] = [
    ("domain", &[]),
    ("eventlog", &[]),
    ("eventlog/eventually", &["eventlog"]),
    ("projections", &["domain", "eventlog"]),
    ("connectors", &["domain", "eventlog", "projections"]),
    ("knowledge/retrieval", &[]),
    ("knowledge/embedding", &["retrieval"]),
    ("knowledge/eval", &["retrieval", "embedding"]),
    ("knowledge/packages", &["domain", "eventlog"]),
    ("knowledge/precursors", &["domain", "eventlog", "projections"]),
    ("knowledge/notices", &["domain", "eventlog", "projections"]),
    ("knowledge", &["domain", "eventlog", "projections", "retrieval"]),
    ("registry/tracking", &["domain", "eventlog", "projections"]),
    ("registry/datasets", &["domain", "eventlog", "projections"]),
    ("registry/webhooks", &["domain", "eventlog", "projections"]),
    ("registry/exchange", &[]),
    ("registry", &["domain", "eventlog", "projections", "tracking", "datasets"]),
    ("simulator", &["domain", "eventlog", "projections", "connectors"]),
    (
        "api",
        &[
            "domain",
            "eventlog",
            "projections",
            "connectors",
            "knowledge",
            "embedding",
            "registry",
            "tracking",
            "datasets",
            "webhooks",
            "exchange",
            "packages",
            "precursors",
            "notices",
            "simulator",
        ],
    ),
    ("tests", &["domain", "eventlog", "projections", "connectors", "knowledge", "registry", "simulator", "api"]),
];

/// Libraries that exactly one crate names. `object_store` is not among them: artifacts (registry) and segments (eventlog) both live in buckets; nor is
/// candle, which runs the models of the registry and makes vectors of texts.
const HEAVY: [(&str, &str); 12] = [
    ("surrealdb", "knowledge"),
    ("tantivy", "knowledge/retrieval"),
    ("jieba-rs", "knowledge/retrieval"),
    ("candle-transformers", "knowledge/embedding"),
    ("lettre", "knowledge/notices"),
    ("rumqttc", "connectors"),
    ("async-opcua", "connectors"),
    ("rumqttd", "simulator"),
    ("axum", "api"),
    ("eventually-core", "eventlog/eventually"),
    ("parquet", "registry/datasets"),
    ("arrow-array", "registry/datasets"),
];

fn manifest(folder: &str) -> toml::Table {
    let path = workspace().join(folder).join("Cargo.toml");
    std::fs::read_to_string(&path).unwrap().parse().unwrap()
}

fn dependencies(folder: &str, sections: &[&str]) -> BTreeSet<String> {
    let manifest = manifest(folder);
    sections
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut compared = 0;
    for (folder, allowed) in ARROWS {
        let named = dependencies(folder, &["dependencies"]);
        // A crate within a folder of another one is named by its last part.
        for other in
            ours.iter().map(|other| other.rsplit('/').next().unwrap_or(other)).filter(|other| named.contains(*other))
        {
            assert!(allowed.contains(&other), "{folder} must not know {other}");
        }
        compared += 1;
    }
    assert_eq!(compared, ours.len());
}

#[test]
fn every_crate_of_the_workspace_has_its_arrows_listed() {
    let members: BTreeSet<String> = manifest("").get("workspace").unwrap()["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member.as_str().unwrap().to_owned())
        .collect();
    let listed: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(members, listed);
}

#[test]
fn each_heavy_library_is_named_once() {
    for (library, owner) in HEAVY {
        let users: Vec<&str> = ARROWS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| dependencies(name, &["dependencies", "dev-dependencies"]).contains(library))
            .collect();
        assert_eq!(users, [owner], "{library}");
    }
}

#[test]
fn one_version_of_the_runtime_is_built() {
    let lock: toml::Table = std::fs::read_to_string(workspace().join("Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let versions = |name: &str| -> Vec<&str> {
        let named = packages.iter().filter(|package| package["name"].as_str() == Some(name));
        named.map(|package| package["version"].as_str().unwrap()).collect()
    };
    let runtime = versions("tokio");
    assert!(matches!(runtime[..], [version] if version.starts_with("1.")), "{runtime:?}");
    // The part of the crate eventually that would bring tokio 0.2.
    assert!(versions("eventually-util").is_empty());
    assert_eq!(versions("eventually-core"), ["0.4.0"]);
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let mut compared = 0;
    for folder in std::iter::once("").chain(ARROWS.iter().map(|(name, _)| *name)) {
        let text = std::fs::read_to_string(workspace().join(folder).join("Cargo.toml")).unwrap();
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with('[') {
                inside = line.contains("dependencies");
            } else if inside && line.contains('=') && !line.contains("workspace = true") && !line.contains("path =") {
                assert!(line.contains(" # "), "no reason given in {folder}/Cargo.toml: {line}");
                compared += 1;
            }
        }
    }
    assert!(compared > 30, "only {compared} dependencies were seen");
}

fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for (folder, _) in ARROWS {
        collect(&workspace().join(folder), &mut found);
    }
    assert!(found.len() > 50, "only {} sources were seen", found.len());
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path.clone(), std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_crate_says_what_it_is() {
    for (folder, _) in ARROWS {
        let source = workspace().join(folder).join("src");
        let text = std::fs::read_to_string(source.join("lib.rs"))
            .or_else(|_| std::fs::read_to_string(source.join("main.rs")))
            .unwrap();
        assert!(text.starts_with("//! "), "{folder} does not open with what the crate does");
    }
}

#[test]
fn no_source_holds_unfinished_work() {
    // Spelt in halves, so that this file does not find itself.
    let forbidden = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("assert!", "(true)"),
        concat!("#[ig", "nore"),
    ];
    for (path, text) in sources() {
        for word in forbidden {
            assert!(!text.contains(word), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn no_file_grows_beyond_one_idea() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 700, "{} has {lines} lines: split it by idea", path.display());
    }
}
