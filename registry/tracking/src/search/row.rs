//! What can be searched for.

use std::borrow::Cow;

use super::grammar::Attribute;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is none.
    Absent,
    /// A number. Times are milliseconds since 1970, which a float holds exactly until the year 287396.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// A text that is borrowed.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A time, or nothing.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of any year that is written with four digits are exact"
    )]
    pub fn time_ms(at: Option<i64>) -> Self {
        at.map_or(Self::Absent, |at| Self::Number(at as f64))
    }
}

/// A dataset that went into a run.
#[derive(Clone, Copy, Debug)]
pub struct DatasetView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its digest.
    pub digest: &'a str,
    /// What it was used for (its input's tag `mlflow.data.context`).
    pub context: Option<&'a str>,
}

/// The latest value that a metric of a logged model has on a dataset, or on none.
#[derive(Clone, Copy, Debug)]
pub struct MetricView<'a> {
    /// The metric.
    pub key: &'a str,
    /// Its value.
    pub value: f64,
    /// When it was measured, in milliseconds since 1970.
    pub at_ms: i64,
    /// At which step.
    pub step: i64,
    /// The dataset's name.
    pub dataset: Option<&'a str>,
    /// The dataset's digest.
    pub dataset_digest: Option<&'a str>,
}

/// A row that can be searched for. What a kind of row does not have, it need not answer.
pub trait Row {
    /// An attribute. An attribute that this kind of row does not have is absent. A status is the name that MLflow uses (`FINISHED`, `READY`), an
    /// experiment's id is a number where it is one.
    fn attribute(&self, attribute: Attribute) -> Value<'_>;

    /// A tag.
    fn tag(&self, key: &str) -> Option<&str>;

    /// A parameter.
    fn param(&self, _key: &str) -> Option<&str> {
        None
    }

    /// The latest value of a metric of a run.
    fn metric(&self, _key: &str) -> Option<f64> {
        None
    }

    /// Whether `test` holds for one of the datasets that went into a run. It is asked of one after the other until it holds.
    fn any_dataset(&self, _test: &mut dyn FnMut(DatasetView<'_>) -> bool) -> bool {
        false
    }

    /// Whether `test` holds for one of the metrics of a logged model. It is asked of one after the other until it holds.
    fn any_metric(&self, _test: &mut dyn FnMut(MetricView<'_>) -> bool) -> bool {
        false
    }
}
