//! The mapping language: tables of what it reads and refuses, rejects with their reasons, and rows of any shape.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::Event;
use eventlog::frames::Value;
use eventlog::memory::MemoryLog;
use eventlog::{EventLog, Position};
use proptest::prelude::*;

use super::*;
use crate::ingest::{Ingest, Limits};

/// A mapping of one event, with something put into its parts.
fn mapping_text(input: &str, blocks: &str) -> String {
    format!("[mapping]\nname = \"test\"\nkey = \"{{row}}\"\n[input]\n{input}\n{blocks}")
}

const ORDER: &str = r#"
[[event]]
type = "order.created"
time = "unknown"
[event.fields]
order = "{order}"
product = "{product}"
"#;

fn write(folder: &Path, name: &str, text: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

struct Planned {
    events: Vec<ImportEvent>,
    readings: Vec<eventlog::frames::Reading>,
    rejects: Vec<Reject>,
    skipped: u64,
}

fn planned(mapping: &str, rows: &str) -> Planned {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "rows.csv", rows.as_bytes());
    let mapping = Mapping::parse(mapping).unwrap_or_else(|error| panic!("{error}"));
    let mut import = plan(&mapping, &[file], &mut |_| {}).unwrap();
    let (rejects, skipped) = (import.take_rejects(), import.skipped());
    let (mut events, mut readings) = (Vec::new(), Vec::new());
    for batch in import.into_batches() {
        match batch {
            Batch::Events(batch) => events.extend(batch),
            Batch::Readings(batch) => readings.extend(batch),
        }
    }
    Planned { events, readings, rejects, skipped }
}

/// The payload of the only event that a mapping makes of the rows.
fn payload(mapping: &str, rows: &str) -> serde_json::Value {
    let planned = planned(mapping, rows);
    assert_eq!(planned.rejects, [], "no row is rejected");
    assert_eq!(planned.events.len(), 1, "one event is made");
    serde_json::from_slice(&planned.events[0].event.encode().unwrap()).unwrap()
}

/// What a field of a report becomes, from a row `a` = the text.
fn check_value(expression: &str, text: &str, expected: serde_json::Value) {
    let blocks = format!(
        "[[event]]\ntype = \"order.operation_reported\"\ntime = \"unknown\"\n[event.fields]\norder = \"O\"\noperation = \"op\"\n{expression}"
    );
    let made = payload(
        &mapping_text("time_format = \"%d.%m.%Y %H:%M\"\nzone = \"Asia/Shanghai\"", &blocks),
        &format!("a\n{text}\n"),
    );
    let field = expression.split_once([' ', '.']).unwrap().0;
    assert_eq!(made[field], expected, "{expression} of {text:?}");
}

