use eventlog::Position;
use projections::folds::dictionary::Dictionary;
use projections::folds::episodes::Episodes;
use projections::folds::states::States;
use projections::{MemoryProjection, Projection};

use super::*;
use crate::answer::QuestionError;
use crate::case_index::{CaseIndex, CaseProjection};
use crate::facade::Models;
use crate::testing::Mill;
use crate::words::Words;

pub(crate) async fn models(mill: &Mill) -> Models {
    let (mut episodes, shared) = MemoryProjection::<Episodes>::open(None).unwrap();
    episodes.apply(&mill.entries, mill.through()).await.unwrap();
    let (mut states, shared_states) = MemoryProjection::<States>::open(None).unwrap();
    states.apply(&mill.entries, mill.through()).await.unwrap();
    let (mut dictionary, shared_dictionary) = MemoryProjection::<Dictionary>::open(None).unwrap();
    dictionary.apply(&mill.entries, mill.through()).await.unwrap();
    Models { episodes: shared, states: shared_states, dictionary: shared_dictionary }
}

pub(crate) async fn index(mill: &Mill) -> CaseIndex {
    let (mut projection, index) = CaseProjection::open();
    // Batches never show.
    for batch in mill.entries.chunks(7) {
        projection.apply(batch, batch.last().unwrap().position.next()).await.unwrap();
    }
    index
}

fn ask(models: &Models, index: &CaseIndex, request: &DiagnoseRequest) -> Result<Diagnosis, QuestionError> {
    super::ask(models, index, &Words::new(models.dictionary.clone()), request)
}

fn request(symptoms: &str, alarms: &[&str]) -> DiagnoseRequest {
    DiagnoseRequest {
        asset: Some("LOOM-02".to_owned()),
        symptoms: symptoms.to_owned(),
        alarms: alarms.iter().map(|alarm| (*alarm).to_owned()).collect(),
        ..DiagnoseRequest::default()
    }
}

#[tokio::test]
async fn symptoms_in_either_language_and_alarms_rank_the_right_mode_first() {
    let mill = Mill::looms();
    let (models, words) = (models(&mill).await, index(&mill).await);
    for (symptoms, alarms, expected) in [
        ("轴承温度高 发热 the main bearing is running hot", &[][..], "BEARING_WORN"),
        ("weft arrives late", &[][..], "NOZZLE_CLOGGED"),
        ("喷嘴堵塞", &[], "NOZZLE_CLOGGED"),
        ("纬纱到达迟", &[], "NOZZLE_CLOGGED"),
        ("bearing is hot", &[], "BEARING_WORN"),
        ("轴承温度高", &[], "BEARING_WORN"),
        ("warp stops", &["A-110"], "LETOFF_WORN"),
        ("经停频繁", &[], "LETOFF_WORN"),
        ("", &["A-301"], "NOZZLE_CLOGGED"),
        ("nozle cloged, late weft", &[], "NOZZLE_CLOGGED"),
        ("cutter does not cut", &[], "CUTTER_DULL"),
    ] {
        let diagnosis = ask(&models, &words, &request(symptoms, alarms)).unwrap();
        assert_eq!(diagnosis.verdict, Verdict::Match, "{symptoms} {alarms:?}");
        let best = &diagnosis.candidates[0];
        assert_eq!(best.mode, expected, "{symptoms} {alarms:?}");
        assert!(best.low <= best.high && best.probability > 0.5, "{best:?}");
        assert!(!best.for_it.is_empty() && !best.episodes.is_empty() && !diagnosis.evidence.is_empty());
    }
}

#[tokio::test]
async fn a_candidate_carries_its_support_and_the_action_that_worked() {
    let mill = Mill::looms();
    let (models, words) = (models(&mill).await, index(&mill).await);
    let diagnosis = ask(&models, &words, &request("main nozzle clogged", &["A-301"])).unwrap();
    let best = &diagnosis.candidates[0];
    assert_eq!((best.n, diagnosis.n), (6, 21));
    let action = &best.actions[0];
    assert_eq!((action.activity.as_str(), action.item.as_deref()), ("clean", Some("main-nozzle")));
    assert_eq!((action.successes, action.attempts), (6, 6));
    assert!(action.low > 0.5 && action.low < action.success_rate && action.success_rate < action.high);
    assert_eq!((action.median_hours, action.median_cost), (Some(1.5), Some(120.0)));
    assert!(best.episodes.iter().all(|episode| !episode.positions.is_empty() && !episode.actions.is_empty()));
    assert!(best.last_seen.is_some());
}

