//! From a request and the read models to a diagnosis.

use domain::Text;
use domain::ids::{FaultId, WorkOrderId};
use eventlog::Position;
use projections::AsOf;
use projections::folds::episodes::Episodes;
use retrieval::casebase::{CaseNumber, Experience, LEAST_COUNTED, ModeScore, Past, Ranking, Seen};
use retrieval::curated::Curated;
use retrieval::dictionary;

use super::{Candidate, DiagnoseRequest, Diagnosis, Made, NextCheck, PastCase, Verdict};
use crate::answer::{MAX_LIMIT, QuestionError};
use crate::case_index::{CaseIndex, shown};
use crate::cases::{Case, actions, latest, scores};
use crate::facade::Models;
use crate::record::{Kind, RecordId};
use crate::search_index::nanoseconds;
use crate::words::Words;

/// The modes when the caller does not say how many.
const DEFAULT_MODES: usize = 5;

/// The most alarms of a request.
const MAX_ALARMS: usize = 64;

/// The longest text of symptoms, in bytes.
const MAX_SYMPTOMS_BYTES: usize = 4_096;

/// Episodes that are shown for a mode.
const SHOWN_EPISODES: usize = 5;

/// Actions that are shown for a mode.
const SHOWN_ACTIONS: usize = 10;

/// The latest episodes of a mode that its actions are counted in.
pub(crate) const COUNTED_EPISODES: usize = 1_000;

/// The checks that are proposed.
const SHOWN_CHECKS: usize = 3;

/// The least probability of a candidate that is shown behind the first one.
const LEAST_PROBABILITY: f64 = 0.01;

/// The least likeness of an uncoded case for it to be shown.
const LEAST_ALIKE_UNCODED: f32 = 0.35;

/// A ratio that says nothing, as log likelihood ratio.
const SILENT_RATIO: f64 = 0.05;

/// Diagnoses what is seen from what was known.
pub(crate) fn ask(
    models: &Models,
    index: &CaseIndex,
    words: &Words,
    request: &DiagnoseRequest,
) -> Result<Diagnosis, QuestionError> {
    let invalid = |field, reason: &str| Err(QuestionError::Invalid { field, reason: reason.to_owned() });
    let nothing = request.symptoms.trim().is_empty() && request.alarms.is_empty() && request.readings.is_empty();
    if nothing && request.at.is_none() {
        return invalid("symptoms", "neither symptoms nor alarms are given, nor an asset to look at");
    }
    if request.symptoms.len() > MAX_SYMPTOMS_BYTES {
        return invalid("symptoms", "they are longer than 4096 bytes");
    }
    if request.alarms.len() > MAX_ALARMS {
        return invalid("alarms", "there are more than 64");
    }
    let limit = request.limit.unwrap_or(DEFAULT_MODES).clamp(1, MAX_LIMIT);
    let newest = index.checkpoint().min(models.episodes.checkpoint()).previous();
    let as_of = request.as_of.map_or(newest, |asked| newest.map(|newest| asked.min(newest)));
    let curated = words.at(request.as_of);
    let Some(position) = as_of else {
        let reason = Text::new("还没有编码过的故障。", "No episode has been coded with a failure mode yet.");
        return Ok(Diagnosis::nothing(None, reason, &curated));
    };
    if nothing {
        let reason = Text::new(
            "测量值与平时无异，最近也没有报警。",
            "The readings are as usual, and no alarm was raised lately.",
        );
        return Ok(Diagnosis::nothing(as_of, reason, &curated));
    }
    let symptoms = curated.widened(&request.symptoms);
    Ok(index.look(request.as_of, position, |base, experience| {
        models.episodes.read(|episodes, _| {
            let asking = Asking { past: base.at(position.get()), episodes, position, limit, curated: &curated };
            asking.answer(experience, request, &symptoms)
        })
    }))
}

struct Asking<'a> {
    past: Past<'a>,
    episodes: &'a Episodes,
    position: Position,
    limit: usize,
    curated: &'a Curated,
}

