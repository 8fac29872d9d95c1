//! Records about what people wrote, and about files that they attached.

use domain::Text;
use domain::events::{ArticleDrafted, ArticleKind, Attachment, FileAttached, SubjectKind};
use domain::ids::{AssetClass, Code, PersonId};
use projections::folds::articles::Standing;
use serde::{Deserialize, Serialize};

use super::{Base, Kind};

/// A piece of knowledge: the approved revision, or the first draft as long as none is approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArticleDetail {
    /// What kind of writing.
    pub article_kind: ArticleKind,
    /// Whether it counts.
    pub standing: Standing,
    /// The revision that is shown.
    pub revision: u32,
    /// Who wrote it.
    pub author: PersonId,
    /// The classes of assets that it is for; all, when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<AssetClass>,
    /// The failure modes, defects or parameters that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<Code>,
    /// Its title, without a word about its standing.
    pub title: Text,
    /// The revision that waits for a review, as the log has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Box<ArticleDrafted>>,
}

/// A file that belongs to a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDetail {
    /// The node that it belongs to.
    pub of: String,
    /// Its name.
    pub name: String,
    /// What it is (`image/jpeg`).
    pub media_type: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

impl ArticleDetail {
    /// A piece whose first revision was drafted.
    pub(super) fn drafted(draft: &ArticleDrafted) -> Self {
        let mut detail = Self {
            article_kind: draft.kind,
            standing: Standing::Draft,
            revision: draft.revision,
            author: draft.author.clone(),
            classes: Vec::new(),
            about: Vec::new(),
            title: Text::default(),
            waiting: None,
        };
        detail.show(draft);
        detail
    }

    /// Shows this revision from now on.
    pub(super) fn show(&mut self, draft: &ArticleDrafted) {
        self.revision = draft.revision;
        self.author = draft.author.clone();
        self.classes.clone_from(&draft.classes);
        self.title = draft.title.clone();
        self.about.clone_from(&draft.codes);
        for row in &draft.rows {
            if !self.about.contains(&row.mode) {
                self.about.push(row.mode.clone());
            }
        }
    }

    /// The title in a list: what is no approved knowledge says so.
    pub(super) fn headline(&self) -> Text {
        let (zh, en) = match self.standing {
            Standing::Approved => return self.title.clone(),
            Standing::Draft => ("草稿", "draft"),
            Standing::Superseded => ("已取代", "superseded"),
        };
        Text {
            zh: self.title.zh.as_ref().map(|title| format!("［{zh}］{title}")),
            en: self.title.en.as_ref().map(|title| format!("[{en}] {title}")),
        }
    }
}

/// What is to be done is maintenance; what can fail, and how it is told, warns of faults.
pub(super) const fn base_of(kind: ArticleKind) -> Base {
    match kind {
        ArticleKind::Article | ArticleKind::Procedure => Base::Maintenance,
        ArticleKind::Rule | ArticleKind::Fmea => Base::Fault,
    }
}

/// Everything that a revision says in words.
pub(super) fn words(draft: &ArticleDrafted) -> Text {
    let mut words = Words::default();
    words.text(&draft.title);
    words.text(&draft.body);
    for row in &draft.rows {
        words.line(&row.item);
        row.function.iter().for_each(|function| words.line(function));
        let texts = [&row.mode_text, &row.effect, &row.cause, &row.controls, &row.action];
        texts.into_iter().flatten().for_each(|text| words.text(text));
    }
    draft.attachments.iter().for_each(|attachment| words.attachment(attachment));
    words.done()
}

/// Everything that a file says in words.
pub(super) fn words_of_file(attached: &FileAttached) -> Text {
    let mut words = Words::default();
    words.line(&attached.attachment.file.name);
    words.attachment(&attached.attachment);
    words.done()
}

/// The node of the thing that a file belongs to: a fault's record is its episode.
pub(super) fn node_of(attached: &FileAttached) -> (&'static str, &str) {
    let kind = match attached.kind {
        SubjectKind::Fault => Kind::FaultEpisode.as_str(),
        other => other.as_str(),
    };
    (kind, &attached.id)
}

#[derive(Default)]
struct Words {
    zh: Vec<String>,
    en: Vec<String>,
}

impl Words {
    fn text(&mut self, text: &Text) {
        self.zh.extend(text.zh.clone());
        self.en.extend(text.en.clone());
    }

    /// A line in a language that is told from its characters.
    fn line(&mut self, line: &str) {
        self.text(&Text::guessed(line));
    }

    fn attachment(&mut self, attachment: &Attachment) {
        attachment.caption.iter().for_each(|caption| self.text(caption));
        attachment.text.iter().for_each(|text| self.line(text));
    }

    fn done(self) -> Text {
        let join = |lines: Vec<String>| (!lines.is_empty()).then(|| lines.join("\n"));
        Text { zh: join(self.zh), en: join(self.en) }
    }
}
