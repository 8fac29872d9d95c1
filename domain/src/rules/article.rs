//! Curated knowledge: revisions without gaps, approved by somebody other than their author, until something takes their place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::{ArticleDrafted, ArticleKind, ArticleReviewed, Event};
use crate::ids::{ArticleId, PersonId};

/// A revision, as far as rules go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Who wrote it.
    pub author: PersonId,
    /// What was decided of it; `None` while it waits.
    pub approved: Option<bool>,
}

/// What is known of a piece of knowledge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// What kind of writing it is, once it was drafted.
    pub kind: Option<ArticleKind>,
    /// Its revisions.
    pub revisions: BTreeMap<u32, Revision>,
    /// Whether it is not to be used any more.
    pub superseded: bool,
}

impl State {
    /// A piece that nobody wrote.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), kind: None, revisions: BTreeMap::new(), superseded: false }
    }

    fn is(&self, article: &ArticleId) -> bool {
        self.id == article.as_str()
    }

    fn last(&self) -> u32 {
        self.revisions.last_key_value().map_or(0, |(revision, _)| *revision)
    }

    fn ended(&self) -> Option<Contradiction> {
        let id = &self.id;
        if !self.superseded {
            return None;
        }
        contradiction("article.superseded", format!("article {id} was superseded"), format!("条目 {id} 已被取代"))
    }

    fn bad_draft(&self, draft: &ArticleDrafted) -> Option<Contradiction> {
        let id = &self.id;
        if let Some(ended) = self.ended() {
            return Some(ended);
        }
        if self.kind.is_some_and(|kind| kind != draft.kind) {
            let reason = format!("article {id} is of another kind");
            return contradiction("article.other_kind", reason, format!("条目 {id} 属于其他类型"));
        }
        let next = u64::from(self.last()) + 1;
        if u64::from(draft.revision) != next {
            let reason = format!("the next revision of article {id} is {next}, not {}", draft.revision);
            let reason_zh = format!("条目 {id} 的下一修订号是 {next}，不是 {}", draft.revision);
            return contradiction("article.revision_gap", reason, reason_zh);
        }
        if let Some(detection) = &draft.detection {
            if draft.kind != ArticleKind::Rule {
                let reason = format!("article {id}: only a rule has a detection");
                return contradiction("article.detection", reason, format!("条目 {id}：只有规则含有 detection"));
            }
            if let Some((reason, reason_zh)) = detection.fault() {
                let (reason, reason_zh) = (format!("article {id}: {reason}"), format!("条目 {id}：{reason_zh}"));
                return contradiction("article.detection", reason, reason_zh);
            }
            if detection.asset.is_none() && draft.classes.is_empty() {
                let reason = format!("article {id}: a detection is for an asset or for classes of assets");
                return contradiction(
                    "article.detection",
                    reason,
                    format!("条目 {id}：detection 须指明设备或设备类别"),
                );
            }
        }
        if (draft.kind == ArticleKind::Fmea) == draft.rows.is_empty() {
            let reason = format!("article {id}: an FMEA sheet has rows, and nothing else has");
            return contradiction("article.rows", reason, format!("条目 {id}：只有 FMEA 表含有行，且必须有行"));
        }
        None
    }

    fn bad_review(&self, review: &ArticleReviewed) -> Option<Contradiction> {
        let (id, number, person) = (&self.id, review.revision, &review.person);
        if let Some(ended) = self.ended() {
            return Some(ended);
        }
        let Some(revision) = self.revisions.get(&number) else {
            let reason = format!("article {id} has no revision {number}");
            return contradiction("article.no_such_revision", reason, format!("条目 {id} 没有修订 {number}"));
        };
        if revision.author == *person {
            let reason = format!("{person} wrote revision {number} of article {id}, and cannot review it");
            let reason_zh = format!("{person} 是条目 {id} 修订 {number} 的作者，不能自行审核");
            return contradiction("article.own_review", reason, reason_zh);
        }
        if revision.approved.is_some() {
            let reason = format!("revision {number} of article {id} was reviewed before");
            return contradiction("article.reviewed_twice", reason, format!("条目 {id} 的修订 {number} 已审核过"));
        }
        None
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::ArticleDrafted(e) if self.is(&e.article) => {
                self.kind = self.kind.or(Some(e.kind));
                let revision = Revision { author: e.author.clone(), approved: None };
                self.revisions.entry(e.revision).or_insert(revision);
            }
            Event::ArticleReviewed(e) if self.is(&e.article) => {
                if let Some(revision) = self.revisions.get_mut(&e.revision) {
                    revision.approved = revision.approved.or(Some(e.approved));
                }
            }
            Event::ArticleSuperseded(e) if self.is(&e.article) => self.superseded = true,
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        match event {
            Event::ArticleDrafted(e) if self.is(&e.article) => self.bad_draft(e),
            Event::ArticleReviewed(e) if self.is(&e.article) => self.bad_review(e),
            Event::ArticleSuperseded(e) if self.is(&e.article) => match self.kind {
                Some(_) => self.ended(),
                None => {
                    let id = &self.id;
                    contradiction(
                        "article.not_there",
                        format!("article {id} was never written"),
                        format!("条目 {id} 不存在"),
                    )
                }
            },
            _ => None,
        }
    }
}
