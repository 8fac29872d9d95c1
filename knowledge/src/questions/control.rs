//! Set-point changes with what followed.

use jiff::SignedDuration;

use super::{ControlRow, Scope};
use crate::answer::{self, Answer, QuestionError};
use crate::cases::latest;
use crate::record::{Detail, Kind, KnowledgeRecord};
use crate::search_index::{SearchIndex, SearchRequest};

/// How long after a change something counts as following it.
pub const FOLLOW_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The most records that are shown as following.
const MAX_FOLLOWED: usize = 20;

/// The rows, the latest first.
pub(crate) async fn rows(index: &SearchIndex, scope: &Scope) -> Result<Answer<Vec<ControlRow>>, QuestionError> {
    let request = SearchRequest {
        kind: Some(Kind::SetPointChange),
        asset: scope.asset.clone(),
        class: scope.class.clone(),
        from: scope.from,
        to: scope.to,
        as_of: scope.as_of,
        ..SearchRequest::default()
    };
    let all = index.all(request).await?;
    let mut changes: Vec<KnowledgeRecord> =
        all.records.into_iter().filter(|change| is_of(change, scope.code.as_deref())).collect();
    changes.sort_by(|a, b| b.event_time.cmp(&a.event_time).then_with(|| b.valid_from.cmp(&a.valid_from)));
    let n = u64::try_from(changes.len()).unwrap_or(u64::MAX);
    changes.truncate(answer::limit(scope.limit));
    let mut rows = Vec::with_capacity(changes.len());
    for change in changes {
        let followed = followed(index, &change, all.as_of).await?;
        rows.push(ControlRow { change, followed });
    }
    let records = rows.iter().flat_map(|row| std::iter::once(&row.change).chain(&row.followed));
    let evidence = latest(records.flat_map(|record| record.evidence.iter().copied()));
    let stores = vec![("knowledge_search".to_owned(), all.checkpoint)];
    Ok(Answer { as_of: all.as_of, stores, n, evidence, value: rows })
}

fn is_of(change: &KnowledgeRecord, parameter: Option<&str>) -> bool {
    let Some(parameter) = parameter else { return true };
    matches!(&change.detail, Detail::SetPointChange(detail) if detail.parameter.as_str() == parameter)
}

async fn followed(
    index: &SearchIndex,
    change: &KnowledgeRecord,
    as_of: Option<eventlog::Position>,
) -> Result<Vec<KnowledgeRecord>, QuestionError> {
    let (Some(asset), Some(from)) = (&change.asset, change.event_time) else { return Ok(Vec::new()) };
    let request = SearchRequest {
        asset: Some(asset.clone()),
        from: Some(from),
        to: from.checked_add(FOLLOW_WINDOW).ok(),
        as_of,
        ..SearchRequest::default()
    };
    let mut records = index.all(request).await?.records;
    records.retain(|record| {
        record.id != change.id && !matches!(record.kind, Kind::Asset | Kind::Signal | Kind::Equipment)
    });
    records.sort_by(|a, b| a.event_time.cmp(&b.event_time).then_with(|| a.valid_from.cmp(&b.valid_from)));
    records.truncate(MAX_FOLLOWED);
    Ok(records)
}
