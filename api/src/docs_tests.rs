//! The manual and the README say what the program takes.

use std::path::Path;

use eventlog::frames::Value;
use jiff::Timestamp;

use crate::config::Config;

/// A fenced block: what stands behind the fence, and the lines inside.
struct Block {
    language: String,
    text: String,
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => open = Some(Block { language: language.to_owned(), text: String::new() }),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The configuration, with its mappings compiled.
fn configuration(toml: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("millwright.toml");
    std::fs::write(&path, toml).unwrap();
    let config = Config::load(Some(&path), std::iter::empty()).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    config.check_exposure().unwrap();
    for mqtt in &config.mqtt {
        mqtt.check().unwrap();
    }
    config
}

#[test]
fn every_configuration_in_the_manual_and_the_readme_is_taken() {
    let mut seen = 0;
    for file in ["docs/configuration.md", "README.md"] {
        let of_file = blocks(&read(file)).into_iter().filter(|block| block.language == "toml");
        let count = of_file.inspect(|block| drop(configuration(&block.text))).count();
        assert!(count > 0, "{file} has no configuration");
        seen += count;
    }
    assert!(seen >= 5, "only {seen} configurations were found");
}

#[test]
fn the_messages_in_the_manual_are_read_as_it_says() {
    let arrival: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
    let mut config = None;
    let mut seen = 0;
    for block in blocks(&read("docs/configuration.md")) {
        match block.language.as_str() {
            "toml" => config = Some(configuration(&block.text)),
            "mqtt" => {
                let lines = |name: &str| -> Vec<String> {
                    let lines = block.text.lines().filter_map(|line| line.strip_prefix(name));
                    lines.map(|line| line.trim().to_owned()).collect()
                };
                let mapping = config.as_ref().expect("a configuration comes first").mqtt[0].check().unwrap();
                let payload = lines("payload:").remove(0);
                let decoded = mapping.decode(&lines("topic:")[0], &payload.into(), arrival);
                assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
                let read: Vec<String> = decoded
                    .readings
                    .iter()
                    .map(|reading| {
                        let time = match reading.time {
                            time if time == arrival => "ARRIVAL".to_owned(),
                            time => time.to_string(),
                        };
                        format!("{} {time} {}", reading.signal, show(&reading.value))
                    })
                    .collect();
                assert_eq!(read, lines("reading:"));
                seen += read.len();
            }
            _ => {}
        }
    }
    assert!(seen >= 5, "only {seen} readings were compared");
}

fn show(value: &Value) -> String {
    match value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Text(value) => value.to_string(),
    }
}

/// Rows of the tables: `| key | meaning | default | variable |`.
#[test]
fn every_variable_in_the_manual_sets_its_key_to_the_default_that_it_names() {
    let manual = read("docs/configuration.md");
    let mut seen = 0;
    for row in manual.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [key, _, default, variable] = cells.as_slice() else { continue };
        if !variable.starts_with("MILLWRIGHT_") {
            continue;
        }
        assert_eq!(*variable, format!("MILLWRIGHT_{}", key.replace('.', "__").to_ascii_uppercase()));
        // Texts without a default are named in words; an origin must look like one.
        let worded = ["surreal.", "privacy.master_key_file", "transparency.origin", "tier.url", "meaning.model"]
            .iter()
            .any(|name| key.starts_with(name));
        let value = if *key == "transparency.origin" { "mill.example/log" } else { default };
        let environment = std::iter::once(((*variable).to_owned(), value.to_owned()));
        let config = Config::load(None, environment).unwrap_or_else(|error| panic!("{row}: {error}"));
        if !worded {
            assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()), "{row}");
        }
        seen += 1;
    }
    assert!(seen >= 10, "only {seen} variables were tried");
}
