//! FMEA sheets beside history: how often each mode happened, and how often it was noticed in time.
//!
//! A pure join of read models at a position. The expert's ranks stay as they are; O and D are recomputed beside them, by the scales of [`domain::fmea`], with the ranks that the bounds allow.
//! S stays the expert's.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use domain::events::{ArticleKind, FmeaRow, MachineState, Rank};
use domain::fmea::{FOUND_BY_LOOKING, detection, occurrence};
use domain::ids::{ArticleId, AssetId, Code};
use domain::statistics::{
    Estimate, LEVEL, Quantile, Share, chi_square_quantile, mean_time_between_failures, quantile, wilson,
};
use domain::taxonomy::{Kind, lookup_kind};
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::AsOf;
use crate::folds::alarms::Alarms;
use crate::folds::articles::{Articles, Standing};
use crate::folds::episode_view::EpisodeView;
use crate::folds::episodes::Episodes;
use crate::folds::states::States;
use crate::maintenance::Clock;

/// The most positions of a row.
pub const MAX_POSITIONS: usize = 50;
/// Ranks that differ by so many classes or more are flagged.
pub const FLAGGED_FROM: u8 = 2;

/// The read models that a sheet is compared in.
#[derive(Clone, Copy)]
pub struct FmeaModels<'a> {
    /// The sheets.
    pub articles: &'a Articles,
    /// What failed.
    pub episodes: &'a Episodes,
    /// When machines ran.
    pub states: &'a States,
    /// What warned.
    pub alarms: &'a Alarms,
}

/// How a sheet is compared.
#[derive(Clone, Debug)]
pub struct FmeaRequest {
    /// The sheet.
    pub article: ArticleId,
    /// Only episodes from this event time on; since each asset was first watched, when absent.
    pub from: Option<Timestamp>,
    /// Only episodes before this event time; up to the newest known event, when absent.
    pub to: Option<Timestamp>,
    /// What time is counted in: days of running, or days of the calendar.
    pub clock: Clock,
    /// How long before an episode an alarm counts as its warning.
    pub lead: SignedDuration,
    /// What was known.
    pub as_of: AsOf,
}

/// A rank from history, beside the expert's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Recomputed {
    /// The rank of the estimate.
    pub rank: Rank,
    /// The least rank that the 95 % bounds allow.
    pub least: Rank,
    /// The greatest rank that they allow.
    pub greatest: Rank,
    /// Whether it differs from the expert's by two classes or more.
    pub differs: bool,
    /// Whether the expert's rank lies outside of what the bounds allow.
    pub is_sure: bool,
}

/// A row of the sheet with what history says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FmeaRecord<'a> {
    /// The row, with the expert's ranks.
    pub row: &'a FmeaRow,
    /// The expert's S × O × D.
    pub risk_priority: u16,
    /// Whether only episodes at the row's item were counted: where several rows have the same mode.
    pub by_item: bool,
    /// Episodes that were coded with the mode.
    pub episodes: u64,
    /// Episodes by asset and day, between the 95 % bounds (chi-square). Without an episode it is the rate at which none is as likely as not. `None` without exposure.
    pub per_day: Option<Estimate>,
    /// O from that rate.
    pub occurrence: Option<Recomputed>,
    /// How many of the episodes were noticed in time: by a warning, or by somebody who looked.
    pub noticed: Share,
    /// Of these, how many an alarm of the mode preceded.
    pub warned: u64,
    /// Of these, how many were found by a method that looks for failures.
    pub found_by_looking: u64,
    /// Episodes of which nobody said how they were found. They count as noticed only when they were warned of.
    pub unknown_detection: u64,
    /// The share that was noticed, between its 95 % bounds (Wilson); `None` without an episode.
    pub noticed_share: Option<Estimate>,
    /// The median time from the first warning to the episode, in hours.
    pub lead_h: Option<Quantile>,
    /// Codes of alarms that came with episodes of this mode: what counts as its warning.
    pub alarms: BTreeSet<&'a Code>,
    /// D from that share.
    pub detection: Option<Recomputed>,
    /// The expert's S × O × D with O and D from history, where there are such.
    pub recomputed_risk_priority: Option<u16>,
    /// The latest positions of the episodes.
    pub positions: Vec<Position>,
}

