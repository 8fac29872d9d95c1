//! Inspections and nonconformances, ranked.

use std::collections::BTreeMap;

use domain::events::Verdict;
use eventlog::Position;

use super::scope::ranked;
use super::{QualityBy, QualityRow, Scope};
use crate::answer::{self, Answer, QuestionError};
use crate::cases::latest;
use crate::record::{Base, Detail, KnowledgeRecord};
use crate::search_index::{SearchIndex, SearchRequest};

/// The rows, the worst first.
pub(crate) async fn rows(
    index: &SearchIndex,
    by: QualityBy,
    scope: &Scope,
) -> Result<Answer<Vec<QualityRow>>, QuestionError> {
    let request = SearchRequest {
        base: Some(Base::Quality),
        asset: scope.asset.clone(),
        class: scope.class.clone(),
        from: scope.from,
        to: scope.to,
        as_of: scope.as_of,
        ..SearchRequest::default()
    };
    let all = index.all(request).await?;
    let mut tallies: BTreeMap<Option<String>, Tally> = BTreeMap::new();
    let mut positions: Vec<Position> = Vec::new();
    let mut n = 0;
    for record in &all.records {
        if scope.code.as_ref().is_some_and(|code| !names(record, code)) {
            continue;
        }
        n += 1;
        positions.extend(&record.evidence);
        for key in keys(record, by) {
            tallies.entry(key).or_default().add(record);
        }
    }
    let mut rows: Vec<QualityRow> = tallies.into_iter().map(|(key, tally)| tally.row(key)).collect();
    rows.sort_by(|a, b| {
        b.low.total_cmp(&a.low).then(b.points.cmp(&a.points)).then(b.n.cmp(&a.n)).then_with(|| a.key.cmp(&b.key))
    });
    rows.truncate(answer::limit(scope.limit));
    let stores = vec![("knowledge_search".to_owned(), all.checkpoint)];
    Ok(Answer { as_of: all.as_of, stores, n, evidence: latest(positions.into_iter()), value: rows })
}

/// Whether the record names the defect.
fn names(record: &KnowledgeRecord, code: &str) -> bool {
    match &record.detail {
        Detail::Inspection(detail) => detail.defects.iter().any(|defect| defect.code.as_str() == code),
        Detail::Nonconformance(detail) => detail.code.as_ref().is_some_and(|named| named.as_str() == code),
        _ => false,
    }
}

/// The groups that a record belongs to: one, except that an inspection may have found several defects.
fn keys(record: &KnowledgeRecord, by: QualityBy) -> Vec<Option<String>> {
    let text = |id: &str| Some(id.to_owned());
    match (by, &record.detail) {
        (QualityBy::Asset, _) => vec![record.asset.clone()],
        (QualityBy::Lot, Detail::Inspection(detail)) => vec![detail.lot.as_ref().and_then(|lot| text(lot.as_str()))],
        (QualityBy::Lot, Detail::Nonconformance(detail)) => {
            vec![detail.lot.as_ref().and_then(|lot| text(lot.as_str()))]
        }
        (QualityBy::Product, Detail::Inspection(detail)) => {
            vec![detail.product.as_ref().and_then(|product| text(product.as_str()))]
        }
        (QualityBy::Defect, Detail::Inspection(detail)) => {
            let mut codes: Vec<Option<String>> =
                detail.defects.iter().map(|defect| text(defect.code.as_str())).collect();
            codes.sort_unstable();
            codes.dedup();
            codes
        }
        (QualityBy::Defect, Detail::Nonconformance(detail)) => {
            vec![detail.code.as_ref().and_then(|code| text(code.as_str()))]
        }
        _ => Vec::new(),
    }
}

#[derive(Default)]
struct Tally {
    inspections: u64,
    passed: u64,
    failed: u64,
    defects: BTreeMap<String, u64>,
    points: u64,
    nonconformances: u64,
    positions: Vec<Position>,
}

impl Tally {
    fn add(&mut self, record: &KnowledgeRecord) {
        self.positions.extend(&record.evidence);
        match &record.detail {
            Detail::Inspection(detail) => {
                self.inspections += 1;
                self.passed += u64::from(detail.verdict == Verdict::Pass);
                self.failed += u64::from(detail.verdict == Verdict::Fail);
                for defect in &detail.defects {
                    let count = u64::from(defect.count.unwrap_or(1));
                    *self.defects.entry(defect.code.as_str().to_owned()).or_default() += count;
                    self.points += u64::from(defect.points.unwrap_or(0)) * count;
                }
            }
            Detail::Nonconformance(_) => self.nonconformances += 1,
            _ => {}
        }
    }

    fn row(self, key: Option<String>) -> QualityRow {
        let bounds = domain::kpi::beta_bounds(self.failed, self.passed);
        QualityRow {
            key,
            n: self.inspections,
            failed: self.failed,
            fail_rate: bounds.mean,
            low: bounds.low,
            high: bounds.high,
            defects: ranked(self.defects.into_iter()),
            points: self.points,
            nonconformances: self.nonconformances,
            evidence: latest(self.positions.into_iter()),
        }
    }
}
