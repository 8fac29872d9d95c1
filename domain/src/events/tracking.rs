//! What was tried: experiments, runs, and the models that runs logged.
//!
//! Times within payloads are those that the client says, in milliseconds since 1970; the record has its own.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_with::skip_serializing_none;

use crate::ids::{ExperimentId, LoggedModelId, RunId};

/// A tag or parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyValue {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A number that may also be NaN or infinite, which a diverging training is. As JSON: a number, or `"NaN"`, `"Infinity"`, `"-Infinity"`.
#[derive(Clone, Copy, Debug)]
pub struct Real(pub f64);

impl PartialEq for Real {
    /// NaN equals itself here: a point that was logged is the same point when it is read back.
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || (self.0.is_nan() && other.0.is_nan())
    }
}

impl Serialize for Real {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            value if value.is_nan() => serializer.serialize_str("NaN"),
            value if value > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Real;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Real, E> {
                Ok(Real(value))
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "a metric is a float; a client that writes a whole number means the nearest one"
            )]
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Real, E> {
                Ok(Real(value as f64))
            }

            #[expect(clippy::cast_precision_loss, reason = "as above")]
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Real, E> {
                Ok(Real(value as f64))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Real, E> {
                match text {
                    "NaN" => Ok(Real(f64::NAN)),
                    "Infinity" => Ok(Real(f64::INFINITY)),
                    "-Infinity" => Ok(Real(f64::NEG_INFINITY)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A value of a metric at a step.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricPoint {
    /// The metric.
    pub key: String,
    /// Its value.
    pub value: Real,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// At which step of the training.
    #[serde(default)]
    pub step: i64,
    /// The logged model that it is about.
    pub logged_model: Option<LoggedModelId>,
    /// The dataset that it was measured on, by name.
    pub dataset: Option<String>,
    /// That dataset's digest, as the client computed it.
    pub dataset_digest: Option<String>,
}

/// An experiment came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentCreated {
    /// The experiment.
    pub experiment: ExperimentId,
    /// Its name; no two experiments have the same.
    pub name: String,
    /// Where its files live.
    pub artifact_location: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<KeyValue>,
}

/// An experiment is called otherwise from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentRenamed {
    /// The experiment.
    pub experiment: ExperimentId,
    /// Its new name.
    pub name: String,
}

/// An experiment, and every run of it that was active, is put aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentDeleted {
    /// The experiment.
    pub experiment: ExperimentId,
}

/// An experiment, and every run that was put aside with it, is back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentRestored {
    /// The experiment.
    pub experiment: ExperimentId,
}

/// A tag of an experiment was set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentTagSet {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The tag.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A tag of an experiment was taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentTagRemoved {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The tag.
    pub key: String,
}

/// How a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It goes on.
    Running,
    /// It waits for its turn.
    Scheduled,
    /// It came to its end.
    Finished,
    /// It ended with an error.
    Failed,
    /// Somebody ended it.
    Killed,
}

/// A run began.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCreated {
    /// The run.
    pub run: RunId,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// Its name.
    pub name: String,
    /// Whose it is, as the client says.
    pub user: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// Where its files live.
    pub artifact_uri: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<KeyValue>,
}

/// A run is doing otherwise, or is called otherwise.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunUpdated {
    /// The run.
    pub run: RunId,
    /// Its status from now on.
    pub status: Option<RunStatus>,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// Its new name.
    pub name: Option<String>,
}

/// A run logged metrics, parameters or tags: what came in one request is one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunLogged {
    /// The run.
    pub run: RunId,
    /// Its metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricPoint>,
    /// Its parameters, which never change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<KeyValue>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<KeyValue>,
}

/// A tag of a run was taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTagRemoved {
    /// The run.
    pub run: RunId,
    /// The tag.
    pub key: String,
}

/// A run is put aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDeleted {
    /// The run.
    pub run: RunId,
}

/// A run is back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRestored {
    /// The run.
    pub run: RunId,
}

/// A dataset that went into a run, as the client describes it.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetInput {
    /// Its name.
    pub name: String,
    /// Its digest, as the client computed it.
    pub digest: String,
    /// What kind of place it came from.
    pub source_type: String,
    /// Where it came from.
    pub source: String,
    /// Its columns.
    pub schema: Option<String>,
    /// Its size.
    pub profile: Option<String>,
    /// What it was used for, and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<KeyValue>,
}

/// What went into a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInputsLogged {
    /// The run.
    pub run: RunId,
    /// Datasets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<DatasetInput>,
    /// Logged models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<LoggedModelId>,
}

/// A model that came out of a run at a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelOutput {
    /// The logged model.
    pub logged_model: LoggedModelId,
    /// At which step.
    #[serde(default)]
    pub step: i64,
}

/// What came out of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOutputsLogged {
    /// The run.
    pub run: RunId,
    /// Logged models.
    pub models: Vec<ModelOutput>,
}

/// A model is being logged.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedModelCreated {
    /// The logged model.
    pub logged_model: LoggedModelId,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// Its name.
    pub name: String,
    /// The run that made it.
    pub run: Option<RunId>,
    /// What kind of model, in the maker's words.
    pub model_type: Option<String>,
    /// Where its files live.
    pub artifact_uri: String,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<KeyValue>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<KeyValue>,
}

/// Whether a logged model is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoggedModelStatus {
    /// Its files are on the way.
    Pending,
    /// Its files are there.
    Ready,
    /// It did not come to be.
    UploadFailed,
}

/// A logged model is complete, or will never be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedModelFinalized {
    /// The logged model.
    pub logged_model: LoggedModelId,
    /// Which of the two.
    pub status: LoggedModelStatus,
}

/// Parameters of a logged model, which never change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedModelParamsLogged {
    /// The logged model.
    pub logged_model: LoggedModelId,
    /// The parameters.
    pub params: Vec<KeyValue>,
}

/// Tags of a logged model were set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedModelTagsSet {
    /// The logged model.
    pub logged_model: LoggedModelId,
    /// The tags.
    pub tags: Vec<KeyValue>,
}

/// A tag of a logged model was taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedModelTagRemoved {
    /// The logged model.
    pub logged_model: LoggedModelId,
    /// The tag.
    pub key: String,
}

/// A logged model is put aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedModelDeleted {
    /// The logged model.
    pub logged_model: LoggedModelId,
}

/// A file was stored, or stored anew, under a path. Its content lies in the artifact store by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactStored {
    /// The part of the path that the files of one run, or of one logged model, share (`1/RUN`, `1/models/m-ID`).
    pub root: String,
    /// The rest of the path (`artifacts/sub/x.txt`).
    pub path: String,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Files are no longer there under a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactRemoved {
    /// As in [`ArtifactStored`].
    pub root: String,
    /// The file, or the folder with everything in it.
    pub path: String,
}
