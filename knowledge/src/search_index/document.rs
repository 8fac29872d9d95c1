//! How a record version becomes a document of the index.

use eventlog::Position;
use retrieval::index::{Document, Facet};

use crate::record::{Detail, KnowledgeRecord};
use crate::versions;

/// The document of a version.
pub(super) fn document(record: &KnowledgeRecord) -> Result<Document, String> {
    let mut facets =
        vec![(Facet::Base, record.base.as_str().to_owned()), (Facet::Kind, record.kind.as_str().to_owned())];
    facets.extend(record.asset.iter().map(|asset| (Facet::Asset, asset.clone())));
    facets.extend(record.class.iter().map(|class| (Facet::Class, class.clone())));
    facets.extend(coded(record));
    Ok(Document {
        id: record.id.to_string(),
        facets,
        texts: texts(record).into_iter().map(str::to_owned).collect(),
        codes: record.codes.clone(),
        time_ns: record.event_time.map(nanoseconds),
        valid_from: record.valid_from.get(),
        valid_to: record.valid_to.map(Position::get),
        body: versions::encode(record)?,
    })
}

/// The failure mode and the item that a record is coded with.
fn coded(record: &KnowledgeRecord) -> Vec<(Facet, String)> {
    let (mode, item) = match &record.detail {
        Detail::FaultEpisode(fault) => (fault.mode.as_ref(), fault.item.as_ref()),
        Detail::FailureMode { mode } => (Some(mode), None),
        Detail::WorkOrder(order) => (None, order.item.as_ref()),
        _ => (None, None),
    };
    let mode = mode.map(|mode| (Facet::Mode, mode.as_str().to_owned()));
    mode.into_iter().chain(item.map(|item| (Facet::Item, item.as_str().to_owned()))).collect()
}

/// What is said in words. Title and text often say the same; a word is worth more when it stands in both only where they differ.
pub(super) fn texts(record: &KnowledgeRecord) -> Vec<&str> {
    let title = (record.title != record.text).then_some(&record.title);
    title
        .into_iter()
        .chain(std::iter::once(&record.text))
        .flat_map(|text| [text.zh.as_deref(), text.en.as_deref()])
        .flatten()
        .collect()
}

/// A time as nanoseconds since 1970, at the nearest end of the range where it lies outside (1678 to 2262).
pub(crate) fn nanoseconds(time: jiff::Timestamp) -> i64 {
    let ns = time.as_nanosecond();
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}
