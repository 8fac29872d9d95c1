//! Every mapping of `examples/mappings` over its data set. What is expected is counted from the raw lines of the files here, without the
//! import's own parser, and stands beside the figure that awk and Python counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::Event;
use domain::events::{Category, Verdict};
use eventlog::memory::MemoryLog;
use eventlog::{Direction, EventLog, Filter, MAX_PAGE, Position};
use jiff::Timestamp;
use projections::{Content, Entry};

use super::*;
use crate::ingest::{Ingest, Limits};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder of a data set, or `None` with a word about it.
fn data_set(name: &str) -> Option<PathBuf> {
    let root =
        std::env::var_os("MILLWRIGHT_DATA_SETS").map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: the data set {name} is not at {} (set MILLWRIGHT_DATA_SETS)", folder.display());
    None
}

fn mapping(name: &str) -> Mapping {
    let path = workspace().join("examples/mappings").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Mapping::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

struct Imported {
    entries: Vec<Entry>,
    first: Summary,
    second: Summary,
}

impl Imported {
    fn events(&self) -> impl Iterator<Item = &Event> {
        self.entries.iter().filter_map(Entry::event)
    }

    fn count(&self, event_type: &str) -> usize {
        self.events().filter(|event| event.event_type() == event_type).count()
    }
}

async fn read_all(log: &dyn EventLog) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut from = Position::START;
    while from < log.tail() {
        let page = log.read(from, Direction::Forward, Filter::all(), MAX_PAGE).await.unwrap();
        from = page.last().unwrap().position.next();
        entries.extend(page.into_iter().map(Entry::decode));
    }
    entries
}

/// Imports twice into one log. The second run must add nothing, and every row must have been taken by the first.
async fn import_twice(name: &str, files: &[PathBuf]) -> Imported {
    let mapping = mapping(name);
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let ingest = Ingest::start(Arc::clone(&log), None, Limits::default()).await.unwrap();
    let mut sink = LogSink::new(Arc::clone(&log), ingest);
    let options = RunOptions::default();
    let first = run(&mapping, files, &mut sink, &options, &mut |_| {}).await.unwrap();
    let tail = log.tail();
    assert!(tail > Position::START, "{name}: something is imported");
    let second = run(&mapping, files, &mut sink, &options, &mut |_| {}).await.unwrap();
    assert_eq!(log.tail(), tail, "{name}: the second run adds nothing");
    assert_eq!((second.events, second.readings), (0, 0), "{name}: the second run counts nothing as new");
    assert_eq!((second.known_events, second.known_readings), (first.events, first.readings), "{name}: all is known");
    assert_eq!((first.rejected, second.rejected), (0, 0), "{name}: every row is taken");
    let entries = read_all(&*log).await;
    let unknown = entries.iter().filter(|entry| matches!(entry.content, Content::Unknown { .. })).count();
    assert_eq!(unknown, 0, "{name}: every record is understood");
    in_time_order(name, &entries);
    Imported { entries, first, second }
}

/// Event times do not go back along the log, apart from those that are not known.
fn in_time_order(name: &str, entries: &[Entry]) {
    let times: Vec<Timestamp> =
        entries.iter().filter(|entry| entry.readings().is_none()).filter_map(|entry| entry.event_time).collect();
    assert!(times.is_sorted(), "{name}: events are written in the order of their times");
}

/// The data lines of a file without quotes, split.
fn lines(path: &Path, separator: char) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let split = |line: &str| line.split(separator).map(str::to_owned).collect();
    text.lines().skip(1).map(split).collect()
}

fn sum(values: impl Iterator<Item = Option<f64>>) -> f64 {
    values.flatten().sum()
}

