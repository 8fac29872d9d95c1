//! Real history of real plants, imported by mappings without code, and the answers that it gives.
//!
//! Every expected number is counted here from the file itself, by other means than the importer's, or stands in the data set's own description.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tests::counting::rows;
use tests::process::{Server, command};
use tests::{data_set, workspace};

/// Imports the files into the server; answers the summary.
fn import(server: &Server, mapping: &str, files: &[&Path], scratch: &Path) -> anyhow::Result<Value> {
    let mapping = workspace().join("examples/mappings").join(format!("{mapping}.toml"));
    let mut import = command(&["import", "--json", "--server", server.client.base()])?;
    import.arg("--mapping").arg(&mapping).args(files).current_dir(scratch);
    let output = import.output()?;
    if !output.status.success() {
        bail!("importing {}: {}", mapping.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn count(summary: &Value, event_type: &str) -> u64 {
    summary["types"][event_type].as_u64().unwrap_or(0)
}

async fn tail(server: &Server) -> anyhow::Result<u64> {
    server.client.get("/readyz").await?["tail"].as_u64().context("no tail")
}

/// Every record of a type, page by page.
async fn records(server: &Server, event_type: &str) -> anyhow::Result<Vec<Value>> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.client.get(&format!("/api/v1/log?type={event_type}&limit=1000{cursor}")).await?;
        all.extend(page["items"].as_array().context("no items")?.iter().cloned());
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return Ok(all),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_shop_can_be_traced() -> anyhow::Result<()> {
    let Some(data) = data_set("production_4tu") else { return Ok(()) };
    let file = data.join("Production_full.csv");
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let table = rows(&file, ';')?;

    let summary = import(&server, "production_4tu", &[&file], dir.path())?;
    assert_eq!(summary["rows"], 1930);
    assert_eq!(summary["rejected"], 0);
    let orders: BTreeSet<&String> = table.iter().map(|row| &row["Case ID"]).collect();
    assert_eq!((orders.len(), count(&summary, "order.created")), (169, 169));
    assert_eq!((table.len() as u64, count(&summary, "order.operation_reported")), (1930, 1930));

    // Quantities over operations, from the log, against the file.
    let operations = records(&server, "order.operation_reported").await?;
    let sum = |field: &str| operations.iter().filter_map(|record| record["data"][field].as_f64()).sum::<f64>();
    let in_file = |column: &str| table.iter().filter_map(|row| row[column].parse::<f64>().ok()).sum::<f64>();
    assert_eq!((sum("completed"), in_file("Qty_Completed")), (37_747.0, 37_747.0));
    assert_eq!((sum("review"), in_file("Qty_for_MRB")), (86.0, 86.0));
    let rework = operations.iter().filter(|record| record["data"]["rework"] == json!(true)).count();
    assert_eq!((rework, table.iter().filter(|row| row["Rework"] != "missing").count()), (74, 74));

    // Run twice, nothing is added.
    let before = tail(&server).await?;
    let again = import(&server, "production_4tu", &[&file], dir.path())?;
    assert_eq!((again["events"].as_u64(), tail(&server).await?), (Some(0), before));

    // From order to operations, machines and people.
    server.settled().await?;
    let trace =
        server.client.get(&format!("/api/v1/trace/order/Case1?direction=both&min_position={}", before - 1)).await?;
    let ids = |kind: &str| -> BTreeSet<String> {
        let nodes = trace["nodes"].as_array().into_iter().flatten();
        nodes.filter(|node| node["kind"] == kind).filter_map(|node| node["id"].as_str().map(str::to_owned)).collect()
    };
    let case: Vec<_> = table.iter().filter(|row| row["Case ID"] == "Case1").collect();
    let machines: BTreeSet<String> = case.iter().map(|row| row["Resource.1"].clone()).collect();
    let workers: BTreeSet<String> = case.iter().map(|row| row["Resource"].clone()).collect();
    let activities: BTreeSet<String> = case.iter().map(|row| format!("Case1/{}", row["Activity"])).collect();
    assert_eq!(ids("asset"), machines);
    assert_eq!(ids("person"), workers);
    assert_eq!(ids("operation"), activities);
    assert!(trace["events"].as_array().is_some_and(|events| events.len() >= case.len()), "each report is evidence");

    // What was known in the middle of the import: no operation that was logged later.
    let middle = operations[operations.len() / 2]["position"].as_u64().context("no position")?;
    let then = server.client.get(&format!("/api/v1/trace/order/Case1?as_of={middle}")).await?;
    let known: Vec<u64> = then["events"].as_array().context("no events")?.iter().filter_map(Value::as_u64).collect();
    let expected = operations
        .iter()
        .filter(|record| record["data"]["order"] == "Case1" && record["position"].as_u64() <= Some(middle));
    assert!(known.iter().all(|position| *position <= middle), "{known:?} holds what came after {middle}");
    assert_eq!(
        expected.count(),
        known
            .iter()
            .filter(|position| operations.iter().any(|record| record["position"].as_u64() == Some(**position)))
            .count()
    );

    // What was so at seven that morning: the operations that had been completed, and that the order had been started.
    let early = case.iter().filter(|row| row["Complete Timestamp"].as_str() < "30.01.2012 07:00").count();
    assert!(early > 0 && early < case.len(), "{early} of {} operations", case.len());
    let state = server.client.get("/api/v1/state/order/Case1?at=2012-01-30T07:00:00-07:00").await?;
    let operations_then = state["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|event| event["type"] == "order.operation_reported")
        .count();
    assert_eq!((operations_then, state["state"]["order"]["started"].as_bool()), (early, Some(true)));
    assert_eq!(state["later"].as_u64(), Some((case.len() - early) as u64));
    assert_eq!(state["without_time"], 1, "nobody wrote down when the order was created");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn excavators_are_remembered() -> anyhow::Result<()> {
    let Some(data) = data_set("excavator_mwo") else { return Ok(()) };
    let file = data.join("case_study_pdl.csv");
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let table = rows(&file, ',')?;

    let summary = import(&server, "excavator_mwo", &[&file], dir.path())?;
    server.settled().await?;
    assert_eq!((table.len(), count(&summary, "work_order.opened")), (2597, 2597));
    let last = tail(&server).await? - 1;
    let codings = records(&server, "fault.coded").await?;
    for (mode, expected) in [("Leak", 323), ("Structural Integrity", 371)] {
        let in_file = table.iter().filter(|row| row["FM"] == mode).count();
        let in_log = codings.iter().filter(|record| record["data"]["mode"] == mode).count();
        assert_eq!((in_file, in_log), (expected, expected), "{mode}");
    }

    // Search: work orders about leaking bucket cylinders come first.
    let found = server
        .client
        .get(&format!(
            "/api/v1/knowledge/search?q=bucket%20cylinder%20leaking&base=maintenance&limit=10&min_position={last}"
        ))
        .await?;
    let texts: Vec<String> = found["items"]
        .as_array()
        .context("no items")?
        .iter()
        .map(|hit| format!("{} {}", hit["record"]["title"]["en"], hit["record"]["text"]["en"]).to_lowercase())
        .collect();
    assert_eq!(texts.len(), 10);
    let of_three = |text: &String| ["bucket", "cyl", "leak"].iter().filter(|word| text.contains(**word)).count();
    assert!(texts.iter().take(2).all(|text| of_three(text) == 3), "the best are not about all of it: {texts:#?}");
    assert!(texts.iter().all(|text| of_three(text) >= 2), "some are about something else: {texts:#?}");
    for hit in found["items"].as_array().into_iter().flatten() {
        let position = hit["record"]["evidence"][0].as_u64().context("a hit without evidence")?;
        let record = server.client.get(&format!("/api/v1/log/{position}")).await?;
        assert!(record["type"].as_str().is_some_and(|name| name.starts_with("work_order.")), "{record}");
    }

    // Diagnosis: similar orders and what was done.
    let diagnosis = server
        .client
        .must_post("/api/v1/knowledge/diagnose", &json!({"symptoms": "bucket won't open", "min_position": last}))
        .await?;
    let cases: Vec<String> = diagnosis["uncoded"]
        .as_array()
        .into_iter()
        .flatten()
        .chain(
            diagnosis["candidates"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|candidate| candidate["episodes"].as_array().into_iter().flatten()),
        )
        .map(|case| case["text"]["en"].as_str().unwrap_or_default().to_lowercase())
        .collect();
    assert!(cases.iter().any(|text| text.contains("bucket") && text.contains("open")), "{diagnosis:#}");
    assert!(diagnosis["n"].as_u64().is_some_and(|n| n > 1000), "{}", diagnosis["n"]);

    // As known before the first coding, no mode has a count.
    let first_coding = codings[0]["position"].as_u64().context("no position")?;
    let early = server.client.get(&format!("/api/v1/knowledge/faults?as_of={}", first_coding - 1)).await?;
    let coded: Vec<&Value> =
        early["items"].as_array().into_iter().flatten().filter(|row| !row["mode"].is_null()).collect();
    assert!(coded.is_empty(), "{coded:?}");
    let now = server.client.get("/api/v1/knowledge/faults?limit=500").await?;
    let leak = now["items"].as_array().into_iter().flatten().find(|row| row["mode"] == "Leak").context("no Leak")?;
    assert_eq!(leak["n"], 323);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_water_loop_is_read() -> anyhow::Result<()> {
    let Some(data) = data_set("skab") else { return Ok(()) };
    let mut files: Vec<_> = ["anomaly-free", "other", "valve1", "valve2"]
        .iter()
        .map(|folder| data.join(folder))
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| {
            std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path())
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .collect();
    files.sort();
    let in_files: usize =
        files.iter().map(|file| rows(file, ';').map(|rows| rows.len())).sum::<anyhow::Result<usize>>()?;
    assert_eq!((files.len(), in_files), (18, 27_954));
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let paths: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();

    let summary = import(&server, "skab", &paths, dir.path())?;
    assert_eq!((summary["rows"].as_u64(), summary["readings"].as_u64()), (Some(27_954), Some(223_632)));
    let last = tail(&server).await? - 1;
    let statistics = server.client.get(&format!("/api/v1/statistics?min_position={last}")).await?;
    assert_eq!(statistics["readings"], 223_632);

    let again = import(&server, "skab", &paths, dir.path())?;
    assert_eq!((again["readings"].as_u64(), again["events"].as_u64()), (Some(0), Some(0)));
    assert_eq!(again["known_readings"], 223_632);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_time_or_name_are_flagged_and_kept() -> anyhow::Result<()> {
    let Some(data) = data_set("weaving_rejection") else { return Ok(()) };
    let file = data.join("weaving_rejection_dataset.csv");
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let text = std::fs::read_to_string(&file)?;
    let lines: Vec<&str> = text.lines().skip(1).filter(|line| !line.is_empty()).collect();
    let distinct: BTreeSet<&str> = lines.iter().copied().collect();
    assert_eq!((lines.len(), distinct.len()), (17_953, 8_254));

    let summary = import(&server, "weaving_rejection", &[&file], dir.path())?;
    assert_eq!((summary["rows"].as_u64(), summary["rejected"].as_u64()), (Some(17_953), Some(0)));
    let inspections = records(&server, "inspection.recorded").await?;
    assert_eq!(inspections.len(), 17_953);
    assert!(inspections.iter().all(|record| record["event_time"].is_null()), "the file knows no time");
    let flagged = inspections.iter().filter(|record| record["data"]["repeated"] == json!(true)).count();
    assert_eq!(flagged, 17_953 - 8_254);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn milling_machines_and_chillers_are_imported_into_a_folder() -> anyhow::Result<()> {
    let (Some(milling), Some(chillers)) = (data_set("ai4i2020"), data_set("assetopsbench")) else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    // Without a server: straight into the folder, by three runs of the program.
    let into_folder = |mapping: &str, file: &Path| -> anyhow::Result<Value> {
        let mut import = command(&["import", "--json"])?;
        import
            .arg("--data-dir")
            .arg(&data)
            .arg("--mapping")
            .arg(workspace().join(format!("examples/mappings/{mapping}.toml")))
            .arg(file)
            .current_dir(dir.path());
        let output = import.output()?;
        if !output.status.success() {
            bail!("{mapping}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let file = milling.join("ai4i2020.csv");
    let machines = into_folder("ai4i2020", &file)?;
    let table = rows(&file, ',')?;
    assert_eq!((table.len() as u64, machines["rows"].as_u64()), (8_000, Some(8_000)));
    assert_eq!(count(&machines, "inspection.recorded"), 8_000);

    let file = chillers.join("event.csv");
    let events = into_folder("assetopsbench", &file)?;
    let table = rows(&file, ',')?;
    let alerts = table.iter().filter(|row| row["event_group"] != "WORK_ORDER").count() as u64;
    assert_eq!((events["rows"].as_u64(), count(&events, "alarm.raised")), (Some(table.len() as u64), alerts));

    let file = chillers.join("all_wo_with_code_component_events.csv");
    let orders = into_folder("assetopsbench_work_orders", &file)?;
    let table = rows(&file, ',')?;
    assert_eq!(
        (orders["rows"].as_u64(), count(&orders, "work_order.opened")),
        (Some(table.len() as u64), table.len() as u64)
    );

    // At a day: a work order of one chiller, found by its asset and by time.
    let server = Server::start(&data, None).await?;
    server.settled().await?;
    let last = tail(&server).await? - 1;
    let path = format!(
        "/api/v1/knowledge/search?base=maintenance&asset=CWC04013&from=2016-04-01T00:00:00Z&to=2016-05-01T00:00:00Z&limit=100&min_position={last}"
    );
    let found = server.client.get(&path).await?;
    let expected = table
        .iter()
        .filter(|row| {
            row["equipment_id"] == "CWC04013"
                && row["actual_finish"].starts_with("4/")
                && row["actual_finish"].split(' ').next().is_some_and(|day| day.ends_with("/16"))
        })
        .count();
    assert!(expected > 0, "the file has no such order");
    assert_eq!(found["items"].as_array().map(Vec::len), Some(expected), "{found:#}");
    server.stop().await
}
