//! What is to be logged where a package is brought in.

use domain::events::{ArticleDrafted, ArticleKind, ArticleOrigin, ImportedArticle, PackageImported};
use domain::ids::{ArticleId, Code, InvalidId, PersonId};

use crate::package::{Package, Piece};

/// A piece of knowledge that is here already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalArticle {
    /// Its newest revision, approved or not.
    pub last: u32,
    /// What kind of writing it is.
    pub kind: ArticleKind,
    /// Whether it is not to be used any more.
    pub superseded: bool,
    /// Where its revisions came from; `None` for those that were written here. In order.
    pub origins: Vec<Option<ArticleOrigin>>,
}

/// What is to be logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Drafts {
    /// That the package came.
    pub imported: PackageImported,
    /// The drafts; none when every piece came before.
    pub drafts: Vec<ArticleDrafted>,
    /// Pieces that came before in the same revision, as they are called here.
    pub known: Vec<ArticleId>,
}

/// Why a package cannot be brought in. Nothing of it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// Another piece has the name.
    #[error("article {article} is another piece here: bring the package in with a prefix for its names")]
    Taken {
        /// The piece, as it would be called here.
        article: ArticleId,
    },
    /// The piece is not to be used any more.
    #[error("article {article} was superseded here")]
    Superseded {
        /// The piece, as it is called here.
        article: ArticleId,
    },
    /// The piece has become another kind of writing.
    #[error("article {article} is of another kind here")]
    OtherKind {
        /// The piece, as it is called here.
        article: ArticleId,
    },
    /// The name with the prefix is none.
    #[error(transparent)]
    Name(#[from] InvalidId),
}

impl Package {
    /// What is to be logged when a person brings the package in: each piece as a draft by that person, under its name with the prefix, as the next revision of what came before from the same log.
    /// Evidence stays in the package: its positions are those of the sender's log, and mean nothing in this one.
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn drafts(
        &self,
        prefix: &str,
        person: &PersonId,
        local: impl Fn(&ArticleId) -> Option<LocalArticle>,
    ) -> Result<Drafts, DraftError> {
        let digest = self.digest().to_string();
        let (mut drafts, mut known) = (Vec::new(), Vec::new());
        for piece in self.pieces() {
            let article = ArticleId::new(&format!("{prefix}{}", piece.drafted.article))?;
            let origin = ArticleOrigin {
                log: self.log().to_owned(),
                article: piece.drafted.article.clone(),
                revision: piece.drafted.revision,
                position: piece.position,
                author: Some(piece.drafted.author.to_string()),
                package: Some(digest.clone()),
            };
            match next_revision(&article, piece, &origin, local(&article))? {
                Some(revision) => drafts.push(ArticleDrafted {
                    article,
                    revision,
                    evidence: Vec::new(),
                    author: person.clone(),
                    origin: Some(origin),
                    ..piece.drafted.clone()
                }),
                None => known.push(article),
            }
        }
        let articles =
            drafts.iter().map(|draft| ImportedArticle { article: draft.article.clone(), revision: draft.revision });
        let imported = PackageImported {
            package: Code::new(&digest)?,
            log: self.log().to_owned(),
            key: self.key().to_owned(),
            articles: articles.collect(),
            person: person.clone(),
        };
        Ok(Drafts { imported, drafts, known })
    }
}

/// The revision that a piece becomes here; `None` when it came before.
fn next_revision(
    article: &ArticleId,
    piece: &Piece,
    origin: &ArticleOrigin,
    local: Option<LocalArticle>,
) -> Result<Option<u32>, DraftError> {
    let Some(local) = local else { return Ok(Some(1)) };
    let is_same_piece = |other: &ArticleOrigin| other.log == origin.log && other.article == origin.article;
    let mut origins = local.origins.iter().flatten();
    if origins.clone().any(|other| is_same_piece(other) && other.revision == origin.revision) {
        return Ok(None);
    }
    if !origins.any(is_same_piece) {
        return Err(DraftError::Taken { article: article.clone() });
    }
    if local.superseded {
        return Err(DraftError::Superseded { article: article.clone() });
    }
    if local.kind != piece.drafted.kind {
        return Err(DraftError::OtherKind { article: article.clone() });
    }
    Ok(Some(local.last + 1))
}
