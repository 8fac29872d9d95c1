//! Curated knowledge: which revision of an article, procedure, rule or FMEA sheet counts, who wrote it and who approved it; and the files that belong to things.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{ArticleDrafted, ArticleKind, ArticleReviewed, ArticleSuperseded, Attachment, FileAttached};
use domain::ids::{ArticleId, AssetClass, Code};
use eventlog::{Digest, Filter};
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// A revision with its review. The first draft and the first review of a number count, as the rules have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Revision {
    drafted: Fact<ArticleDrafted>,
    reviewed: Option<Fact<ArticleReviewed>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Piece {
    revisions: BTreeMap<u32, Revision>,
    superseded: Option<Fact<ArticleSuperseded>>,
}

/// What becomes of a piece of knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// No revision was approved yet.
    Draft,
    /// A revision counts.
    Approved,
    /// It is not to be used any more.
    Superseded,
}

/// A piece of knowledge as it was known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ArticleView<'a> {
    /// The piece.
    pub article: &'a ArticleId,
    /// Whether it counts.
    pub standing: Standing,
    /// The newest revision that was approved.
    pub approved: Option<RevisionView<'a>>,
    /// The newest revision, whatever somebody thinks of it.
    pub newest: RevisionView<'a>,
    /// What took its place, and why.
    pub superseded: Option<&'a Fact<ArticleSuperseded>>,
}

/// A revision as it was known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RevisionView<'a> {
    /// What was written.
    pub drafted: &'a Fact<ArticleDrafted>,
    /// What somebody else thought of it.
    pub reviewed: Option<&'a Fact<ArticleReviewed>>,
}

/// Which pieces are asked for; what is absent is not asked.
#[derive(Clone, Debug, Default)]
pub struct ArticleQuery {
    /// Of this kind.
    pub kind: Option<ArticleKind>,
    /// About this failure mode, defect or parameter.
    pub code: Option<Code>,
    /// For assets of this class; pieces for all classes are among them.
    pub class: Option<AssetClass>,
    /// With this standing.
    pub standing: Option<Standing>,
}

/// Every piece of curated knowledge, and every attached file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Articles {
    pieces: BTreeMap<ArticleId, Piece>,
    /// By `kind:id`.
    files: BTreeMap<String, History<FileAttached>>,
}

impl Fold for Articles {
    const NAME: &'static str = "articles";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["article.drafted", "article.reviewed", "article.superseded", "file.attached"])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::ArticleDrafted(event)) => {
                let revision = Revision { drafted: Fact::of(entry, event.clone()), reviewed: None };
                self.pieces
                    .entry(event.article.clone())
                    .or_default()
                    .revisions
                    .entry(event.revision)
                    .or_insert(revision);
            }
            Some(Event::ArticleReviewed(event)) => {
                let revision =
                    self.pieces.get_mut(&event.article).and_then(|piece| piece.revisions.get_mut(&event.revision));
                if let Some(revision) = revision {
                    revision.reviewed.get_or_insert_with(|| Fact::of(entry, event.clone()));
                }
            }
            Some(Event::ArticleSuperseded(event)) => {
                if let Some(piece) = self.pieces.get_mut(&event.article) {
                    piece.superseded.get_or_insert_with(|| Fact::of(entry, event.clone()));
                }
            }
            Some(Event::FileAttached(event)) => {
                self.files.entry(subject(event.kind.as_str(), &event.id)).or_default().push(entry, event.clone());
            }
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

fn subject(kind: &str, id: &str) -> String {
    format!("{kind}:{id}")
}

fn known<T>(fact: Option<&Fact<T>>, as_of: AsOf) -> Option<&Fact<T>> {
    fact.filter(|fact| as_of.includes(fact.position))
}

impl Piece {
    fn revisions(&self, as_of: AsOf) -> impl DoubleEndedIterator<Item = RevisionView<'_>> {
        let known_then = self.revisions.values().filter(move |revision| as_of.includes(revision.drafted.position));
        known_then.map(move |revision| RevisionView {
            drafted: &revision.drafted,
            reviewed: known(revision.reviewed.as_ref(), as_of),
        })
    }

    fn view<'a>(&'a self, article: &'a ArticleId, as_of: AsOf) -> Option<ArticleView<'a>> {
        let newest = self.revisions(as_of).next_back()?;
        let approved =
            self.revisions(as_of).rev().find(|view| view.reviewed.is_some_and(|review| review.value.approved));
        let superseded = known(self.superseded.as_ref(), as_of);
        let standing = match (superseded, approved) {
            (Some(_), _) => Standing::Superseded,
            (None, Some(_)) => Standing::Approved,
            (None, None) => Standing::Draft,
        };
        Some(ArticleView { article, standing, approved, newest, superseded })
    }
}

impl<'a> ArticleView<'a> {
    /// The revision to show: the approved one, or else the newest.
    pub fn shown(&self) -> RevisionView<'a> {
        self.approved.unwrap_or(self.newest)
    }
}

impl ArticleQuery {
    fn matches(&self, view: &ArticleView<'_>) -> bool {
        let draft = &view.shown().drafted.value;
        self.standing.is_none_or(|standing| standing == view.standing)
            && self.kind.is_none_or(|kind| kind == draft.kind)
            && self
                .code
                .as_ref()
                .is_none_or(|code| draft.codes.contains(code) || draft.rows.iter().any(|row| row.mode == *code))
            && self.class.as_ref().is_none_or(|class| draft.classes.is_empty() || draft.classes.contains(class))
    }
}

impl Articles {
    /// A piece of knowledge.
    pub fn article(&self, id: &ArticleId, as_of: AsOf) -> Option<ArticleView<'_>> {
        let (id, piece) = self.pieces.get_key_value(id)?;
        piece.view(id, as_of)
    }

    /// Every revision of a piece that was known, oldest first.
    pub fn revisions(&self, id: &ArticleId, as_of: AsOf) -> impl Iterator<Item = RevisionView<'_>> {
        self.pieces.get(id).into_iter().flat_map(move |piece| piece.revisions(as_of))
    }

    /// The pieces that are asked for, by id.
    pub fn find<'a>(&'a self, query: &'a ArticleQuery, as_of: AsOf) -> impl Iterator<Item = ArticleView<'a>> {
        let views = self.pieces.iter().filter_map(move |(id, piece)| piece.view(id, as_of));
        views.filter(|view| query.matches(view))
    }

    /// The files that were attached to a thing, in log order.
    pub fn files(&self, kind: &str, id: &str, as_of: AsOf) -> &[Fact<FileAttached>] {
        self.files.get(&subject(kind, id)).map(|history| history.as_of(as_of)).unwrap_or_default()
    }

    /// The attachment with this digest, wherever it is named: what may be handed out.
    pub fn attachment(&self, sha256: &str, as_of: AsOf) -> Option<&Attachment> {
        let of_articles = self.pieces.values().flat_map(move |piece| piece.revisions(as_of));
        let of_articles = of_articles.flat_map(|view| &view.drafted.value.attachments);
        let of_things =
            self.files.values().flat_map(move |history| history.as_of(as_of)).map(|fact| &fact.value.attachment);
        of_articles.chain(of_things).find(|attachment| attachment.file.sha256 == sha256)
    }
}

#[cfg(test)]
#[path = "articles_tests.rs"]
mod tests;
