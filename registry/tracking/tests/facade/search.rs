//! Searches beside a reference that looks at every row and sorts all.

use domain::events::{DatasetInput, KeyValue, MetricPoint, RunStatus};
use domain::ids::LoggedModelId;
use expect_test::expect;
use proptest::prelude::*;
use tracking::search::{
    self, Attribute, DatasetFilter, DatasetView, Entity, Filter, LoggedModelOrder, Order, Row, Start, Value,
};
use tracking::view::{Run, ViewType};
use tracking::{
    Batch, ExperimentSearch, LoggedModelSearch, NewExperiment, NewLoggedModel, NewRun, RunSearch, RunUpdate, Tracking,
};

use crate::support::{check, experiment, pair, point, run, store};

/// A run as a client got it.
struct Shown(Run);

fn value<'a>(pairs: &'a [KeyValue], key: &str) -> Option<&'a str> {
    pairs.iter().find(|pair| pair.key == key).map(|pair| &*pair.value)
}

impl Row for Shown {
    fn attribute(&self, attribute: Attribute) -> Value<'_> {
        match attribute {
            Attribute::RunId => Value::text(self.0.id.as_str()),
            Attribute::RunName => Value::text(&self.0.name),
            Attribute::UserId => Value::text(&self.0.user),
            Attribute::Status => Value::text(if self.0.status == RunStatus::Finished { "FINISHED" } else { "RUNNING" }),
            Attribute::StartTime => Value::time_ms(self.0.started_ms),
            Attribute::EndTime => Value::time_ms(self.0.ended_ms),
            Attribute::ArtifactUri => Value::text(&self.0.artifact_uri),
            _ => Value::Absent,
        }
    }

    fn tag(&self, key: &str) -> Option<&str> {
        value(&self.0.tags, key)
    }

    fn param(&self, key: &str) -> Option<&str> {
        value(&self.0.params, key)
    }

    fn metric(&self, key: &str) -> Option<f64> {
        self.0.metrics.iter().find(|metric| metric.key == key).map(|metric| metric.value.0)
    }

    fn any_dataset(&self, test: &mut dyn FnMut(DatasetView<'_>) -> bool) -> bool {
        self.0.datasets.iter().any(|dataset| {
            let context = value(&dataset.tags, "mlflow.data.context");
            test(DatasetView { name: &dataset.name, digest: &dataset.digest, context })
        })
    }
}

/// 2,500 runs, so that columns are used: few different values, absent ones, and some that are no number.
async fn many(tracking: &Tracking) -> Vec<Shown> {
    let mut state = 7_u64;
    let mut below = |count: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % count
    };
    for number in 0..2_500_i64 {
        let started_ms = (below(10) > 0).then(|| i64::try_from(below(40)).unwrap());
        let user = (below(3) > 0).then(|| format!("user-with-a-long-name-{}", below(4)));
        let new = NewRun { started_ms, user, name: Some(format!("run-{:03}", below(200))), ..NewRun::default() };
        let id = tracking.create_run("test", new).await.unwrap().id.to_string();
        let values = [0.5, -0.5, 0.0, -0.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let mut batch = Batch::default();
        for key in ["loss", "acc"] {
            if below(5) > 0 {
                let value = values.get(usize::try_from(below(8)).unwrap()).copied().unwrap_or(0.25);
                batch.metrics.push(point(key, value, number, 0));
            }
        }
        if below(2) > 0 {
            batch.params.push(pair(
                "optimizer",
                ["adam", "sgd", "adamw-with-restarts", "adamw-with-restart"][usize::try_from(below(4)).unwrap()],
            ));
        }
        batch.tags.push(pair("team", &format!("t{}", below(3))));
        tracking.log_batch("test", &id, batch).await.unwrap();
        if below(4) == 0 {
            let ended = RunUpdate { status: Some(RunStatus::Finished), ended_ms: Some(number), name: None };
            tracking.update_run("test", &id, ended).await.unwrap();
        }
        if below(20) == 0 {
            let tags = vec![pair("mlflow.data.context", ["train", "test"][usize::try_from(below(2)).unwrap()])];
            let (source_type, source) = ("code".to_owned(), "{}".to_owned());
            let dataset = DatasetInput {
                name: "looms".into(),
                digest: "d1".into(),
                source_type,
                source,
                schema: None,
                profile: None,
                tags,
            };
            tracking.log_inputs("test", &id, vec![dataset], vec![]).await.unwrap();
        }
        if below(25) == 0 {
            tracking.delete_run("test", &id).await.unwrap();
        }
    }
    let all = RunSearch {
        experiments: vec!["0".into()],
        view: ViewType::All,
        max_results: Some(50_000),
        ..RunSearch::default()
    };
    let rows: Vec<Shown> = tracking.search_runs(&all).unwrap().items.into_iter().map(Shown).collect();
    assert_eq!(rows.len(), 2_500);
    rows
}