/// A sheet with what history says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FmeaSheet<'a> {
    /// The sheet.
    pub article: &'a ArticleId,
    /// The revision: the newest that was approved, or else the newest.
    pub revision: u32,
    /// Whether it counts.
    pub standing: Standing,
    /// Where the log says it.
    pub position: Position,
    /// What time was counted in.
    pub clock: Clock,
    /// The assets that were watched.
    pub assets: Vec<&'a AssetId>,
    /// Days of all of them together, of running or of the calendar.
    pub exposure_days: f64,
    /// The rows.
    pub rows: Vec<FmeaRecord<'a>>,
}

/// Why a sheet cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FmeaError {
    /// There is no such piece of knowledge.
    #[error("article {article} is not known")]
    Unknown {
        /// The piece.
        article: ArticleId,
    },
    /// It is no FMEA sheet.
    #[error("article {article} is of the kind {kind:?}, and no FMEA sheet")]
    OtherKind {
        /// The piece.
        article: ArticleId,
        /// What it is.
        kind: ArticleKind,
    },
}

/// An asset with the time in which it was watched.
struct Watched<'a> {
    asset: &'a AssetId,
    from: Timestamp,
    to: Timestamp,
}

/// Compares a sheet with history. Its classes say which assets are watched; all are, when it names none.
///
/// # Errors
/// [`FmeaError`].
pub fn compare<'a>(models: FmeaModels<'a>, request: &FmeaRequest) -> Result<FmeaSheet<'a>, FmeaError> {
    let as_of = request.as_of;
    let unknown = || FmeaError::Unknown { article: request.article.clone() };
    let view = models.articles.article(&request.article, as_of).ok_or_else(unknown)?;
    let shown = view.shown().drafted;
    let sheet = &shown.value;
    if sheet.kind != ArticleKind::Fmea {
        return Err(FmeaError::OtherKind { article: request.article.clone(), kind: sheet.kind });
    }
    let in_class = |asset: &AssetId| {
        sheet.classes.is_empty()
            || models.episodes.class_of(asset, as_of).is_some_and(|class| sheet.classes.contains(class))
    };
    let episodes: Vec<EpisodeView<'a>> =
        models.episodes.at(as_of).filter(|episode| episode.asset.is_some_and(in_class)).collect();
    let watched = watched(models, request, &episodes, &in_class);
    let days = watched.iter().fold(0.0, |sum, one| sum + days(models.states, request.clock, one, as_of));
    let within = |episode: &&EpisodeView<'a>| {
        watched.iter().any(|one| {
            episode.asset == Some(one.asset) && episode.opened_at.is_some_and(|at| one.from <= at && at <= one.to)
        })
    };
    let warnings = Warnings::of(models.alarms, as_of);
    let record = |row: &'a FmeaRow| {
        let by_item = sheet.rows.iter().filter(|other| other.mode == row.mode).count() > 1;
        let of_row = |episode: &&EpisodeView<'a>| {
            episode.mode == Some(&row.mode) && (!by_item || episode.item.is_some_and(|item| is_item(item, &row.item)))
        };
        let of_row: Vec<&EpisodeView<'a>> = episodes.iter().filter(of_row).collect();
        let counted: Vec<&EpisodeView<'a>> = of_row.iter().copied().filter(within).collect();
        let found = Found::of(&counted, &of_row, &warnings, request.lead);
        record(row, by_item, &counted, found, days)
    };
    Ok(FmeaSheet {
        article: view.article,
        revision: sheet.revision,
        standing: view.standing,
        position: shown.position,
        clock: request.clock,
        exposure_days: days,
        rows: sheet.rows.iter().map(record).collect(),
        assets: watched.iter().map(|one| one.asset).collect(),
    })
}

