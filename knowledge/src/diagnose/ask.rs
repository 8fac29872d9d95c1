//! From a request and the read models to a diagnosis.

use projections::AsOf;

use super::rank::{Seen, rank};
use super::{DiagnoseRequest, Diagnosis};
use crate::answer::{MAX_LIMIT, QuestionError};
use crate::cases::{WordCache, cases};
use crate::facade::Models;

/// The modes when the caller does not say how many.
const DEFAULT_MODES: usize = 5;

/// The most alarms of a request.
const MAX_ALARMS: usize = 64;

/// The longest text of symptoms, in bytes.
const MAX_SYMPTOMS_BYTES: usize = 4_096;

/// Diagnoses what is seen from what was known.
pub(crate) fn ask(models: &Models, words: &WordCache, request: &DiagnoseRequest) -> Result<Diagnosis, QuestionError> {
    let invalid = |field, reason: &str| Err(QuestionError::Invalid { field, reason: reason.to_owned() });
    if request.symptoms.trim().is_empty() && request.alarms.is_empty() {
        return invalid("symptoms", "neither symptoms nor alarms are given");
    }
    if request.symptoms.len() > MAX_SYMPTOMS_BYTES {
        return invalid("symptoms", "they are longer than 4096 bytes");
    }
    if request.alarms.len() > MAX_ALARMS {
        return invalid("alarms", "there are more than 64");
    }
    let (as_of, class, known) = models.episodes.read(|episodes, checkpoint| {
        let newest = checkpoint.previous();
        let as_of = request.as_of.map_or(newest, |asked| newest.map(|newest| asked.min(newest)));
        let Some(position) = as_of else { return (None, request.class.clone(), Vec::new()) };
        let then = AsOf::through(position);
        let class = request.class.clone().or_else(|| {
            let asset = domain::ids::AssetId::new(request.asset.as_deref()?).ok()?;
            episodes.class_of(&asset, then).map(|class| class.as_str().to_owned())
        });
        (as_of, class, cases(episodes, words, then))
    });
    let seen = Seen {
        asset: request.asset.as_deref(),
        class: class.as_deref(),
        symptoms: &request.symptoms,
        alarms: &request.alarms,
    };
    let limit = request.limit.unwrap_or(DEFAULT_MODES).clamp(1, MAX_LIMIT);
    let mut diagnosis = rank(&known, &seen, limit);
    diagnosis.as_of = as_of;
    Ok(diagnosis)
}