const FILTERS: [&str; 14] = [
    "",
    "metrics.loss < 0.5",
    "metrics.loss != 0 AND metrics.acc >= 0",
    "metrics.unknown > 1",
    "params.optimizer = 'adam' and metrics.loss > -1",
    "params.optimizer ILIKE 'ADAMW%'",
    "params.optimizer IS NULL",
    "tags.team != 't1'",
    "attributes.status = 'FINISHED' and end_time > 1000",
    "start_time >= 20 and start_time < 22",
    "dataset.context = 'train'",
    "dataset.name = 'looms' and tags.team = 't0'",
    "attributes.run_name LIKE 'run-0%'",
    "user_id != ''",
];

const ORDERS: [&[&str]; 12] = [
    &[],
    &["metrics.loss"],
    &["metrics.loss DESC"],
    &["metrics.acc DESC", "metrics.loss ASC"],
    &["params.optimizer"],
    &["params.optimizer DESC", "metrics.loss"],
    &["tags.team", "attributes.run_id DESC"],
    &["start_time ASC"],
    &["attributes.end_time DESC"],
    &["run_name", "status DESC"],
    &["user_id DESC", "metrics.acc"],
    &["metrics.unknown", "artifact_uri DESC"],
];

#[tokio::test]
async fn every_search_answers_what_looking_at_every_run_would() {
    let tracking = store();
    let rows = many(&tracking).await;
    let mut compared = 0;
    for (number, filter_text) in FILTERS.iter().enumerate() {
        for (other, keys) in ORDERS.iter().enumerate() {
            let view = [ViewType::ActiveOnly, ViewType::DeletedOnly, ViewType::All][(number + other) % 3];
            let max_results = [7_i64, 300, 1_000][(number + other) % 3];
            let filter = Filter::parse(Entity::Runs, filter_text).unwrap();
            let order = Order::parse(Entity::Runs, keys).unwrap();
            let looked_at: Vec<&Shown> = rows.iter().filter(|row| view.includes(row.0.stage)).collect();
            let expected = search::page(looked_at, &filter, &order, &Start::Beginning, usize::MAX - 1);
            let expected: Vec<&str> = expected.rows.iter().map(|row| row.0.id.as_str()).collect();
            let mut search = RunSearch {
                experiments: vec!["0".into()],
                filter: (*filter_text).to_owned(),
                view,
                max_results: Some(max_results),
                order_by: keys.iter().map(|key| (*key).to_owned()).collect(),
                page_token: None,
            };
            // Pages of seven: some of them are enough.
            let pages = if max_results == 7 { 5 } else { 10_000 };
            let mut found = Vec::new();
            for _ in 0..pages {
                let page = tracking.search_runs(&search).unwrap();
                found.extend(page.items.into_iter().map(|run| run.id.to_string()));
                search.page_token = page.next_page_token;
                if search.page_token.is_none() {
                    assert_eq!(found.len(), expected.len(), "{filter_text} {keys:?}");
                    break;
                }
            }
            assert!(found.iter().eq(expected.iter().take(found.len())), "{filter_text} {keys:?} {view:?}");
            compared += found.len();
        }
    }
    assert!(compared > 30_000, "only {compared} rows compared");
}