#[test]
fn values() {
    for (expression, text, expected) in [
        ("completed = { column = \"a\", as = \"number\" }", "12.50", 12.5.into()),
        (
            "completed = { column = \"a\", as = \"number\", decimal = \",\", thousands = \".\" }",
            "\"1.234,5\"",
            1234.5.into(),
        ),
        ("completed = { column = \"a\", scale = 0.5, offset = 1 }", "10", 6.0.into()),
        ("completed = { column = \"a\", as = \"number\", default = 0 }", "\"\"", 0.0.into()),
        ("completed = { column = \"a\", as = \"number\", missing = [\"n/a\"], default = 7 }", "n/a", 7.0.into()),
        ("completed = { column = \"a\", as = \"number\", minus = { constant = 2 } }", "10", 8.0.into()),
        ("completed = { column = \"a\", as = \"duration\", format = \"h:mm\" }", "1:30", 1.5.into()),
        (
            "completed = { column = \"a\", as = \"duration\", format = \"minutes\", unit = \"seconds\" }",
            "2",
            120.0.into(),
        ),
        ("completed = { column = \"a\", table = { x = 1, y = 2 }, otherwise = 3 }", "z", 3.0.into()),
        ("rework = { column = \"a\", as = \"boolean\" }", "Yes", true.into()),
        ("rework = { column = \"a\", table = { Y = true }, default = false }", "\"\"", false.into()),
        ("report = { column = \"a\", optional = true }", "\"\"", serde_json::Value::Null),
        ("report = { column = \"a\", case = \"upper\" }", "abc", "ABC".into()),
        ("report = { column = \"a\", regex = '(?<n>\\d+)-', group = \"n\" }", "K12-x", "12".into()),
        ("report = \"{{{a}}} of row {row}, {file.stem}\"", "x", "{x} of row 1, rows".into()),
        ("ended = { column = \"a\", as = \"time\" }", "31.01.2024 08:00", "2024-01-31T00:00:00Z".into()),
        (
            "ended = { column = \"a\", as = \"time\", format = [\"%Y-%m-%d\", \"%m/%d/%y %H:%M\"], zone = \"UTC\" }",
            "4/6/16 14:00",
            "2016-04-06T14:00:00Z".into(),
        ),
        (
            "ended = { column = \"a\", as = \"time\", format = \"%Y-%m-%d\" }",
            "2024-01-31",
            "2024-01-30T16:00:00Z".into(),
        ),
        (
            "ended = { column = \"a\", as = \"time\", format = \"%Y-%m-%dT%H:%M%z\" }",
            "2024-01-31T08:00+0100",
            "2024-01-31T07:00:00Z".into(),
        ),
        ("ended = { column = \"a\", as = \"time\", format = \"epoch_ms\" }", "1500", "1970-01-01T00:00:01.5Z".into()),
        (
            "ended = { column = \"a\", as = \"time\", format = \"rfc3339\" }",
            "2024-01-31T08:00:00+08:00",
            "2024-01-31T00:00:00Z".into(),
        ),
        (
            "started = { column = \"a\", as = \"time\", minus = { constant = \"90\", as = \"duration\", format = \"minutes\" } }",
            "31.01.2024 09:30",
            "2024-01-31T00:00:00Z".into(),
        ),
    ] {
        check_value(expression, text, expected);
    }
}

/// What a row is rejected for.
fn check_reject(expression: &str, text: &str, field: &str, reason: &str) {
    let blocks = format!(
        "[[event]]\ntype = \"order.operation_reported\"\ntime = \"unknown\"\n[event.fields]\norder = \"O\"\noperation = \"op\"\n{expression}"
    );
    let planned = planned(&mapping_text("", &blocks), &format!("a,b\n{text},x\n"));
    assert_eq!(planned.events.len(), 0, "{expression} of {text:?} is rejected");
    let reject = &planned.rejects[0];
    assert_eq!(
        (reject.row, reject.line, reject.raw.as_str()),
        (1, 2, format!("{},x", text.trim_matches('"')).as_str())
    );
    assert_eq!(reject.field, format!("order.operation_reported.{field}"));
    assert!(reject.reason.contains(reason), "{:?} says {reason:?}", reject.reason);
}

#[test]
fn rejects_name_the_field_and_the_reason() {
    check_reject(
        "completed = { column = \"a\", as = \"number\" }",
        "many",
        "completed",
        "\"many\" is not a finite number",
    );
    check_reject("completed = { column = \"a\", as = \"number\" }", "NaN", "completed", "is not a finite number");
    check_reject("completed = { column = \"a\", as = \"number\" }", "\"\"", "completed", "column \"a\" is missing");
    check_reject("completed = { column = \"a\", as = \"integer\" }", "1.5", "completed", "is not a whole number");
    check_reject("completed = { column = \"a\" }", "12", "completed", "expected f64");
    check_reject("rework = { column = \"a\", as = \"boolean\" }", "maybe", "rework", "neither true nor false");
    check_reject("rework = { column = \"a\", table = { Y = true } }", "J", "rework", "\"J\" is not in the table");
    check_reject(
        "ended = { column = \"a\", as = \"time\", format = \"%Y-%m-%d\" }",
        "31.1.24",
        "ended",
        "is not a time",
    );
    check_reject(
        "ended = { column = \"a\", as = \"time\", format = \"epoch_s\" }",
        "99999999999",
        "ended",
        "outside the years",
    );
    check_reject(
        "completed = { column = \"a\", as = \"duration\", format = \"h:mm\" }",
        "1:75",
        "completed",
        "is not a duration",
    );
    check_reject("report = \"no {a}\"", "\"\"", "report", "{a} is missing");
    check_reject("colour = \"{a}\"", "red", "colour", "unknown field `colour`");
}

