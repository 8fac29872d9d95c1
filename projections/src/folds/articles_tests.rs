use domain::Event;
use domain::events::{ArticleKind, SubjectKind};
use domain::ids::{ArticleId, AssetClass, Code};
use eventlog::Position;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ArticleQuery, Articles, Standing};
use crate::testing::entries;
use crate::{AsOf, Fold};

fn event(event_type: &str, payload: Value) -> Event {
    Event::from_value(event_type, 1, payload).unwrap()
}

fn draft(article: &str, revision: u32, title: &str) -> Event {
    event(
        "article.drafted",
        json!({"article": article, "revision": revision, "kind": "procedure", "title": {"en": title}, "codes": ["weft_break"], "classes": ["air-jet-loom"], "author": "P-1",
            "attachments": [{"file": {"name": "a.jpg", "sha256": format!("{revision:064}"), "bytes": 3}, "media_type": "image/jpeg"}]}),
    )
}

fn review(article: &str, revision: u32, approved: bool) -> Event {
    event("article.reviewed", json!({"article": article, "revision": revision, "person": "P-2", "approved": approved}))
}

fn folded(events: &[Event]) -> Articles {
    let mut articles = Articles::default();
    entries(events.to_vec()).iter().for_each(|entry| articles.apply(entry));
    articles
}

fn through(position: u64) -> AsOf {
    AsOf::through(Position::new(position))
}

#[test]
fn the_newest_approved_revision_counts_at_each_position() {
    let articles = folded(&[
        draft("KB", 1, "first"),
        review("KB", 1, true),
        draft("KB", 2, "second"),
        review("KB", 2, false),
        draft("KB", 3, "third"),
        review("KB", 3, true),
        event("article.superseded", json!({"article": "KB", "by": "KB-2", "person": "P-2"})),
    ]);
    let id = ArticleId::new("KB").unwrap();
    let seen: Vec<(Standing, &str, bool)> = (0..7)
        .map(|position| {
            let view = articles.article(&id, through(position)).unwrap();
            let waits = view.newest.reviewed.is_none();
            (view.standing, view.shown().drafted.value.title.any(), waits)
        })
        .collect();
    use Standing::{Approved, Draft, Superseded};
    assert_eq!(
        seen,
        [
            (Draft, "first", true),
            (Approved, "first", false),
            (Approved, "first", true),
            (Approved, "first", false),
            (Approved, "first", true),
            (Approved, "third", false),
            (Superseded, "third", false),
        ]
    );
    assert_eq!(articles.revisions(&id, through(3)).count(), 2);
    assert!(articles.article(&ArticleId::new("KB-2").unwrap(), AsOf::LATEST).is_none());
}

#[test]
fn pieces_are_found_by_what_they_are_about() {
    let articles = folded(&[draft("KB", 1, "weft"), draft("KC", 1, "other"), review("KC", 1, true)]);
    let found = |query: ArticleQuery| -> Vec<String> {
        articles.find(&query, AsOf::LATEST).map(|view| view.article.to_string()).collect()
    };
    let class = |name: &str| ArticleQuery { class: Some(AssetClass::new(name).unwrap()), ..ArticleQuery::default() };
    assert_eq!(found(ArticleQuery::default()), ["KB", "KC"]);
    assert_eq!(found(ArticleQuery { standing: Some(Standing::Approved), ..ArticleQuery::default() }), ["KC"]);
    assert_eq!(found(ArticleQuery { kind: Some(ArticleKind::Fmea), ..ArticleQuery::default() }), [""; 0]);
    assert_eq!(
        found(ArticleQuery { code: Some(Code::new("weft_break").unwrap()), ..ArticleQuery::default() }),
        ["KB", "KC"]
    );
    assert_eq!((found(class("air-jet-loom")).len(), found(class("rapier-loom")).len()), (2, 0));
}

#[test]
fn files_belong_to_things_and_only_named_ones_are_handed_out() {
    let sha256 = "ab".repeat(32);
    let attached = event(
        "file.attached",
        json!({"kind": "fault", "id": "F-1", "attachment": {"file": {"name": "n.ogg", "sha256": sha256, "bytes": 9}, "media_type": "audio/ogg"}}),
    );
    let articles = folded(&[draft("KB", 1, "t"), attached]);
    assert_eq!(articles.files(SubjectKind::Fault.as_str(), "F-1", AsOf::LATEST).len(), 1);
    assert_eq!(articles.files("fault", "F-1", through(0)).len(), 0);
    assert_eq!(articles.attachment(&sha256, AsOf::LATEST).unwrap().media_type, "audio/ogg");
    assert!(articles.attachment(&sha256, through(0)).is_none());
    assert!(articles.attachment(&format!("{:064}", 1), AsOf::LATEST).is_some());
}

/// Histories that also contradict: what is out of order, or said twice.
fn histories() -> impl Strategy<Value = Vec<Event>> {
    let one = (0..3_u8, 0..2_u8, 1..4_u32, any::<bool>()).prop_map(|(what, article, revision, approved)| {
        let article = format!("K{article}");
        match what {
            0 => draft(&article, revision, "t"),
            1 => review(&article, revision, approved),
            _ => event("article.superseded", json!({"article": article, "person": "P-2"})),
        }
    });
    prop::collection::vec(one, 0..24)
}

proptest! {
    #[test]
    fn looking_back_equals_having_stood_there(history in histories(), cut in any::<prop::sample::Index>()) {
        prop_assume!(!history.is_empty());
        let cut = cut.index(history.len());
        let (all, then) = (folded(&history), folded(&history[..=cut]));
        let query = ArticleQuery::default();
        let as_of = through(cut as u64);
        let looking_back: Vec<_> = all.find(&query, as_of).collect();
        let standing_there: Vec<_> = then.find(&query, AsOf::LATEST).collect();
        prop_assert_eq!(looking_back, standing_there);
    }
}