#[tokio::test]
async fn production_4tu() {
    let Some(folder) = data_set("production_4tu") else { return };
    let file = folder.join("Production_full.csv");
    let raw = lines(&file, ';');
    let imported = import_twice("production_4tu", &[file]).await;
    assert_eq!((raw.len(), imported.first.rows), (1_930, 1_930));
    let mut orders: Vec<&str> = raw.iter().map(|line| line[3].as_str()).collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!((orders.len(), imported.count("order.created"), imported.count("order.started")), (169, 169, 169));
    let reports: Vec<_> = imported
        .events()
        .filter_map(|event| match event {
            Event::OperationReported(report) => Some(report),
            _ => None,
        })
        .collect();
    let completed: u64 = raw.iter().map(|line| line[9].parse::<u64>().unwrap()).sum();
    let review: u64 = raw.iter().map(|line| line[10].parse::<u64>().unwrap()).sum();
    assert_eq!((reports.len(), completed, review), (1_930, 37_747, 86));
    assert_eq!(sum(reports.iter().map(|report| report.completed)), 37_747.0);
    assert_eq!(sum(reports.iter().map(|report| report.review)), 86.0);
    let rework = raw.iter().filter(|line| line[1] == "Y").count();
    assert_eq!((rework, reports.iter().filter(|report| report.rework == Some(true)).count()), (74, 74));
    assert_eq!((imported.count("asset.registered"), imported.count("nonconformance.raised")), (19, 3));
    // Case1's first report: 379 minutes up to 05:43 on 30 January, seven hours behind UTC.
    let first = reports.iter().find(|report| report.order.as_str() == "Case1").unwrap();
    assert_eq!(first.ended, Some("2012-01-30T12:43:00Z".parse().unwrap()));
    assert_eq!(first.started, Some("2012-01-30T06:24:00Z".parse().unwrap()));
}

#[tokio::test]
async fn production_4tu_start_end_shows_the_same_operations_on_the_same_clock() {
    let Some(folder) = data_set("production_4tu") else { return };
    let file = folder.join("Production_start_end.csv");
    let raw = lines(&file, ',');
    let imported = import_twice("production_4tu_start_end", &[file]).await;
    assert_eq!((raw.len(), imported.count("order.operation_reported")), (3_517, 3_517));
    let mut distinct = raw.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 3_477);
    let full = import_twice("production_4tu", &[folder.join("Production_full.csv")]).await;
    let operations = |imported: &Imported| -> Vec<_> {
        let reports = imported.events().filter_map(|event| match event {
            Event::OperationReported(report) => {
                Some((report.order.clone(), report.person.clone(), report.started, report.ended))
            }
            _ => None,
        });
        reports.collect()
    };
    let (both, full) = (operations(&imported), operations(&full));
    let shared = full.iter().filter(|operation| both.contains(operation)).count();
    // Python: 1,782 ends agree; most of the others lie after the change to summer time on 25 March, where the two files differ by an hour more.
    assert!(shared * 100 > full.len() * 90, "{shared} of {} operations are in both files", full.len());
}