#[test]
fn a_row_is_taken_whole_or_not_at_all() {
    let blocks = format!(
        "{ORDER}[[event]]\ntype = \"order.completed\"\ntime = \"unknown\"\n[event.fields]\norder = \"{{order}}\"\nquantity = {{ value = {{ column = \"n\", as = \"number\" }}, unit = \"1\" }}"
    );
    let planned = planned(&mapping_text("", &blocks), "order,product,n\nA,p,1\nB,p,x\nC,p,3\nD,p\n");
    assert_eq!(planned.events.len(), 4);
    let rejected: Vec<_> = planned.rejects.iter().map(|reject| (reject.row, reject.field.as_str())).collect();
    assert_eq!(rejected, [(2, "order.completed.quantity.value"), (4, "")]);
    assert_eq!(planned.rejects[1].reason, "the row has 2 columns, 3 are expected");
}

/// What a mapping is refused for.
fn check_refused(text: &str, at: &str, reason: &str) {
    let error = Mapping::parse(text).unwrap_err();
    assert_eq!(error.at, at, "{error}");
    assert!(error.reason.contains(reason), "{error} says {reason:?}");
}

#[test]
fn a_mapping_is_refused_with_its_block_and_key() {
    check_refused("[mapping", "", "TOML parse error");
    check_refused("", "mapping", "required");
    check_refused("[mapping]\nname = \"x\"\n", "", "at least one [[event]] or [[reading]]");
    check_refused(&mapping_text("color = 1", ORDER), "input.color", "not known here");
    check_refused(&mapping_text("separator = \"ab\"", ORDER), "input.separator", "one ASCII character");
    check_refused(&mapping_text("zone = \"Mars/Olympus\"", ORDER), "input.zone", "Mars/Olympus");
    check_refused(&mapping_text("time_format = \"iso\"", ORDER), "input.time_format", "is no time format");
    check_refused(&mapping_text("header = false", ORDER), "input.columns", "header = false");
    check_refused(&mapping_text("", &ORDER.replace("created", "invented")), "event[1].type", "is not an event type");
    check_refused(&mapping_text("", &ORDER.replace("time = \"unknown\"", "")), "event[1].time", "required");
    check_refused(&mapping_text("", &ORDER.replace("{order}", "{order")), "event[1].fields.order", "not closed");
    check_refused(
        &mapping_text("", &ORDER.replace("\"{order}\"", "{ column = \"a\", as = \"colour\" }")),
        "event[1].fields.order.as",
        "is expected",
    );
    check_refused(
        &mapping_text("", &ORDER.replace("\"{order}\"", "{ column = \"a\", template = \"b\" }")),
        "event[1].fields.order",
        "exactly one",
    );
    check_refused(
        &mapping_text("", &ORDER.replace("\"{order}\"", "{ column = \"a\", regex = \"(\" }")),
        "event[1].fields.order.regex",
        "unclosed group",
    );
    check_refused(
        &mapping_text("", &ORDER.replace("\"{order}\"", "{ column = \"a\", table = \"none\" }")),
        "event[1].fields.order.table",
        "no [tables.none]",
    );
    check_refused(
        &mapping_text("", &format!("{ORDER}[[field]]\nname = \"row\"\nvalue = 1")),
        "field[1].name",
        "every row has already",
    );
    check_refused(&mapping_text("when = { column = \"a\" }", ORDER), "input.when", "a test is expected");
    check_refused(&mapping_text("when = { column = \"a\", equal = 1 }", ORDER), "input.when", "a test is expected");
    check_refused(
        &mapping_text(
            "",
            "[[reading]]\nasset = \"a\"\ntime = \"{t}\"\n[[reading.signal]]\ncolumn = \"x\"\nquantity = \"q\"",
        ),
        "reading[1].signal[1].unit",
        "UCUM",
    );
}

