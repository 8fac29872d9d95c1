//! Two versions of a model, side by side: what they are for, what they were made from, and how they did.

use std::collections::BTreeSet;

use domain::events::Port;
use indexmap::IndexMap;
use projections::folds::models::VersionView;
use serde::Serialize;
use serde_json::Value;

/// A number of both versions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Of the first version.
    pub a: Option<f64>,
    /// Of the second version.
    pub b: Option<f64>,
    /// The second less the first.
    pub difference: Option<f64>,
}

/// How both did on one dataset, each by its last evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluationPair {
    /// The dataset.
    pub dataset: String,
    /// Whether the digests of the data are the same; unknown where one is not given.
    pub same_data: Option<bool>,
    /// By metric.
    pub metrics: IndexMap<String, Pair>,
}

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What.
    pub what: String,
    /// In the first version; null where it has none.
    pub a: Value,
    /// In the second version; null where it has none.
    pub b: Value,
}

/// Two versions side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The first version.
    pub a: u32,
    /// The second version.
    pub b: u32,
    /// The metrics that their makers gave, by name.
    pub metrics: IndexMap<String, Pair>,
    /// How they did, by dataset.
    pub evaluations: Vec<EvaluationPair>,
    /// Whether one can take the other's place: the same inputs and outputs in the same units.
    pub same_signature: bool,
    /// Inputs and outputs that differ.
    pub signature: Vec<Difference>,
    /// The parameters of the recipe that differ.
    pub parameters: Vec<Difference>,
    /// What they were made from, where it differs: log range, dataset, run, code, parents.
    pub lineage: Vec<Difference>,
    /// Files that differ, by digest.
    pub files: Vec<Difference>,
    /// Tags that differ.
    pub tags: Vec<Difference>,
}

/// Compares two versions.
pub fn compare(a: VersionView<'_>, b: VersionView<'_>) -> Comparison {
    let (left, right) = (&a.created().value, &b.created().value);
    let recipe = |version: &domain::events::ModelVersionCreated| {
        version.lineage.as_deref().and_then(|lineage| lineage.recipe.clone()).unwrap_or(Value::Null)
    };
    let made_from = |version: &domain::events::ModelVersionCreated| {
        let mut made_from = serde_json::json!({
            "trained_on": version.trained_on, "run": version.run, "logged_model": version.logged_model,
            "source": version.source, "author": version.author, "runtime": version.runtime, "lineage": version.lineage,
        });
        if let Some(lineage) = made_from.get_mut("lineage").and_then(Value::as_object_mut) {
            lineage.remove("recipe");
        }
        made_from
    };
    let files = |version: &domain::events::ModelVersionCreated| {
        version.artifacts.iter().map(|file| (file.name.clone(), Value::from(file.sha256.clone()))).collect()
    };
    let tags = |version: VersionView<'_>| {
        version.tags().map(|(key, value)| (key.to_owned(), Value::from(value))).collect::<IndexMap<_, _>>()
    };
    let signature: Vec<Difference> =
        [("inputs", &left.inputs, &right.inputs), ("outputs", &left.outputs, &right.outputs)]
            .into_iter()
            .flat_map(|(kind, a, b)| differences(&ports(kind, a), &ports(kind, b)))
            .collect();
    Comparison {
        a: a.number(),
        b: b.number(),
        metrics: pairs(&left.metrics, &right.metrics),
        evaluations: evaluations(a, b),
        same_signature: signature.is_empty(),
        signature,
        parameters: differences(&flat(&recipe(left)), &flat(&recipe(right))),
        lineage: differences(&flat(&made_from(left)), &flat(&made_from(right))),
        files: differences(&files(left), &files(right)),
        tags: differences(&tags(a), &tags(b)),
    }
}

fn pairs(a: &IndexMap<String, f64>, b: &IndexMap<String, f64>) -> IndexMap<String, Pair> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let pair = |name: &String| {
        let (a, b) = (a.get(name).copied(), b.get(name).copied());
        Pair { a, b, difference: a.zip(b).map(|(a, b)| b - a) }
    };
    names.into_iter().map(|name| (name.clone(), pair(name))).collect()
}

fn evaluations(a: VersionView<'_>, b: VersionView<'_>) -> Vec<EvaluationPair> {
    let last = |version: VersionView<'_>, dataset: &str| {
        version.evaluations().iter().rev().find(|said| said.value.dataset == dataset).map(|said| said.value.clone())
    };
    let all = a.evaluations().iter().chain(b.evaluations());
    let names: BTreeSet<&str> = all.map(|said| said.value.dataset.as_str()).collect();
    let pair = |dataset: &str| {
        let (a, b) = (last(a, dataset), last(b, dataset));
        let digest = |one: &Option<domain::events::ModelVersionEvaluated>| one.as_ref()?.dataset_sha256.clone();
        let metrics =
            |one: Option<domain::events::ModelVersionEvaluated>| one.map(|one| one.metrics).unwrap_or_default();
        let same_data = digest(&a).zip(digest(&b)).map(|(a, b)| a == b);
        EvaluationPair { dataset: dataset.to_owned(), same_data, metrics: pairs(&metrics(a), &metrics(b)) }
    };
    names.into_iter().map(pair).collect()
}

fn ports(kind: &str, ports: &[Port]) -> IndexMap<String, Value> {
    ports.iter().map(|port| (format!("{kind}.{}", port.name), serde_json::json!(port))).collect()
}

/// The leaves of a JSON value by path, empty ones left out.
fn flat(value: &Value) -> IndexMap<String, Value> {
    fn walk(path: &str, value: &Value, leaves: &mut IndexMap<String, Value>) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            Value::Null => {}
            Value::Object(fields) => fields.iter().for_each(|(name, field)| walk(&below(name), field, leaves)),
            leaf => drop(leaves.insert(path.to_owned(), leaf.clone())),
        }
    }
    let mut leaves = IndexMap::new();
    walk("", value, &mut leaves);
    leaves
}

fn differences(a: &IndexMap<String, Value>, b: &IndexMap<String, Value>) -> Vec<Difference> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differs = names.into_iter().filter(|name| a.get(*name) != b.get(*name));
    let value = |side: &IndexMap<String, Value>, name: &String| side.get(name).cloned().unwrap_or(Value::Null);
    differs.map(|name| Difference { what: name.clone(), a: value(a, name), b: value(b, name) }).collect()
}