#[tokio::test]
async fn a_column_keeps_up_with_what_is_logged() {
    let tracking = store();
    let rows = many(&tracking).await;
    let search = |filter: &str| {
        let search = RunSearch {
            experiments: vec!["0".into()],
            filter: filter.to_owned(),
            view: ViewType::All,
            ..RunSearch::default()
        };
        tracking.search_runs(&search).unwrap().items.len()
    };
    assert_eq!(search("metrics.loss = 0.125"), 0);
    let active: Vec<&str> =
        rows.iter().filter(|row| row.0.stage.as_str() == "active").map(|row| row.0.id.as_str()).collect();
    for id in active.iter().take(3) {
        tracking.log_metric("test", id, point("loss", 0.125, i64::MAX, 5)).await.unwrap();
    }
    // An older point changes nothing.
    tracking.log_metric("test", active[3], point("loss", 0.125, 0, -1)).await.unwrap();
    let new = run(&tracking, "0").await;
    tracking.log_metric("test", &new, point("loss", 0.125, 1, 0)).await.unwrap();
    let without = rows.iter().find(|row| row.0.id.as_str() == active[3]).unwrap().metric("loss").is_none();
    assert_eq!(search("metrics.loss = 0.125"), 4 + usize::from(without));
}

#[tokio::test]
async fn runs_that_begin_between_two_pages_make_no_run_appear_twice() {
    let tracking = store();
    let begin = |started| NewRun { started_ms: Some(started), ..NewRun::default() };
    for started in 0..10 {
        tracking.create_run("test", begin(started)).await.unwrap();
    }
    let mut search = RunSearch { experiments: vec!["0".into()], max_results: Some(4), ..RunSearch::default() };
    let mut starts = Vec::new();
    loop {
        let page = tracking.search_runs(&search).unwrap();
        starts.extend(page.items.iter().filter_map(|run| run.started_ms));
        tracking.create_run("test", begin(100)).await.unwrap();
        search.page_token = page.next_page_token;
        if search.page_token.is_none() {
            break;
        }
    }
    assert_eq!(starts, (0..10).rev().collect::<Vec<i64>>());
}

#[tokio::test]
async fn what_is_wrong_with_a_search_is_said() {
    let tracking = store();
    let search = |change: fn(&mut RunSearch)| {
        let mut search = RunSearch { experiments: vec!["0".into()], ..RunSearch::default() };
        change(&mut search);
        tracking.search_runs(&search)
    };
    check(
        search(|s| s.max_results = Some(0)),
        expect!["invalid: Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"],
    );
    check(
        search(|s| s.max_results = Some(50_001)),
        expect!["invalid: Invalid value 50001 for parameter 'max_results' supplied. It must be at most 50000"],
    );
    check(
        search(|s| s.page_token = Some("nonsense".into())),
        expect!["invalid: Invalid page token, it was not given by this server"],
    );
    check(
        search(|s| s.experiments = vec!["x".into()]),
        expect!["invalid: Invalid experiment ID 'x'. Experiment ID must be a valid integer."],
    );
    assert!(search(|s| s.filter = "metrics.a > 'x'".into()).is_err());
    assert!(search(|s| s.order_by = vec!["nothing".into()]).is_err());
    assert_eq!(search(|s| s.experiments = vec!["7".into()]).unwrap().items, []);
}

#[tokio::test]
async fn experiments_are_found_by_name_and_tag() {
    let tracking = store();
    for (name, team) in [("weft stops", "a"), ("warp stops", "b"), ("Weft density", "a")] {
        let new = NewExperiment { name: name.to_owned(), tags: vec![pair("team", team)], ..NewExperiment::default() };
        tracking.create_experiment("test", new).await.unwrap();
    }
    tracking.delete_experiment("test", "2").await.unwrap();
    let names = |search: ExperimentSearch| -> Vec<String> {
        tracking.search_experiments(&search).unwrap().items.into_iter().map(|found| found.name).collect()
    };
    let by_name = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        names(ExperimentSearch { order_by: by_name(&["name"]), ..Default::default() }),
        ["Default", "Weft density", "weft stops"]
    );
    assert_eq!(
        names(ExperimentSearch {
            filter: "name ILIKE 'weft%'".into(),
            order_by: by_name(&["experiment_id"]),
            ..Default::default()
        }),
        ["weft stops", "Weft density"]
    );
    assert_eq!(
        names(ExperimentSearch { filter: "tags.team = 'b'".into(), view: ViewType::DeletedOnly, ..Default::default() }),
        ["warp stops"]
    );
    let mut search = ExperimentSearch {
        view: ViewType::All,
        max_results: Some(1),
        order_by: by_name(&["name DESC"]),
        ..Default::default()
    };
    let mut all = Vec::new();
    loop {
        let page = tracking.search_experiments(&search).unwrap();
        all.extend(page.items.into_iter().map(|found| found.name));
        search.page_token = page.next_page_token;
        if search.page_token.is_none() {
            break;
        }
    }
    assert_eq!(all, ["weft stops", "warp stops", "Weft density", "Default"]);
}