#[tokio::test]
async fn what_nobody_has_seen_is_no_good_match() {
    let mill = Mill::looms();
    let (models, words) = (models(&mill).await, index(&mill).await);
    for symptoms in ["the roof leaks rain", "屋顶漏雨", "printer out of paper"] {
        let diagnosis = ask(&models, &words, &request(symptoms, &[])).unwrap();
        assert_eq!(diagnosis.verdict, Verdict::NoGoodMatch, "{symptoms}: {:?}", diagnosis.candidates);
        assert!(diagnosis.candidates.is_empty());
    }
    let mill = Mill::new();
    let (models, words) = (super::tests::models(&mill).await, index(&mill).await);
    let diagnosis = ask(&models, &words, &request("noise", &[])).unwrap();
    assert_eq!((diagnosis.verdict, diagnosis.as_of, diagnosis.n), (Verdict::NoGoodMatch, None, 0));
}

#[tokio::test]
async fn uncoded_cases_that_are_alike_are_shown_with_what_was_done() {
    let mill = Mill::looms();
    let (models, words) = (models(&mill).await, index(&mill).await);
    for symptoms in ["accumulator drum does not turn", "储纬器不转"] {
        let diagnosis = ask(&models, &words, &request(symptoms, &[])).unwrap();
        assert_eq!(diagnosis.verdict, Verdict::NoGoodMatch, "{symptoms}: {:?}", diagnosis.candidates);
        let case = &diagnosis.uncoded[0];
        assert_eq!(case.id.as_str(), "fault_episode:U-1");
        assert_eq!(case.actions[0].activity, "repair");
    }
}

#[tokio::test]
async fn as_of_knows_only_what_was_known() {
    let mut mill = Mill::looms();
    let before = Position::new(mill.entries.len() as u64 - 1);
    mill.coded(9_000, "U-1", "LOOM-02", "DRUM_MOTOR");
    let (models, words) = (models(&mill).await, index(&mill).await);
    let mut asked = request("accumulator drum does not turn", &[]);
    let now = ask(&models, &words, &asked).unwrap();
    assert_eq!(now.candidates[0].mode, "DRUM_MOTOR");
    asked.as_of = Some(before);
    let then = ask(&models, &words, &asked).unwrap();
    assert_eq!((then.verdict, then.as_of, then.uncoded.len()), (Verdict::NoGoodMatch, Some(before), 1));
    assert_eq!(ask(&models, &words, &asked).unwrap(), then, "the same question has the same answer");
}

#[tokio::test]
async fn a_question_without_anything_seen_is_refused() {
    let mill = Mill::looms();
    let (models, words) = (models(&mill).await, index(&mill).await);
    assert!(ask(&models, &words, &request("  ", &[])).is_err());
    assert!(ask(&models, &words, &request(&"x".repeat(5_000), &[])).is_err());
}

/// The real work orders of five excavators, where the data sets are there.
mod excavators {
    use domain::Text;
    use domain::events::*;

    use super::*;
    use crate::search_index::{SearchProjection, SearchRequest};
    use crate::testing::{asset, code, fault, order};

