use proptest::prelude::*;

use super::testing::TestRow;
use super::{Entity, Filter, Order, PageToken, QueryDigest, SearchError, Start, page};

fn ids(rows: &[&TestRow]) -> Vec<String> {
    rows.iter().map(|row| row.id().to_owned()).collect()
}

#[test]
fn a_row_that_comes_in_before_the_page_moves_nothing() {
    let filter = Filter::all(Entity::Runs);
    let order = Order::parse::<&str>(Entity::Runs, &[]).unwrap();
    let mut rows: Vec<TestRow> = (0..4).map(|n| TestRow::run(&format!("run-{n}"), f64::from(n))).collect();
    let first = ids(&page(&rows, &filter, &order, &Start::Beginning, 2).rows);
    assert_eq!(first, ["run-3", "run-2"]);

    rows.push(TestRow::run("run-new", 9.0));
    let last = rows.iter().find(|row| row.id() == "run-2").unwrap();
    let second = page(&rows, &filter, &order, &Start::After(last), 2);
    assert_eq!(ids(&second.rows), ["run-1", "run-0"]);
    assert!(!second.more);
}

#[test]
fn a_page_of_nothing_says_whether_there_is_something() {
    let rows = [TestRow::run("run-1", 1.0)];
    let order = Order::parse::<&str>(Entity::Runs, &[]).unwrap();
    let found = page(&rows, &Filter::all(Entity::Runs), &order, &Start::Beginning, 0);
    assert!(found.rows.is_empty() && found.more);
    let behind = page(&rows, &Filter::all(Entity::Runs), &order, &Start::Offset(usize::MAX), usize::MAX);
    assert!(behind.rows.is_empty() && !behind.more);
}

#[test]
fn a_token_is_good_for_its_query_alone() {
    let query = QueryDigest::of(["runs", "metrics.a > 1", "0"]);
    let other = QueryDigest::of(["runs", "metrics.a > 10", ""]);
    assert_ne!(query, other);
    let token = PageToken { offset: 20, last: String::from("run-7") };
    let text = token.encode(&query);
    assert_eq!(PageToken::decode(&text, &query), Ok(Some(token)));
    assert_eq!(PageToken::decode("", &query), Ok(None));

    let refused = |text: &str, query: &QueryDigest| PageToken::decode(text, query).unwrap_err().to_string();
    expect_test::expect!["Invalid page token, it belongs to another query"].assert_eq(&refused(&text, &other));
    expect_test::expect!["Invalid page token, could not base64-decode"].assert_eq(&refused("no token!", &query));
    expect_test::expect!["Invalid page token, it was not given by this server"]
        .assert_eq(&refused("eyJvZmZzZXQiOiAyMH0=", &query));
    expect_test::expect!["Invalid page token: it has 5000 bytes, and at most 4096 are allowed."]
        .assert_eq(&refused(&"A".repeat(5000), &query));
}

proptest! {
    #[test]
    fn pages_are_the_sorted_rows_cut_in_pieces(
        values in prop::collection::vec((0_u8..4, prop::option::of(-2.0..2.0_f64), any::<bool>()), 0..40),
        limit in 1_usize..7,
        by_row in any::<bool>(),
    ) {
        let rows: Vec<TestRow> = values.iter().enumerate().map(|(n, (start, metric, nan))| {
            let row = TestRow::run(&format!("run-{n:02}"), f64::from(*start));
            match (metric, nan) {
                (_, true) => row.metric("loss", f64::NAN),
                (Some(value), false) => row.metric("loss", value.round()),
                (None, false) => row,
            }
        }).collect();
        let filter = Filter::all(Entity::Runs);
        let order = Order::parse(Entity::Runs, &["metrics.loss DESC"]).unwrap();
        let mut expected: Vec<&TestRow> = rows.iter().collect();
        expected.sort_by(|left, right| order.compare(*left, *right));

        let mut seen: Vec<&TestRow> = Vec::new();
        loop {
            let start = match seen.last() {
                None => Start::Beginning,
                Some(last) if by_row => Start::After(*last),
                Some(_) => Start::Offset(seen.len()),
            };
            let found = page(&rows, &filter, &order, &start, limit);
            prop_assert!(found.rows.len() == limit || !found.more);
            seen.extend(found.rows);
            if !found.more { break; }
        }
        prop_assert_eq!(ids(&seen), ids(&expected));
    }

    #[test]
    fn no_token_makes_it_panic(text in "\\PC{0,200}") {
        let decoded: Result<_, SearchError> = PageToken::decode(&text, &QueryDigest::of(["runs"]));
        prop_assert!(decoded.is_err() || text.is_empty());
    }

    #[test]
    fn a_token_comes_back_as_it_was(offset in any::<usize>(), last in "\\PC{0,100}") {
        let query = QueryDigest::of(["runs"]);
        let token = PageToken { offset, last };
        prop_assert_eq!(PageToken::decode(&token.encode(&query), &query), Ok(Some(token)));
    }
}