#[tokio::test]
async fn logged_models_are_found_by_what_they_are_and_how_well_they_did() {
    let tracking = store();
    let id = experiment(&tracking, "weft").await;
    let source = run(&tracking, &id).await;
    for (name, acc) in [("a", 0.5), ("b", 0.9), ("c", 0.7)] {
        let new = NewLoggedModel {
            experiment: id.clone(),
            name: Some(name.into()),
            params: vec![pair("depth", name)],
            run: Some(source.clone()),
            ..NewLoggedModel::default()
        };
        let model = tracking.create_logged_model("test", new).await.unwrap();
        for (dataset, value) in [("train", 1.0 - acc), ("test", acc)] {
            let point = MetricPoint {
                logged_model: Some(LoggedModelId::new(model.id.as_str()).unwrap()),
                dataset: Some(dataset.to_owned()),
                dataset_digest: Some("d".to_owned()),
                ..point("acc", value, 1, 0)
            };
            tracking.log_metric("test", &source, point).await.unwrap();
        }
    }
    let names = |search: LoggedModelSearch| -> Vec<String> {
        let search = LoggedModelSearch { experiments: vec![id.clone()], ..search };
        tracking.search_logged_models(&search).unwrap().items.into_iter().map(|found| found.name).collect()
    };
    let on = |dataset: &str| vec![DatasetFilter { name: dataset.to_owned(), digest: None }];
    let by_acc = |ascending, dataset: &str| {
        vec![LoggedModelOrder {
            field_name: "metrics.acc".into(),
            ascending,
            dataset_name: Some(dataset.into()),
            dataset_digest: None,
        }]
    };
    assert_eq!(names(LoggedModelSearch { filter: "name = 'b'".into(), ..Default::default() }), ["b"]);
    assert_eq!(names(LoggedModelSearch { filter: "params.depth = 'c'".into(), ..Default::default() }), ["c"]);
    assert_eq!(
        names(LoggedModelSearch {
            filter: "metrics.acc > 0.6".into(),
            datasets: on("test"),
            order_by: by_acc(true, "test"),
            ..Default::default()
        }),
        ["c", "b"]
    );
    assert_eq!(names(LoggedModelSearch { order_by: by_acc(false, "train"), ..Default::default() }), ["a", "c", "b"]);
    assert_eq!(names(LoggedModelSearch { datasets: on("nothing"), ..Default::default() }), Vec::<String>::new());
    assert_eq!(
        names(LoggedModelSearch { order_by: by_acc(false, "test"), max_results: Some(2), ..Default::default() }),
        ["b", "c"]
    );
}

#[tokio::test]
async fn datasets_of_experiments() {
    let tracking = store();
    let id = experiment(&tracking, "weft").await;
    let dataset = |name: &str, context: Option<&str>| DatasetInput {
        name: name.to_owned(),
        digest: "d".to_owned(),
        source_type: "code".to_owned(),
        source: "{}".to_owned(),
        schema: None,
        profile: None,
        tags: context.map(|context| pair("mlflow.data.context", context)).into_iter().collect(),
    };
    for _ in 0..2 {
        let run = run(&tracking, &id).await;
        tracking.log_inputs("test", &run, vec![dataset("b", Some("train")), dataset("a", None)], vec![]).await.unwrap();
    }
    let found = tracking.search_datasets(std::slice::from_ref(&id)).unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|found| (&*found.experiment, &*found.name, &*found.digest, found.context.as_deref()))
        .collect();
    assert_eq!(shown, [("1", "a", "d", None), ("1", "b", "d", Some("train"))]);
    check(
        tracking.search_datasets(&[]),
        expect!["invalid: SearchDatasets request must specify at least one experiment_id."],
    );
}

proptest! {
    #[test]
    fn no_text_makes_a_search_panic(filter in ".{0,60}", key in ".{0,30}", token in ".{0,30}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let tracking = store();
            let search = RunSearch { experiments: vec!["0".into()], filter, order_by: vec![key], page_token: Some(token), ..RunSearch::default() };
            drop(tracking.search_runs(&search));
        });
    }
}