/// Whether a row's item, in words or as a code, is the item that an episode names.
fn is_item(item: &Code, words: &str) -> bool {
    let words = words.trim();
    item.as_str().eq_ignore_ascii_case(words)
        || lookup_kind(Kind::Item, item.as_str())
            .is_some_and(|term| term.zh == words || term.en.eq_ignore_ascii_case(words))
}

/// Since when and until when each asset is watched: from its first known state or episode to the newest event of any.
fn watched<'a>(
    models: FmeaModels<'a>,
    request: &FmeaRequest,
    episodes: &[EpisodeView<'a>],
    in_class: &dyn Fn(&AssetId) -> bool,
) -> Vec<Watched<'a>> {
    let as_of = request.as_of;
    let mut first: BTreeMap<&AssetId, Timestamp> = BTreeMap::new();
    let mut horizon = models.episodes.horizon(as_of);
    for asset in models.states.assets() {
        if let (Some(begin), Some(newest)) =
            (models.states.first_change(asset, as_of), models.states.current(asset, as_of))
        {
            horizon = horizon.max(Some(newest.time));
            if in_class(asset) {
                first.insert(asset, begin);
            }
        }
    }
    for episode in episodes {
        if let (Some(asset), Some(opened)) = (episode.asset, episode.opened_at) {
            let begin = first.entry(asset).or_insert(opened);
            *begin = (*begin).min(opened);
        }
    }
    let spans = first.into_iter().filter_map(|(asset, begin)| {
        let from = request.from.map_or(begin, |from| from.max(begin));
        let to = request.to.map_or(horizon?, |to| to.min(horizon.unwrap_or(to)));
        (from < to).then_some(Watched { asset, from, to })
    });
    spans.collect()
}

fn days(states: &States, clock: Clock, watched: &Watched<'_>, as_of: AsOf) -> f64 {
    let Watched { asset, from, to } = *watched;
    let seconds = match clock {
        Clock::Calendar => to.duration_since(from).as_secs_f64(),
        Clock::Running => {
            states.totals(asset, from, to, as_of).get(&MachineState::Running).map_or(0.0, |total| total.seconds)
        }
    };
    seconds / 86_400.0
}

/// When alarms were raised, by asset and code, sorted.
struct Warnings<'a>(BTreeMap<(&'a AssetId, &'a Code), Vec<Timestamp>>);

impl<'a> Warnings<'a> {
    fn of(alarms: &'a Alarms, as_of: AsOf) -> Self {
        let mut raised: BTreeMap<(&AssetId, &Code), Vec<Timestamp>> = BTreeMap::new();
        // Sorted by time: so is each list.
        for activation in alarms.activations(Timestamp::MIN, Timestamp::MAX, as_of) {
            raised.entry((&activation.raised.asset, &activation.raised.code)).or_default().push(activation.raised_at);
        }
        Self(raised)
    }

    /// The first time from `from` on and before `to` at which one of these was raised.
    fn first(&self, asset: &AssetId, codes: &BTreeSet<&Code>, (from, to): (Timestamp, Timestamp)) -> Option<Timestamp> {
        let first = |code: &&Code| {
            let times = self.0.get(&(asset, *code))?;
            times.get(times.partition_point(|time| *time < from)).copied().filter(|time| *time < to)
        };
        codes.iter().filter_map(first).min()
    }
}

/// How episodes of a mode were noticed.
struct Found<'a> {
    noticed: u64,
    warned: u64,
    found_by_looking: u64,
    unknown: u64,
    leads_h: Vec<f64>,
    alarms: BTreeSet<&'a Code>,
}