    fn mill() -> Option<Mill> {
        let folder = std::env::var("MILLWRIGHT_DATA_SETS").unwrap_or_else(|_| "../../shared/data".to_owned());
        let path = std::path::Path::new(&folder).join("excavator_mwo/case_study_pdl.csv");
        let Ok(mut reader) = csv::Reader::from_path(&path) else {
            eprintln!("SKIPPED: {} is not there", path.display());
            return None;
        };
        let mut mill = Mill::new();
        let mut rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        rows.sort_by(|a, b| a[1].cmp(&b[1]));
        for row in rows {
            let (date, machine, text, action, mode) = (&row[1], &row[2], &row[3], &row[9], &row[11]);
            let time: jiff::Timestamp = format!("{date}T08:00:00Z").parse().unwrap();
            let hours = (time.duration_since(mill.start).as_secs()) / 3600;
            let id = row[17].to_owned();
            let named = !mode.is_empty();
            if named {
                let fault_id = fault(&id);
                mill.add(
                    hours,
                    FaultObserved {
                        fault: fault_id.clone(),
                        asset: asset(machine),
                        symptoms: Text::guessed(text),
                        alarms: vec![],
                        detection: None,
                        impact: None,
                        product: None,
                        person: None,
                    },
                );
                mill.coded(hours, &id, machine, mode);
            }
            mill.add(
                hours,
                WorkOrderOpened {
                    work_order: order(&id),
                    asset: asset(machine),
                    fault: named.then(|| fault(&id)),
                    category: Category::Corrective,
                    description: Text::guessed(text),
                    item: None,
                    priority: None,
                },
            );
            if !action.is_empty() {
                mill.add(
                    hours,
                    WorkDone {
                        work_order: order(&id),
                        asset: asset(machine),
                        fault: named.then(|| fault(&id)),
                        activity: code(action),
                        item: None,
                        text: None,
                        parts: vec![],
                        hours: None,
                        cost: row[5].parse().ok(),
                        person: None,
                    },
                );
            }
            mill.add(
                hours,
                WorkOrderClosed {
                    work_order: order(&id),
                    asset: asset(machine),
                    outcome: Outcome::Unknown,
                    hours: None,
                    cost: None,
                    machine_up: None,
                },
            );
        }
        Some(mill)
    }

    #[tokio::test]
    async fn real_work_orders_are_found_and_diagnosed() {
        let Some(mill) = mill() else { return };
        let (mut projection, index) = SearchProjection::open(None).unwrap();
        projection.apply(&mill.entries, mill.through()).await.unwrap();
        index.show(mill.through().previous().unwrap()).await.unwrap();
        let asked = SearchRequest {
            q: Some("bucket cylinder leaking".to_owned()),
            base: Some(crate::record::Base::Maintenance),
            ..Default::default()
        };
        let found = index.search(asked).await.unwrap();
        let texts: Vec<String> = found.items.iter().map(|hit| hit.record.title.any().to_lowercase()).collect();
        assert!(
            texts[..2].iter().all(|text| ["leak", "cylinder", "bucket"].iter().all(|word| text.contains(word))),
            "{texts:#?}"
        );
        let leaks = texts.iter().filter(|text| text.contains("leak")).count();
        assert!(leaks >= 6, "{texts:#?}");

        let (models, words) = (models(&mill).await, super::index(&mill).await);
        let seen = |symptoms: &str| DiagnoseRequest { symptoms: symptoms.to_owned(), ..Default::default() };
        let leak = ask(&models, &words, &seen("bucket cylinder leaking oil")).unwrap();
        assert_eq!(leak.candidates[0].mode, "Leak", "{:#?}", leak.candidates);
        let stuck = ask(&models, &words, &seen("bucket won't open")).unwrap();
        let alike: Vec<String> = stuck.uncoded.iter().map(|case| case.text.any().to_lowercase()).collect();
        assert!(alike.iter().any(|text| text.contains("open")), "{alike:#?}");
        eprintln!(
            "bucket won't open: {:?}, {:?}",
            stuck.verdict,
            stuck
                .candidates
                .iter()
                .map(|c| (&c.mode, c.n, c.probability, c.episodes[0].similarity, c.episodes[0].text.any().to_owned()))
                .collect::<Vec<_>>()
        );
        eprintln!("uncoded: {alike:#?}");
        let none = ask(&models, &words, &seen("invoice from the supplier was not paid")).unwrap();
        assert_eq!(none.verdict, super::Verdict::NoGoodMatch, "{:#?}", none.candidates);
    }
}
