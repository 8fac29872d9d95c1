use eventlog::Position;

use super::*;
use crate::facade::{Config, Knowledge};
use crate::testing::Mill;
use projections::{Feed, Projection};

async fn knowledge(mill: &Mill) -> Knowledge {
    let models = crate::diagnose::tests::models(mill).await;
    let config = Config { surreal_url: Some("mem://".to_owned()), ..Config::default() };
    let (knowledge, mut projections) = Knowledge::open(&config, models).await.unwrap();
    projections.search.apply(&mill.entries, mill.through()).await.unwrap();
    projections.graph.open().await.unwrap().apply(&mill.entries, mill.through()).await.unwrap();
    knowledge.show(mill.through().previous().unwrap()).await.unwrap();
    knowledge
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_counted_at_the_asked_position() {
    let mut mill = Mill::looms();
    let before = Position::new(mill.entries.len() as u64 - 1);
    mill.coded(9_000, "U-1", "LOOM-02", "DRUM_MOTOR");
    let knowledge = knowledge(&mill).await;
    let now = knowledge.fault_modes(Scope::default()).await.unwrap();
    let counts: Vec<(Option<&str>, u64)> = now.value.iter().map(|row| (row.mode.as_deref(), row.n)).collect();
    assert_eq!(
        counts,
        [
            (Some("BEARING_WORN"), 6),
            (Some("LETOFF_WORN"), 6),
            (Some("NOZZLE_CLOGGED"), 6),
            (Some("CUTTER_DULL"), 3),
            (Some("DRUM_MOTOR"), 1)
        ]
    );
    assert_eq!((now.n, now.as_of), (22, Some(before.next())));
    let then = knowledge.fault_modes(Scope { as_of: Some(before), ..Scope::default() }).await.unwrap();
    assert!(then.value.iter().any(|row| row.mode.is_none() && row.n == 1));
    assert_eq!(then.as_of, Some(before));
    let rapier = Scope { class: Some("rapier-loom".to_owned()), ..Scope::default() };
    let rapier = knowledge.fault_modes(rapier).await.unwrap();
    assert_eq!((rapier.value.len(), rapier.value[0].n), (1, 3));
    let mtbf = rapier.value[0].mtbf.clone().unwrap();
    assert!(mtbf.low < mtbf.hours && mtbf.hours < mtbf.high, "{mtbf:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_has_its_episodes_and_its_actions() {
    let knowledge = knowledge(&Mill::looms()).await;
    let view = knowledge.fault_mode("LETOFF_WORN", Scope::default()).await.unwrap();
    assert_eq!((view.n, view.value.episodes.len()), (6, 6));
    assert_eq!(view.value.actions[0].item.as_deref(), Some("let-off-gear"));
    assert_eq!(view.value.summary.alarms, [("A-110".to_owned(), 6), ("A-111".to_owned(), 6)]);
    assert_eq!(view.value.summary.median_hours_to_restore, Some(2.0));
    assert!(knowledge.fault_mode("NONE", Scope::default()).await.is_err());
    let actions =
        knowledge.maintenance(Scope { code: Some("BEARING_WORN".to_owned()), ..Scope::default() }).await.unwrap();
    assert_eq!((actions.value[0].n, actions.value[0].hours, actions.value[0].cost), (6, 9.0, 720.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn quality_is_ranked_and_control_shows_what_followed() {
    let knowledge = knowledge(&Mill::looms()).await;
    let by_asset = knowledge.quality(QualityBy::Asset, Scope::default()).await.unwrap();
    let rows: Vec<(Option<&str>, u64, u64, u64)> =
        by_asset.value.iter().map(|row| (row.key.as_deref(), row.n, row.failed, row.points)).collect();
    assert_eq!(rows, [(Some("LOOM-01"), 1, 1, 8), (Some("LOOM-02"), 1, 0, 0)]);
    let by_defect = knowledge.quality(QualityBy::Defect, Scope::default()).await.unwrap();
    assert_eq!(by_defect.value.len(), 2);
    let control = knowledge.control(Scope::default()).await.unwrap();
    assert_eq!((control.n, control.value.len()), (1, 1));
    let followed: Vec<&str> = control.value[0].followed.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(followed, ["inspection:INS-1"]);
    assert!(control.evidence.len() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_added_up() {
    use domain::events::{MachineState, MachineStateChanged};
    let mut mill = Mill::new();
    for (hours, state, reason) in [
        (0, MachineState::Running, None),
        (6, MachineState::Stopped, Some("warp_break")),
        (7, MachineState::Running, None),
        (9, MachineState::Off, None),
        (10, MachineState::Running, None),
    ] {
        let reason = reason.map(crate::testing::code);
        mill.add(hours, MachineStateChanged { asset: crate::testing::asset("L"), state, reason });
    }
    let knowledge = knowledge(&mill).await;
    let answer = knowledge.operating(Scope::default()).await.unwrap();
    let row = &answer.value[0];
    assert_eq!(row.hours, [("running".to_owned(), 8.0), ("off".to_owned(), 1.0), ("stopped".to_owned(), 1.0)]);
    assert_eq!(row.stops, [("warp_break".to_owned(), 1)]);
    assert_eq!(row.running_share, Some(8.0 / 9.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_keeps_the_knowledge_up_with_the_log() {
    use std::sync::Arc;
    use std::time::Duration;

    use eventlog::memory::MemoryLog;
    use eventlog::{AppendCondition, EventLog};
    use projections::{Meta, ProjectionSet, seal};
    use tokio_util::sync::CancellationToken;

    let mill = Mill::looms();
    let models = crate::diagnose::tests::models(&mill).await;
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let (knowledge, projections) = Knowledge::open(&Config::default(), models).await.unwrap();
    let cancel = CancellationToken::new();
    let mut set = ProjectionSet::default();
    projections.start(&Feed::from(&log), &mut set, &cancel);
    let mut last = None;
    for entry in &mill.entries {
        let sealed = seal(entry.event().unwrap(), Meta::own("test", entry.event_time)).unwrap();
        last = Some(log.append(AppendCondition::default(), vec![sealed]).await.unwrap().last);
    }
    set.wait_for(last.unwrap(), Duration::from_secs(60)).await.unwrap();
    knowledge.show(last.unwrap()).await.unwrap();
    let found = knowledge
        .search(crate::search_index::SearchRequest { q: Some("主喷嘴堵塞".to_owned()), ..Default::default() })
        .await
        .unwrap();
    assert_eq!(found.as_of, last);
    assert!(found.total >= 12);
    let id = crate::record::RecordId::parse("fault_episode:U-1").unwrap();
    assert_eq!(knowledge.record(&id, None).await.unwrap().as_of, last);
    let live = set.digests().await.unwrap();
    assert_eq!(live[0].digest, live[1].digest, "both stores hold the same versions");
    for handle in set.handles() {
        handle.rebuild().await.unwrap();
    }
    assert_eq!(set.digests().await.unwrap(), live);
    cancel.cancel();
    set.stopped().await;
}
