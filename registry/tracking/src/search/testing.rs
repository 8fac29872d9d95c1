//! A row for tests.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Attribute, DatasetView, MetricView, Row, Value};

#[derive(Clone, Debug, Default)]
pub struct TestRow {
    pub numbers: BTreeMap<u8, f64>,
    pub texts: BTreeMap<u8, String>,
    pub metrics: BTreeMap<String, f64>,
    pub params: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// Name, digest, context.
    pub datasets: Vec<(String, String, Option<String>)>,
    pub points: Vec<Point>,
}

/// A metric of a logged model.
#[derive(Clone, Debug)]
pub struct Point {
    pub key: String,
    pub value: f64,
    pub at_ms: i64,
    pub dataset: Option<(String, String)>,
}

impl TestRow {
    pub fn run(id: &str, started_ms: f64) -> Self {
        Self::default().text(Attribute::RunId, id).number(Attribute::StartTime, started_ms)
    }

    pub fn text(mut self, attribute: Attribute, text: &str) -> Self {
        self.texts.insert(attribute as u8, text.to_owned());
        self
    }

    pub fn number(mut self, attribute: Attribute, number: f64) -> Self {
        self.numbers.insert(attribute as u8, number);
        self
    }

    pub fn metric(mut self, key: &str, value: f64) -> Self {
        self.metrics.insert(key.to_owned(), value);
        self
    }

    pub fn param(mut self, key: &str, value: &str) -> Self {
        self.params.insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn dataset(mut self, name: &str, digest: &str, context: Option<&str>) -> Self {
        self.datasets.push((name.to_owned(), digest.to_owned(), context.map(str::to_owned)));
        self
    }

    pub fn point(mut self, key: &str, value: f64, at_ms: i64, dataset: Option<(&str, &str)>) -> Self {
        let dataset = dataset.map(|(name, digest)| (name.to_owned(), digest.to_owned()));
        self.points.push(Point { key: key.to_owned(), value, at_ms, dataset });
        self
    }

    pub fn id(&self) -> &str {
        self.texts.get(&(Attribute::RunId as u8)).map_or("", String::as_str)
    }
}

impl Row for TestRow {
    fn attribute(&self, attribute: Attribute) -> Value<'_> {
        match (self.numbers.get(&(attribute as u8)), self.texts.get(&(attribute as u8))) {
            (Some(number), _) => Value::Number(*number),
            (None, Some(text)) => Value::Text(Cow::Borrowed(text)),
            (None, None) => Value::Absent,
        }
    }

    fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    fn param(&self, key: &str) -> Option<&str> {
        self.params.get(key).map(String::as_str)
    }

    fn metric(&self, key: &str) -> Option<f64> {
        self.metrics.get(key).copied()
    }

    fn any_dataset(&self, test: &mut dyn FnMut(DatasetView<'_>) -> bool) -> bool {
        self.datasets
            .iter()
            .any(|(name, digest, context)| test(DatasetView { name, digest, context: context.as_deref() }))
    }

    fn any_metric(&self, test: &mut dyn FnMut(MetricView<'_>) -> bool) -> bool {
        self.points.iter().any(|point| {
            test(MetricView {
                key: &point.key,
                value: point.value,
                at_ms: point.at_ms,
                step: 0,
                dataset: point.dataset.as_ref().map(|(name, _)| name.as_str()),
                dataset_digest: point.dataset.as_ref().map(|(_, digest)| digest.as_str()),
            })
        })
    }
}
