//! The demo as a newcomer starts it: real MQTT, real OPC UA, models, answers, and a replay that agrees.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use anyhow::Context;
use serde_json::Value;
use tests::process::command;

#[test]
fn the_demo_shows_the_whole_job() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let output = command(&["demo", "--json", "--listen", "127.0.0.1:0", "--for", "15s", "--data-dir"])?
        .arg(dir.path().join("data"))
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stderr));
    // The lines for the person at the terminal come first; the summary is the JSON object at the end.
    let start = said.find("\n{").context("no summary")?;
    let summary: Value = serde_json::from_str(&said[start..])?;

    let count = |name: &str| summary["by_type"][name]["count"].as_u64().unwrap_or(0);
    for name in [
        "readings.recorded",
        "fault.observed",
        "fault.coded",
        "work_order.closed",
        "weaving.cloth_doffed",
        "inspection.recorded",
        "lot.shipped",
        "deployment.deployed",
        "prediction.made",
    ] {
        assert!(count(name) > 0, "no {name} in the log");
    }
    assert_eq!(count("deployment.deployed"), 2, "one mechanism model and one candle model");
    let live = summary["sources"].as_array().context("no sources")?;
    assert_eq!(live.len(), 2);
    for source in live {
        assert!(source["readings"].as_u64().is_some_and(|readings| readings > 0), "nothing came in live from {source}");
    }
    assert_eq!(summary["diagnosis"]["verdict"], "match", "{}", summary["diagnosis"]);
    assert!(
        summary["trace"]["lots"].as_array().is_some_and(|lots| lots.len() >= 3),
        "a roll comes from a beam and from yarn: {}",
        summary["trace"]
    );
    assert!(
        summary["digests_compared"].as_u64().is_some_and(|compared| compared >= 13),
        "{}",
        summary["digests_compared"]
    );
    assert_eq!(summary["digests_different"], Value::Array(Vec::new()));
    Ok(())
}