/// Which rows a filter takes; the rows are a = 1, 2, "", x.
fn check_when(condition: &str, expected: &[u64]) {
    let text = mapping_text(&format!("when = {condition}"), ORDER);
    let planned = planned(&text, "order,product,a\nA,p,1\nB,p,2\nC,p,\nD,p,x\n");
    let rows: Vec<u64> = planned.events.iter().map(|event| event.row).collect();
    assert_eq!(rows, expected, "{condition}");
    assert_eq!(planned.skipped, 4 - expected.len() as u64);
}

#[test]
fn filters() {
    check_when("{ column = \"a\", equals = 1 }", &[1]);
    check_when("{ column = \"a\", equals = \"1\" }", &[1]);
    check_when("{ column = \"a\", equals = 1.0 }", &[1]);
    check_when("{ column = \"a\", equals = \"1.0\" }", &[]);
    check_when("{ column = \"a\", not_equals = 1 }", &[2, 3, 4]);
    check_when("{ column = \"a\", in = [1, \"x\"] }", &[1, 4]);
    check_when("{ column = \"a\", not_in = [1, \"x\"] }", &[2, 3]);
    check_when("{ column = \"a\", present = true }", &[1, 2, 4]);
    check_when("{ column = \"a\", present = false }", &[3]);
    check_when("{ column = \"a\", matches = \"^[0-9]$\" }", &[1, 2]);
    check_when("{ column = \"a\", above = 1 }", &[2]);
    check_when("{ column = \"a\", at_least = 1, below = 2 }", &[1]);
    check_when("{ any = [{ column = \"a\", equals = 1 }, { column = \"order\", equals = \"D\" }] }", &[1, 4]);
    check_when("[{ column = \"a\", present = true }, { not = { column = \"a\", equals = 1 } }]", &[2, 4]);
    check_when("{ column = \"product\", changed = true }", &[1]);
    check_when("{ column = \"a\", changed_from = 1 }", &[2]);
}

#[test]
fn what_has_no_time_goes_first_and_equal_times_follow_the_blocks() {
    let blocks = r#"
[[event]]
type = "order.started"
time = "{t}"
[event.fields]
order = "{order}"
[[event]]
type = "order.completed"
time = "unknown"
order_time = "{t}"
[event.fields]
order = "{order}"
[[event]]
type = "asset.registered"
once = "{asset}"
time = "unknown"
[event.fields]
asset = "{asset}"
name.en = "{asset}"
class = "loom"
"#;
    let rows = "order,t,asset\nB,2024-01-02,L1\nA,2024-01-01,L1\nC,2024-01-02,L2\n";
    let planned = planned(&mapping_text("time_format = \"%Y-%m-%d\"", blocks), rows);
    let order: Vec<_> =
        planned.events.iter().map(|event| (event.event.event_type(), event.event.key().into_owned())).collect();
    let expected = [
        ("asset.registered", "L1"),
        ("asset.registered", "L2"),
        ("order.started", "A"),
        ("order.completed", "A"),
        ("order.started", "B"),
        ("order.started", "C"),
        ("order.completed", "B"),
        ("order.completed", "C"),
    ];
    assert_eq!(order, expected.map(|(event_type, key)| (event_type, key.to_owned())));
}

