use projections::folds::dictionary::Dictionary;
use projections::{MemoryProjection, Projection};

use super::*;
use crate::case_index::CaseProjection;
use crate::testing::Mill;

async fn index(mill: &Mill) -> CaseIndex {
    let (mut projection, index) = CaseProjection::open();
    projection.apply(&mill.entries, mill.through()).await.unwrap();
    index
}

/// Suggests without words of a plant.
fn code(index: &CaseIndex, request: &CodeRequest) -> Result<Coding, QuestionError> {
    let (_, dictionary) = MemoryProjection::<Dictionary>::open(None).unwrap();
    super::code(index, &Words::new(dictionary), request)
}

fn asked(text: &str) -> CodeRequest {
    CodeRequest { text: text.to_owned(), ..CodeRequest::default() }
}

#[tokio::test]
async fn a_text_gets_the_mode_that_people_gave_alike_texts() {
    let index = index(&Mill::looms()).await;
    for (text, mode) in [
        ("bearing is hot", "BEARING_WORN"),
        ("轴承异响", "BEARING_WORN"),
        ("nozle cloged", "NOZZLE_CLOGGED"),
        ("经纱张力波动", "LETOFF_WORN"),
    ] {
        let coding = code(&index, &asked(text)).unwrap();
        let modes = coding.targets.iter().find(|one| one.target == Target::Mode).unwrap();
        assert_eq!(modes.codes[0].code, mode, "{text}");
        assert!(modes.codes[0].probability > 0.5, "{text}: {modes:?}");
        assert!(coding.made.experience.is_some());
    }
    assert!(code(&index, &asked("  ")).is_err());
    assert!(code(&index, &asked(&"x".repeat(5_000))).is_err());
}

#[tokio::test]
async fn the_past_knows_no_later_codes_and_answers_the_same_every_time() {
    let mut mill = Mill::looms();
    let before = Position::new(mill.entries.len() as u64 - 1);
    for number in 0..40 {
        let id = format!("D-{number}");
        let said = ("储纬器不转", "accumulator drum does not turn");
        mill.episode(9_000 + number, &id, "LOOM-01", said, &[], Some("DRUM_MOTOR"), ("repair", "accumulator"));
    }
    let index = index(&mill).await;
    let now = code(&index, &asked("drum does not turn")).unwrap();
    assert_eq!(now.targets[0].codes[0].code, "DRUM_MOTOR");
    let then = CodeRequest { as_of: Some(before), ..asked("drum does not turn") };
    let answer = code(&index, &then).unwrap();
    assert!(answer.targets.iter().flat_map(|one| &one.codes).all(|one| one.code != "DRUM_MOTOR"), "{answer:?}");
    assert_eq!(code(&index, &then).unwrap(), answer);
}
