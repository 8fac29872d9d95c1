//! Detection rules: the approved revisions that are in force, and how a mined precursor becomes one.

use domain::Text;
use domain::events::{ArticleDrafted, ArticleKind, Condition, Detection, TrackRecord};
use domain::ids::{ArticleId, AssetClass, AssetId, PersonId};
use projections::AsOf;
use projections::folds::articles::{ArticleQuery, Articles, Standing};
use projections::folds::catalog::Catalog;

use crate::mine::Precursor;

/// A rule that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The piece of knowledge that it is.
    pub rule: ArticleId,
    /// The revision that counts.
    pub revision: u32,
    /// What it detects.
    pub detection: Detection,
    /// The classes that it is for.
    pub classes: Vec<AssetClass>,
}

impl Rule {
    /// The assets that it runs on, by id.
    pub fn assets<'a>(&'a self, catalog: &'a Catalog, as_of: AsOf) -> impl Iterator<Item = &'a AssetId> {
        catalog
            .assets(as_of)
            .map(|fact| &fact.value)
            .filter(move |asset| self.is_for(&asset.asset, &asset.class))
            .map(|asset| &asset.asset)
    }

    fn is_for(&self, asset: &AssetId, class: &AssetClass) -> bool {
        match &self.detection.asset {
            Some(only) => only == asset,
            None => self.classes.contains(class),
        }
    }
}

/// The rules that are in force, by id: approved, not superseded, and with something to detect.
pub fn in_force(articles: &Articles, as_of: AsOf) -> Vec<Rule> {
    let query =
        ArticleQuery { kind: Some(ArticleKind::Rule), standing: Some(Standing::Approved), ..ArticleQuery::default() };
    let rules = articles.find(&query, as_of).filter_map(|view| {
        let drafted = &view.approved?.drafted.value;
        let detection = drafted.detection.as_deref()?.clone();
        let (rule, revision) = (drafted.article.clone(), drafted.revision);
        Some(Rule { rule, revision, detection, classes: drafted.classes.clone() })
    });
    rules.collect()
}

/// A precursor as the draft of a rule: it counts when somebody other than the author has approved it.
pub fn promote(
    precursor: &Precursor,
    article: ArticleId,
    revision: u32,
    classes: Vec<AssetClass>,
    author: PersonId,
) -> ArticleDrafted {
    let detection = precursor.detection.clone();
    ArticleDrafted {
        article,
        revision,
        kind: ArticleKind::Rule,
        title: title(&detection),
        body: detection.measured.as_ref().map(body).unwrap_or_default(),
        rows: Vec::new(),
        codes: vec![detection.mode.clone()],
        detection: Some(Box::new(detection)),
        classes,
        attachments: Vec::new(),
        evidence: precursor.evidence.clone(),
        author,
        origin: None,
    }
}

/// What a rule is called: the mode and the condition.
pub fn title(detection: &Detection) -> Text {
    let mode = &detection.mode;
    let sign = |side| if side == domain::events::Side::AtLeast { "≥" } else { "≤" };
    match &detection.condition {
        Condition::Readings { quantity, statistic, window_s, side, threshold, .. } => {
            let (statistic, sign) = (statistic.as_str(), sign(*side));
            Text::new(
                &format!("{mode} 预警：{quantity} 的 {statistic}（{window_s} 秒）{sign} {threshold:.4}"),
                &format!("Warning of {mode}: {statistic} of {quantity} over {window_s} s {sign} {threshold:.4}"),
            )
        }
        Condition::Alarms { codes, window_s, at_least } => {
            let codes: Vec<&str> = codes.iter().map(domain::ids::Code::as_str).collect();
            let codes = codes.join(", ");
            Text::new(
                &format!("{mode} 预警：{window_s} 秒内报警 {codes} 至少 {at_least} 次"),
                &format!("Warning of {mode}: alarm {codes} at least {at_least} times in {window_s} s"),
            )
        }
    }
}

fn body(measured: &TrackRecord) -> Text {
    let (warnings, faults) = (measured.warnings, measured.faults);
    let (hits, all, caught, there) = (warnings.cases, warnings.trials, faults.cases, faults.trials);
    let (per_day, days) = (measured.false_per_day, measured.asset_days);
    Text::new(
        &format!(
            "在未用于选阈值的历史上：{all} 次预警中 {hits} 次之后发生该故障；{there} 次故障中 {caught} 次有预警；误报每天 {per_day:.3} 次（{days:.1} 台日）。"
        ),
        &format!(
            "On history that its threshold was not chosen by: {hits} of {all} warnings were followed by the fault, {caught} of {there} faults had a warning, {per_day:.3} false warnings a day ({days:.1} asset days)."
        ),
    )
}