impl<'a> Found<'a> {
    /// `all` are the episodes of the mode, whenever they were: they say which alarms belong to it, and where a warning would belong to the episode before.
    fn of(
        counted: &[&EpisodeView<'a>],
        all: &[&EpisodeView<'a>],
        warnings: &Warnings<'_>,
        lead: SignedDuration,
    ) -> Self {
        let alarms: BTreeSet<&Code> = all.iter().flat_map(|episode| episode.alarms.iter().copied()).collect();
        let mut found = Self { noticed: 0, warned: 0, found_by_looking: 0, unknown: 0, leads_h: Vec::new(), alarms };
        for episode in counted {
            let (Some(asset), Some(opened)) = (episode.asset, episode.opened_at) else { continue };
            let same_asset = all.iter().filter(|other| other.asset == Some(asset) && other.id() != episode.id());
            let earlier = same_asset.filter(|other| other.opened_at.is_some_and(|at| at <= opened));
            let over = earlier.filter_map(|other| other.closed_at.max(other.opened_at)).max();
            let reach = opened.checked_sub(lead).unwrap_or(Timestamp::MIN);
            let since = over.map_or(reach, |over| over.max(reach));
            let warning = warnings.first(asset, &found.alarms, (since, opened));
            let looked = episode.detection.is_some_and(|method| FOUND_BY_LOOKING.contains(&method.as_str()));
            found.leads_h.extend(warning.map(|at| opened.duration_since(at).as_secs_f64() / 3600.0));
            found.warned += u64::from(warning.is_some());
            found.found_by_looking += u64::from(looked);
            found.noticed += u64::from(warning.is_some() || looked);
            found.unknown += u64::from(episode.detection.is_none());
        }
        found
    }
}

fn record<'a>(
    row: &'a FmeaRow,
    by_item: bool,
    counted: &[&EpisodeView<'a>],
    found: Found<'a>,
    days: f64,
) -> FmeaRecord<'a> {
    let episodes = u64::try_from(counted.len()).unwrap_or(u64::MAX);
    let per_day = rate(episodes, days);
    let noticed = Share::new(found.noticed, episodes);
    let noticed_share = wilson(noticed, LEVEL);
    let occurs = per_day.and_then(|rate| recomputed(rate, row.occurrence, occurrence));
    let detects = noticed_share.and_then(|share| recomputed(share, row.detection, detection));
    let rank = |recomputed: Option<Recomputed>| recomputed.map(|found| u16::from(found.rank.get()));
    let risk = |(occurs, detects): (u16, u16)| u16::from(row.severity.get()) * occurs * detects;
    let mut positions: Vec<Position> = counted.iter().flat_map(|episode| episode.positions.iter().copied()).collect();
    positions.sort_unstable();
    positions.dedup();
    positions.drain(..positions.len().saturating_sub(MAX_POSITIONS));
    FmeaRecord {
        row,
        risk_priority: row.risk_priority(),
        by_item,
        episodes,
        per_day,
        occurrence: occurs,
        noticed,
        warned: found.warned,
        found_by_looking: found.found_by_looking,
        unknown_detection: found.unknown,
        noticed_share,
        lead_h: quantile(found.leads_h, 0.5, LEVEL),
        alarms: found.alarms,
        detection: detects,
        recomputed_risk_priority: rank(occurs).zip(rank(detects)).map(risk),
        positions,
    }
}

/// Episodes by day, with bounds. Without an episode the rate at which none is as likely as not stands for it, and nothing is below it.
fn rate(episodes: u64, days: f64) -> Option<Estimate> {
    if !(days.is_finite() && days > 0.0) {
        return None;
    }
    if episodes == 0 {
        let at_most = |probability| Some(chi_square_quantile(probability, 2.0)? / 2.0 / days);
        return Some(Estimate { low: 0.0, value: at_most(0.5)?, high: at_most(0.5 + LEVEL / 2.0)? });
    }
    let between = mean_time_between_failures(episodes, days, LEVEL)?;
    Some(Estimate { low: 1.0 / between.high, value: 1.0 / between.value, high: 1.0 / between.low })
}

fn recomputed(figure: Estimate, expert: Rank, rank_of: fn(f64) -> Option<Rank>) -> Option<Recomputed> {
    let (rank, low, high) = (rank_of(figure.value)?, rank_of(figure.low)?, rank_of(figure.high)?);
    let (least, greatest) = (low.min(high), low.max(high));
    Some(Recomputed {
        rank,
        least,
        greatest,
        differs: rank.get().abs_diff(expert.get()) >= FLAGGED_FROM,
        is_sure: expert < least || expert > greatest,
    })
}