#[tokio::test]
async fn excavator_mwo() {
    let Some(folder) = data_set("excavator_mwo") else { return };
    let file = folder.join("case_study_pdl.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    let imported = import_twice("excavator_mwo", &[file]).await;
    assert_eq!((text.lines().count() - 1, imported.count("work_order.opened")), (2_597, 2_597));
    assert_eq!((imported.count("work_order.closed"), imported.count("asset.registered")), (2_597, 4));
    let mut modes: BTreeMap<&str, usize> = BTreeMap::new();
    for event in imported.events() {
        if let Event::FaultCoded(coded) = event {
            *modes.entry(coded.mode.as_str()).or_default() += 1;
        }
    }
    let lines_with = |needle: &str| text.lines().filter(|line| line.contains(needle)).count();
    assert_eq!((lines_with(",Leak,"), modes["Leak"]), (323, 323));
    assert_eq!((lines_with(",Structural Integrity,"), modes["Structural Integrity"]), (371, 371));
    // Python: 2,597 - 1,553 rows with a failure mode, 2,597 - 1,052 with an action.
    assert_eq!((imported.count("fault.observed"), imported.count("fault.coded")), (1_044, 1_044));
    assert_eq!((imported.count("fault.closed"), imported.count("work_order.work_done")), (1_044, 1_545));
    let preventive = imported
        .events()
        .filter(|event| matches!(event, Event::WorkOrderOpened(opened) if opened.category == Category::Preventive));
    let planned = [",PM02,", ",PM04,", ",PM05,"].iter().map(|kind| lines_with(kind)).sum::<usize>();
    assert_eq!((planned, preventive.count()), (108, 108));
    let closed_without_time = imported
        .entries
        .iter()
        .filter(|entry| matches!(entry.event(), Some(Event::WorkOrderClosed(_))))
        .all(|entry| entry.event_time.is_none());
    assert!(closed_without_time, "the file does not say when an order was closed");
}

#[tokio::test]
async fn skab() {
    let Some(folder) = data_set("skab") else { return };
    let mut files = Vec::new();
    for part in ["anomaly-free", "other", "valve1"] {
        files.extend(std::fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let rows: Vec<Vec<Vec<String>>> = files.iter().map(|file| lines(file, ';')).collect();
    let raised: usize = rows.iter().map(|run| changes(run, "1.0")).sum();
    let cleared: usize = rows.iter().map(|run| changes(run, "0.0")).sum();
    let imported = import_twice("skab", &files).await;
    assert_eq!((files.len(), rows.iter().map(Vec::len).sum::<usize>()), (18, 27_954));
    assert_eq!((imported.first.rows, imported.first.readings), (27_954, 223_632));
    assert_eq!(imported.second.known_readings, 223_632);
    let logged: usize = imported.entries.iter().filter_map(Entry::readings).map(eventlog::frames::Frame::len).sum();
    assert_eq!(logged, 223_632);
    assert_eq!((imported.count("signal.defined"), imported.count("asset.registered")), (8, 1));
    // Python: 17 labelled runs have one anomaly each, and 15 of them end before their file does.
    assert_eq!((raised, imported.count("alarm.raised")), (17, 17));
    assert_eq!((cleared, imported.count("alarm.cleared")), (15, 15));
    let known: Vec<_> = imported
        .events()
        .filter_map(|event| if let Event::AlarmRaised(alarm) = event { Some(&alarm.alarm) } else { None })
        .collect();
    for event in imported.events() {
        if let Event::AlarmCleared(alarm) = event {
            assert!(known.contains(&&alarm.alarm), "{} was raised", alarm.alarm);
        }
    }
}

/// How often the label of a run changes to a value, after the first row or, for an anomaly, in it.
fn changes(run: &[Vec<String>], to: &str) -> usize {
    let labels: Vec<&str> = run.iter().filter_map(|line| line.get(9)).map(|label| label.trim()).collect();
    let in_first = usize::from(to == "1.0" && labels.first() == Some(&to));
    in_first + labels.windows(2).filter(|pair| pair[0] != pair[1] && pair[1] == to).count()
}

#[tokio::test]
async fn ai4i2020_keeps_rows_whose_labels_contradict() {
    let Some(folder) = data_set("ai4i2020") else { return };
    let file = folder.join("ai4i2020.csv");
    let raw = lines(&file, ',');
    let imported = import_twice("ai4i2020", &[file]).await;
    assert_eq!((raw.len(), imported.count("inspection.recorded")), (8_000, 8_000));
    let modes: usize = raw.iter().map(|line| line[9..14].iter().filter(|flag| *flag == "1").count()).sum();
    let uncoded = raw.iter().filter(|line| line[8] == "1" && !line[9..14].contains(&"1".to_owned())).count();
    let unlabelled = raw.iter().filter(|line| line[8] == "0" && line[9..14].contains(&"1".to_owned())).count();
    // Python: 36 + 115 + 85 + 77 + 19 modes; 7 failures without a mode, 18 modes without a failure.
    assert_eq!((modes, uncoded, unlabelled), (332, 7, 18));
    assert_eq!((imported.count("fault.coded"), imported.count("fault.observed")), (332, 332 + 7));
    let failed = imported
        .events()
        .filter(|event| matches!(event, Event::InspectionRecorded(record) if record.verdict == Verdict::Fail));
    assert_eq!(failed.count(), raw.iter().filter(|line| line[8] == "1").count());
    assert!(imported.entries.iter().all(|entry| entry.event_time.is_none()), "the file has no times");
    let measured = imported
        .events()
        .all(|event| !matches!(event, Event::InspectionRecorded(record) if record.measurements.len() != 5));
    assert!(measured, "five measurements in each row");
}

#[tokio::test]
async fn weaving_rejection_flags_equal_rows_and_merges_none() {
    let Some(folder) = data_set("weaving_rejection") else { return };
    let file = folder.join("weaving_rejection_dataset.csv");
    let raw = lines(&file, ',');
    let imported = import_twice("weaving_rejection", &[file]).await;
    assert_eq!((raw.len(), imported.count("inspection.recorded")), (17_953, 17_953));
    let mut distinct = raw.clone();
    distinct.sort();
    distinct.dedup();
    let first_of_its_kind = imported
        .events()
        .filter(|event| matches!(event, Event::InspectionRecorded(record) if record.repeated == Some(false)));
    assert_eq!((distinct.len(), first_of_its_kind.count()), (8_254, 8_254));
    assert!(imported.entries.iter().all(|entry| entry.event_time.is_none()), "the file has no times");
    let rejected: f64 = raw.iter().map(|line| line[9].parse::<f64>().unwrap()).sum();
    let measured: f64 = imported
        .events()
        .filter_map(|event| match event {
            Event::InspectionRecorded(record) => {
                record.measurements.iter().find(|one| one.characteristic.as_str() == "rejection").map(|one| one.value)
            }
            _ => None,
        })
        .sum();
    assert!((rejected - measured).abs() < 1e-6, "{rejected} yards rejected, {measured} imported");
}

#[tokio::test]
async fn assetopsbench() {
    let Some(folder) = data_set("assetopsbench") else { return };
    let file = folder.join("event.csv");
    let raw = lines(&file, ',');
    let imported = import_twice("assetopsbench", &[file]).await;
    let group = |name: &str| raw.iter().filter(|line| line[1] == name).count();
    assert_eq!((raw.len(), group("ALERT"), group("WORK_ORDER")), (3_040, 170, 2_870));
    assert_eq!((imported.count("alarm.raised"), imported.count("work_order.progressed")), (170, 2_870));
    let orders = lines(&folder.join("all_wo_with_code_component_events.csv"), ',');
    let known: std::collections::BTreeSet<&str> = orders.iter().map(|line| line[0].as_str()).collect();
    let joined = imported
        .events()
        .filter(|event| matches!(event, Event::WorkOrderProgressed(step) if known.contains(step.work_order.as_str())));
    assert_eq!(joined.count(), 2_870, "also WO-16170, which the other file writes without the dash");
}

#[tokio::test]
async fn assetopsbench_work_orders() {
    let Some(folder) = data_set("assetopsbench") else { return };
    let file = folder.join("all_wo_with_code_component_events.csv");
    let raw = lines(&file, ',');
    let imported = import_twice("assetopsbench_work_orders", &[file]).await;
    assert_eq!(
        (raw.len(), imported.count("work_order.opened"), imported.count("work_order.closed")),
        (2_870, 2_870, 2_870)
    );
    let failures = raw.iter().filter(|line| !line[3].starts_with("MT")).count();
    assert_eq!((failures, imported.count("fault.coded"), imported.count("fault.closed")), (112, 112, 112));
    let categorised =
        imported.events().filter(|event| matches!(event, Event::FaultCoded(coded) if coded.cause.is_some()));
    assert!(categorised.count() >= 110, "the joined file knows all but two codes");
    let preventive = raw.iter().filter(|line| line[9] == "TRUE").count();
    let opened = imported
        .events()
        .filter(|event| matches!(event, Event::WorkOrderOpened(opened) if opened.category == Category::Preventive));
    assert_eq!((preventive, opened.count()), (2_391, 2_391));
    let hours = sum(imported.events().map(|event| if let Event::WorkDone(done) = event { done.hours } else { None }));
    assert_eq!(hours, 2_870.0, "each order took 1:00");
}

#[tokio::test]
async fn assetopsbench_readings() {
    let Some(folder) = data_set("assetopsbench") else { return };
    let file = folder.join("chiller6_june2020_sensordata_couchdb.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    // Every number of a line except its time is a reading: members are counted by their colons.
    let members: usize = text.lines().map(|line| line.matches("\": ").count() - 2).sum();
    let imported = import_twice("assetopsbench_readings", &[file]).await;
    assert_eq!((text.lines().count(), imported.first.rows), (2_896, 2_896));
    assert_eq!((members, imported.first.readings), (28_775, 28_775));
    assert_eq!(imported.count("signal.defined"), 12);
}