#[test]
fn equal_rows_are_told_apart_and_flagged() {
    let blocks = r#"
[[event]]
type = "inspection.recorded"
time = "unknown"
[event.fields]
inspection = "{content}-{occurrence}"
verdict = "pass"
repeated = { column = "repeated" }
"#;
    let text = mapping_text("", blocks).replace("key = \"{row}\"\n", "");
    let planned = planned(&text, "a,b\n1,2\n1,2\n12,\n1,2\n");
    let flags: Vec<_> = planned
        .events
        .iter()
        .map(|event| match &event.event {
            Event::InspectionRecorded(record) => record.repeated.unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(flags, [false, true, false, true]);
    let mut ids: Vec<_> = planned.events.iter().map(|event| event.meta.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn two_rows_with_one_key_are_not_one_event() {
    let text = mapping_text("", ORDER).replace("{row}", "{order}");
    let planned = planned(&text, "order,product\nA,p\nA,q\n");
    assert_eq!((planned.events.len(), planned.rejects.len()), (1, 1));
    assert!(
        planned.rejects[0].reason.contains("is the id of another event already (row 1)"),
        "{}",
        planned.rejects[0].reason
    );
}

#[test]
fn groups_fields_joins_and_each() {
    let blocks = r#"
[[join]]
name = "style"
file = "rows.csv"
on = "order"
key = "{order}"
columns = ["product"]
[[field]]
name = "run"
set_when = { column = "order", changed = true }
value = "{row}"
[[group]]
name = "least"
key = "{order}"
take = "min"
value = { column = "n", as = "number" }
[[group]]
name = "rows"
key = "{order}"
take = "count"
[[event]]
type = "order.operation_reported"
each = ["n", "m"]
when = { column = "each.value", present = true }
time = "unknown"
[event.fields]
order = "{order}"
operation = "{each}={each.value} of {style.product}, run {run}, least {least} of {rows}"
"#;
    let planned = planned(&mapping_text("", blocks), "order,product,n,m\nA,p,3,\nA,q,2,5\nB,r,,7\n");
    let operations: Vec<_> = planned
        .events
        .iter()
        .map(|event| match &event.event {
            Event::OperationReported(report) => report.operation.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        operations,
        ["n=3 of p, run 1, least 2 of 2", "n=2 of p, run 1, least 2 of 2", "m=5 of p, run 1, least 2 of 2"]
    );
    assert!(planned.rejects[0].reason.contains("{least}"), "B has no n: {}", planned.rejects[0].reason);
}

const READINGS: &str = r#"
[[reading]]
asset = "{asset}"
time = { column = "t", format = "epoch_s" }
sequence = { column = "row", as = "integer" }
[[reading.signal]]
columns = ["warm", "cold"]
quantity = "{each}"
unit = "Cel"
[[reading.signal]]
column = "state"
quantity = "state"
as = "text"
define = false
"#;

#[test]
fn readings_skip_what_is_missing_and_define_their_signals_once() {
    let planned =
        planned(&mapping_text("", READINGS), "asset,t,warm,cold,state\nL1,10,20.5,,run\nL1,5,21,3,\nL2,7,x,1,run\n");
    let readings: Vec<_> = planned
        .readings
        .iter()
        .map(|one| (one.time.as_second(), &*one.signal, one.sequence, one.value.clone()))
        .collect();
    assert_eq!(
        readings,
        [
            (5, "L1.warm", Some(2), Value::Float(21.0)),
            (5, "L1.cold", Some(2), Value::Float(3.0)),
            (10, "L1.warm", Some(1), Value::Float(20.5)),
            (10, "L1.state", Some(1), Value::Text("run".into())),
        ]
    );
    let defined: Vec<_> = planned.events.iter().map(|event| event.event.key().into_owned()).collect();
    assert_eq!(defined, ["L1.warm", "L1.cold"]);
    assert_eq!((planned.rejects.len(), planned.rejects[0].field.as_str()), (1, "column \"warm\""));
}

#[test]
fn files_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let mapping = Mapping::parse(&mapping_text("optional_columns = [\"note\"]", ORDER)).unwrap();
    let with_mark =
        write(folder.path(), "mark.csv", b"\xef\xbb\xbf\"order\", product\r\nA,p\r\n\r\nB,\"q\nq\"\r\n\xff,p\r\n");
    let mut import = plan(&mapping, &[with_mark], &mut |_| {}).unwrap();
    let rejects = import.take_rejects();
    assert_eq!(import.len(), 1, "the byte order mark and the spaces of the header do no harm");
    let reasons: Vec<_> = rejects.iter().map(|reject| (reject.row, reject.line, reject.reason.as_str())).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].2.contains("control character"), "{reasons:?}");
    assert_eq!(reasons[1], (3, 6, "the row is not UTF-8"));
    let other = write(folder.path(), "other.csv", b"number,product\n1,p\n");
    let error = plan(&mapping, &[other], &mut |_| {}).err().unwrap();
    assert!(error.to_string().contains("has no column \"order\"; it has \"number\", \"product\""), "{error}");
    assert!(matches!(plan(&mapping, &[], &mut |_| {}), Err(ImportError::NoFiles)));
    let missing = plan(&mapping, &[folder.path().join("none.csv")], &mut |_| {});
    assert!(matches!(missing, Err(ImportError::Io { .. })));
}

#[test]
fn json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let text = mapping_text("format = \"jsonl\"", &ORDER.replace("{product}", "{what.style}"));
    let mapping = Mapping::parse(&text).unwrap();
    let file = write(
        folder.path(),
        "rows.jsonl",
        b"{\"order\": 7, \"what\": {\"style\": \"p\"}}\n\n{\"order\": \"B\", \"what.style\": \"q\"}\n[1]\n{\"order\": null}\n{oops\n",
    );
    let mut import = plan(&mapping, &[file], &mut |_| {}).unwrap();
    let rejects: Vec<_> = import.take_rejects().into_iter().map(|reject| (reject.line, reject.reason)).collect();
    assert_eq!(import.len(), 2);
    assert_eq!((rejects[0].0, rejects[0].1.as_str()), (4, "the line is not a JSON object"));
    assert!(rejects[1].1.contains("{order} is missing"), "{rejects:?}");
    assert!(rejects[2].1.contains("the line is not JSON"), "{rejects:?}");
}

/// The text of a code block of the manual.
fn manual_block(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/import.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_example_of_the_manual_works() {
    let planned = planned(&manual_block("toml"), &manual_block("csv"));
    assert_eq!(planned.rejects, []);
    let made: Vec<_> =
        planned.events.iter().map(|event| (event.event.event_type(), event.event.key().into_owned())).collect();
    let expected = [
        ("signal.defined", "LOOM-01.loom_speed"),
        ("order.created", "A-1"),
        ("order.created", "A-2"),
        ("asset.state_changed", "LOOM-01"),
        ("asset.state_changed", "LOOM-02"),
    ];
    assert_eq!(made, expected.map(|(event_type, key)| (event_type, key.to_owned())));
    let Event::OrderCreated(order) = &planned.events[1].event else { panic!("{:?}", planned.events[1]) };
    assert_eq!(order.quantity.as_ref().map(|quantity| quantity.value), Some(1_200.5));
    let values: Vec<_> = planned.readings.iter().map(|reading| reading.value.clone()).collect();
    assert_eq!(values, [Value::Float(601.0), Value::Float(598.0)]);
}

async fn sink() -> (Arc<dyn EventLog>, LogSink) {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let ingest = Ingest::start(Arc::clone(&log), None, Limits::default()).await.unwrap();
    (Arc::clone(&log), LogSink::new(log, ingest))
}

#[tokio::test]
async fn a_longer_file_adds_only_what_is_new_and_changed_rows_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mapping = Mapping::parse(&mapping_text("", ORDER).replace("{row}", "{order}")).unwrap();
    let (log, mut sink) = sink().await;
    let rejects = folder.path().join("rejects.jsonl");
    let options = RunOptions { rejects: Some(rejects.clone()) };
    let mut steps = Vec::new();
    let first = write(folder.path(), "a.csv", b"order,product\nA,p\nB,p\n");
    let summary = run(&mapping, &[first], &mut sink, &options, &mut |step| steps.push(*step)).await.unwrap();
    assert_eq!((summary.rows, summary.events, summary.rejected), (2, 2, 0));
    assert!(!rejects.exists(), "no rejects, no file");
    assert!(steps.iter().any(|step| step.phase == Phase::Writing && step.done == step.total));
    let longer = write(folder.path(), "b.csv", b"order,product\nC,p\nA,p\nB,q\n,p\n");
    let summary = run(&mapping, &[longer], &mut sink, &options, &mut |_| {}).await.unwrap();
    assert_eq!((summary.rows, summary.events, summary.known_events, summary.rejected), (4, 1, 1, 2));
    assert_eq!(log.tail(), Position::new(3));
    let written: Vec<serde_json::Value> =
        std::fs::read_to_string(&rejects).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((written[0]["row"].as_u64(), written[1]["row"].as_u64()), (Some(4), Some(3)));
    assert!(written[1]["reason"].as_str().unwrap().contains("is in the log with other content"), "{written:?}");
}

proptest! {
    /// Any bytes in place of a file: a plan or an error, never a panic, and no row is lost.
    #[test]
    fn any_bytes_are_rows_or_rejects(bytes in prop::collection::vec(any::<u8>(), 0..400), quoted in "[ -~]{0,40}") {
        let folder = tempfile::tempdir().unwrap();
        let mut text = b"order,product,asset,t,warm,cold,state\n".to_vec();
        text.extend_from_slice(quoted.as_bytes());
        text.push(b'\n');
        text.extend_from_slice(&bytes);
        let file = write(folder.path(), "rows.csv", &text);
        let mapping = Mapping::parse(&mapping_text("", &format!("{ORDER}{READINGS}"))).unwrap();
        let mut import = plan(&mapping, &[file], &mut |_| {}).unwrap();
        let (rejects, rows) = (import.take_rejects().len() as u64, import.rows());
        let mut accepted: Vec<u64> = import.into_batches().filter_map(|batch| match batch {
            Batch::Events(events) => Some(events),
            Batch::Readings(_) => None,
        }).flatten().filter(|event| event.event.event_type() == "order.created").map(|event| event.row).collect();
        accepted.sort_unstable();
        accepted.dedup();
        prop_assert_eq!(accepted.len() as u64 + rejects, rows);
    }

    /// Any text for a mapping: a mapping or an error, never a panic.
    #[test]
    fn any_mapping_is_read_or_refused(key in "[a-z_.]{1,12}", value in "[ -~]{0,30}") {
        let value = toml::Value::String(value);
        for text in [mapping_text(&format!("{key} = {value}"), ORDER), mapping_text("", &ORDER.replace("\"{order}\"", &value.to_string()))] {
            if let Err(error) = Mapping::parse(&text) {
                prop_assert!(!error.reason.is_empty());
            }
        }
    }

    /// Any text in a column that is read as a time, a number, a duration or by a pattern.
    #[test]
    fn any_text_is_a_value_or_a_reject(text in "\\PC{0,24}") {
        for expression in [
            "completed = { column = \"a\", as = \"number\", decimal = \",\" }",
            "completed = { column = \"a\", as = \"duration\", format = \"h:mm\" }",
            "completed = { column = \"a\", as = \"duration\", format = \"days\" }",
            "ended = { column = \"a\", as = \"time\", format = [\"epoch_ns\", \"%Y-%m-%d %H:%M:%S%.f\", \"rfc3339\"], minus = { column = \"a\", as = \"number\", default = 1 } }",
        ] {
            let blocks = format!("[[event]]\ntype = \"order.operation_reported\"\ntime = \"unknown\"\n[event.fields]\norder = \"O\"\noperation = \"op\"\n{expression}");
            let row = text.replace('"', "");
            let planned = planned(&mapping_text("", &blocks), &format!("a,b\n\"{row}\",x\n"));
            prop_assert_eq!(planned.events.len() + planned.rejects.len(), 1);
        }
    }
}
