use expect_test::{Expect, expect};
use indexmap::IndexMap;

use super::super::gate::*;
use crate::events::{Better, GateDefined, Guarded, ModelVersionEvaluated, Requirement};
use crate::ids::{Code, ModelName, PersonId};

fn person(text: &str) -> PersonId {
    PersonId::new(text).unwrap()
}

fn evaluated(version: u32, mae: f64, sha256: Option<&str>) -> ModelVersionEvaluated {
    ModelVersionEvaluated {
        model: ModelName::new("M").unwrap(),
        version,
        dataset: "holdout".to_owned(),
        dataset_sha256: sha256.map(str::to_owned),
        metrics: IndexMap::from([("mae".to_owned(), mae)]),
        samples: None,
        person: None,
    }
}

fn gate(approvals: u32, better: Better, threshold: Option<f64>, beats_champion_by: Option<f64>) -> GateDefined {
    let requirement =
        Requirement { dataset: "holdout".to_owned(), metric: "mae".to_owned(), better, threshold, beats_champion_by };
    let gate = Code::new("release").unwrap();
    GateDefined {
        gate,
        model: None,
        guards: vec![Guarded::Deployment],
        approvals,
        requires: vec![requirement],
        champion: None,
    }
}

fn candidate(version: u32, evaluations: &[ModelVersionEvaluated]) -> Candidate<'_> {
    let evaluations = (u64::from(version) * 10..).zip(evaluations).collect();
    Candidate { version, author: None, actor: "trainer", evaluations, approvals: vec![] }
}

/// A version with evaluations (value and digest) at positions 10·version, 10·version + 1, …
fn check_it(gate: &GateDefined, new: &[(f64, Option<&str>)], champion: &[(f64, Option<&str>)], expected: Expect) {
    let measured = |version: u32, values: &[(f64, Option<&str>)]| -> Vec<ModelVersionEvaluated> {
        values.iter().map(|(mae, sha256)| evaluated(version, *mae, *sha256)).collect()
    };
    let (new, old) = (measured(2, new), measured(1, champion));
    let (new, old) = (candidate(2, &new), candidate(1, &old));
    let checked = check(gate, &new, Some(&old));
    let mut lines: Vec<String> = checked.unmet.iter().map(ToString::to_string).collect();
    lines.push(format!("{:?}", checked.evaluations));
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_metric_must_reach_its_threshold_and_beat_the_champion_on_the_same_data() {
    let lower = |threshold, by| gate(0, Better::Lower, threshold, by);
    check_it(
        &lower(Some(0.5), None),
        &[],
        &[],
        expect![[r#"
        gate release: mae on holdout: found no evaluation, wanted 0.5 at most
        {}"#]],
    );
    check_it(
        &lower(Some(0.5), None),
        &[(0.6, None)],
        &[],
        expect![[r#"
        gate release: mae on holdout: found 0.6, wanted 0.5 at most
        {20}"#]],
    );
    // The last evaluation counts.
    check_it(&lower(Some(0.5), None), &[(0.6, None), (0.5, None)], &[], expect!["{21}"]);
    check_it(
        &lower(None, Some(0.0)),
        &[(0.4, None)],
        &[],
        expect![[r#"
        gate release: mae on holdout beside version 1: found no evaluation of version 1 on the same data, wanted one to compare with
        {20}"#]],
    );
    check_it(&lower(None, Some(0.0)), &[(0.4, None)], &[(0.4, None)], expect!["{10, 20}"]);
    check_it(
        &lower(None, Some(0.25)),
        &[(0.5, None)],
        &[(0.5, None)],
        expect![[r#"
        gate release: mae on holdout beside version 1: found 0.5, wanted 0.25 at most
        {10, 20}"#]],
    );
    // Data of another digest cannot be compared; an older evaluation on the same data can.
    check_it(
        &lower(None, Some(0.0)),
        &[(0.4, Some("aa"))],
        &[(0.5, Some("aa")), (0.1, Some("bb"))],
        expect!["{10, 20}"],
    );
    check_it(
        &lower(None, Some(0.0)),
        &[(0.4, Some("cc"))],
        &[(0.5, Some("aa"))],
        expect![[r#"
        gate release: mae on holdout beside version 1: found no evaluation of version 1 on the same data, wanted one to compare with
        {20}"#]],
    );
    let higher = gate(0, Better::Higher, Some(0.5), Some(0.5));
    check_it(
        &higher,
        &[(0.25, None)],
        &[(0.0, None)],
        expect![[r#"
        gate release: mae on holdout: found 0.25, wanted 0.5 at least
        gate release: mae on holdout beside version 1: found 0.25, wanted 0.5 at least
        {10, 20}"#]],
    );
    check_it(&higher, &[(0.5, None)], &[(0.0, None)], expect!["{10, 20}"]);
}

#[test]
fn only_others_than_the_author_approve() {
    let (one, two, trainer) = (person("P-1"), person("P-2"), person("trainer"));
    let table: Vec<String> = [
        (Some(&one), "trainer", &one, "desk"),
        (Some(&one), "trainer", &two, "desk"),
        (Some(&one), "trainer", &two, "trainer"),
        (None, "trainer", &trainer, "desk"),
        (None, "trainer", &two, "desk"),
        (None, "local", &two, "local"),
    ]
    .map(|(author, registered_by, person, actor)| {
        not_independent(author, registered_by, person, actor).unwrap_or_else(|| "counts".to_owned())
    })
    .into();
    expect![[r#"
        P-1 made it
        counts
        trainer registered it, and said so
        trainer registered it
        counts
        counts"#]]
    .assert_eq(&table.join("\n"));
    let approvals = vec![(&one, "desk"), (&two, "desk")];
    let candidate = Candidate { version: 1, author: Some(&one), actor: "trainer", evaluations: vec![], approvals };
    let two_wanted = GateDefined { requires: vec![], ..gate(2, Better::Lower, None, None) };
    let found = check(&two_wanted, &candidate, None).unmet;
    assert_eq!(found.len(), 1);
    expect!["gate release: approvals: found P-2, wanted 2 by people other than the author"]
        .assert_eq(&found[0].to_string());
    assert_eq!(check(&GateDefined { approvals: 1, ..two_wanted }, &candidate, None).unmet, []);
}