impl Asking<'_> {
    /// `symptoms` are those of the request with what else means the same.
    fn answer(&self, experience: Option<&Experience>, request: &DiagnoseRequest, symptoms: &str) -> Diagnosis {
        let readings: Vec<String> = request.readings.iter().map(shown).collect();
        let seen = Seen {
            asset: request.asset.as_deref(),
            class: request.class.as_deref(),
            text: symptoms,
            alarms: &request.alarms,
            readings: &readings,
        };
        let ranking = self.past.rank(&seen, experience);
        let uncoded: Vec<PastCase> = ranking
            .uncoded
            .iter()
            .filter(|(_, likeness)| *likeness >= LEAST_ALIKE_UNCODED)
            .take(self.limit)
            .filter_map(|(case, likeness)| Some(self.case(self.past.key(*case))?.shown(f64::from(*likeness))))
            .collect();
        let mut candidates = Vec::new();
        if ranking.fits {
            let likely = ranking.modes.iter().enumerate().filter(|(rank, mode)| {
                let best = mode.alike.first().map_or(0.0, |(_, likeness)| *likeness);
                *rank == 0 || (mode.probability >= LEAST_PROBABILITY && best >= LEAST_COUNTED)
            });
            candidates = likely.take(self.limit).map(|(_, mode)| self.candidate(mode)).collect();
        }
        let checks = if candidates.is_empty() {
            Vec::new()
        } else {
            let checks = self.past.checks(&ranking, &seen, SHOWN_CHECKS);
            checks.into_iter().map(NextCheck::from).collect()
        };
        let cases = candidates.iter().flat_map(|candidate: &Candidate| &candidate.episodes).chain(&uncoded);
        let evidence = latest(cases.flat_map(|case| case.positions.iter().copied()));
        let (verdict, reason) = judge(&ranking, &candidates, uncoded.len());
        Diagnosis {
            as_of: Some(self.position),
            verdict,
            reason,
            n: ranking.n,
            among_three: ranking.among,
            candidates,
            checks,
            uncoded,
            evidence,
            made: Made::by(experience, self.curated),
        }
    }

    /// A past case by its key.
    fn case(&self, key: &str) -> Option<Case> {
        let (as_of, id) = (AsOf::through(self.position), RecordId::parse(key)?);
        if id.kind() == Kind::FaultEpisode.as_str() {
            let view = self.episodes.fault_at(&FaultId::new(id.key()).ok()?, as_of)?;
            return Some(Case::new(&view));
        }
        let view = self.episodes.alone_at(&WorkOrderId::new(id.key()).ok()?, as_of)?;
        Some(Case::new(&view))
    }

    fn candidate(&self, mode: &ModeScore) -> Candidate {
        let (hits, voters) = mode.votes;
        let bounds = domain::kpi::beta_bounds(hits, voters - hits.min(voters));
        let reasons = |sign: f64| -> Vec<(String, f64)> {
            mode.reasons.iter().filter(|(_, ratio)| ratio * sign > SILENT_RATIO).cloned().collect()
        };
        let coded: Vec<CaseNumber> = self.past.coded_with(&mode.mode).collect();
        let fault = |case: &CaseNumber| FaultId::new(RecordId::parse(self.past.key(*case))?.key()).ok();
        let from = coded.len().saturating_sub(COUNTED_EPISODES);
        let latest: Vec<FaultId> = coded.get(from..).unwrap_or_default().iter().filter_map(fault).collect();
        let counted = self.episodes.judged_by(&latest, AsOf::through(self.position), |time| {
            let after = |case: &&CaseNumber| self.past.happened(**case).is_some_and(|ns| ns >= nanoseconds(time));
            coded.iter().filter(after).filter_map(fault).collect()
        });
        let done: Vec<_> = counted.iter().map(|view| (actions(view), view.success.observed())).collect();
        let mut actions = scores(done.iter().map(|(actions, worked)| (actions.as_slice(), *worked)));
        actions.truncate(SHOWN_ACTIONS);
        Candidate {
            mode: mode.mode.clone(),
            n: mode.n,
            n_alike: u64::try_from(mode.alike.iter().filter(|(_, likeness)| *likeness >= LEAST_COUNTED).count())
                .unwrap_or(u64::MAX),
            probability: mode.probability,
            low: bounds.low,
            high: bounds.high,
            for_it: reasons(1.0),
            against_it: reasons(-1.0),
            episodes: mode
                .alike
                .iter()
                .take(SHOWN_EPISODES)
                .filter_map(|(case, likeness)| Some(self.case(self.past.key(*case))?.shown(f64::from(*likeness))))
                .collect(),
            actions,
            last_seen: counted.iter().filter_map(|view| view.opened_at).max(),
        }
    }
}

impl Made {
    /// Made by the present code and dictionary, this experience, and these words of the plant.
    pub(crate) fn by(experience: Option<&Experience>, curated: &Curated) -> Self {
        Self {
            code: env!("CARGO_PKG_VERSION").to_owned(),
            dictionary: dictionary::VERSION,
            words: curated.position().map(Position::new),
            experience: experience.map(|experience| Position::new(experience.through)),
        }
    }
}

fn judge(ranking: &Ranking, candidates: &[Candidate], uncoded: usize) -> (Verdict, Text) {
    match candidates.first() {
        Some(best) => (
            Verdict::Match,
            Text::new(
                &format!("最像 {}：{} 个历史故障中有 {} 个相似。", best.mode, best.n, best.n_alike),
                &format!("{} fits best: {} of its {} past episodes are alike.", best.mode, best.n_alike, best.n),
            ),
        ),
        None if ranking.n == 0 => (
            Verdict::NoGoodMatch,
            Text::new("还没有编码过的故障。", "No episode has been coded with a failure mode yet."),
        ),
        None => (
            Verdict::NoGoodMatch,
            Text::new(
                &format!("{} 个编码过的故障中没有足够相似的；未编码的相似记录有 {uncoded} 条。", ranking.n),
                &format!("None of {} coded episodes is alike enough; {uncoded} uncoded cases are alike.", ranking.n),
            ),
        ),
    }
}
