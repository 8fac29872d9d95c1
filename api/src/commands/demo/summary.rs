//! What a demo that ended by itself has to show: counts, rates, one diagnosis, one trace, and whether a replay gives the same digests.

use std::time::Duration;

use anyhow::Context;
use knowledge::diagnose::{DiagnoseRequest, Verdict};
use projections::folds::genealogy::NodeKind;
use projections::trace::{TraceDirection, TraceRequest, query};
use projections::{AsOf, ProjectionDigest};
use serde_json::{Value, json};
use simulator::Truth;

use crate::cli::Output;
use crate::commands::{print as print_result, replay};
use crate::engine::Engine;

/// What an engineer would type in: it is not a text of the simulator.
const QUESTION: &str = "主轴承 振动大 发热 bearing noisy and hot";

/// Everything of the summary. The mill has stopped; what it said last is waited for.
pub(super) async fn gather(engine: &Engine, elapsed: Duration) -> anyhow::Result<Value> {
    let sources = engine.source_states();
    engine.stop_sources().await;
    let digests = quiet_digests(engine).await?;
    let last = engine.log.tail().previous();
    let replayed = replay::digests(engine.log.as_ref(), last).await?;
    let differences = replay::differences(&digests, &replayed);
    let (readings, by_type) =
        engine.statistics.read(|statistics, _| (statistics.readings, serde_json::to_value(&statistics.by_type)));
    let received: u64 = sources.iter().map(|source| source.received).sum();
    Ok(json!({
        "seconds": elapsed.as_secs_f64(),
        "records": engine.log.tail(),
        "readings": readings,
        "by_type": by_type?,
        "messages_received": received,
        "sources": sources,
        "diagnosis": diagnosis(engine).await?,
        "trace": trace(engine).await?,
        "digests_compared": digests.len(),
        "digests_different": differences,
    }))
}

/// The digests once nothing moves any more: every projection and reactor is at the tail, and the tail stays.
async fn quiet_digests(engine: &Engine) -> anyhow::Result<Vec<ProjectionDigest>> {
    loop {
        let tail = engine.log.tail();
        engine.settle().await?;
        engine.settle_reactors().await?;
        let digests = engine.projections().digests().await?;
        if engine.log.tail() == tail && digests.iter().all(|digest| digest.checkpoint == tail) {
            return Ok(digests);
        }
    }
}

async fn diagnosis(engine: &Engine) -> anyhow::Result<Value> {
    let request = DiagnoseRequest {
        class: Some(simulator::mill::LOOM_CLASS.to_owned()),
        symptoms: QUESTION.to_owned(),
        limit: Some(3),
        ..DiagnoseRequest::default()
    };
    let answer = engine.knowledge.diagnose(request).await?;
    let candidates: Vec<Value> = answer
        .candidates
        .iter()
        .map(|candidate| {
            let action = candidate.actions.first().map(|action| json!({"activity": action.activity, "item": action.item, "successes": action.successes, "attempts": action.attempts}));
            json!({"mode": candidate.mode, "probability": candidate.probability, "n": candidate.n, "best_action": action})
        })
        .collect();
    let verdict = if answer.verdict == Verdict::Match { "match" } else { "no good match" };
    Ok(json!({"question": QUESTION, "verdict": verdict, "n": answer.n, "candidates": candidates}))
}

async fn trace(engine: &Engine) -> anyhow::Result<Value> {
    let roll = engine.latest_roll().await?.context("no roll was doffed")?;
    let mut request = TraceRequest::new(NodeKind::Lot, &roll);
    request.direction = TraceDirection::Back;
    request.as_of = AsOf::LATEST;
    let found = engine.genealogy.read(|genealogy, _| query(genealogy, &request))?;
    let lots = found.ids(NodeKind::Lot);
    Ok(
        json!({"roll": roll, "nodes": found.nodes.len(), "edges": found.edges.len(), "events": found.events.len(), "lots": lots}),
    )
}

/// Prints the summary.
pub(super) fn print(summary: Value, output: Output) -> anyhow::Result<()> {
    print_result(output, &summary, describe)
}

fn describe(summary: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let mut lines = vec![
        String::new(),
        format!(
            "After {:.0} s: {} records, {} readings in the log; {} messages came in live",
            number(&summary["seconds"]),
            summary["records"],
            summary["readings"],
            summary["messages_received"]
        ),
    ];
    for (name, count) in summary["by_type"].as_object().into_iter().flatten() {
        lines.push(format!("  {:>8}  {name}", count["count"]));
    }
    let diagnosis = &summary["diagnosis"];
    lines.push(format!(
        "Diagnosis of {}: {} (from {} coded episodes)",
        diagnosis["question"],
        diagnosis["verdict"].as_str().unwrap_or_default(),
        diagnosis["n"]
    ));
    for candidate in diagnosis["candidates"].as_array().into_iter().flatten() {
        let action = &candidate["best_action"];
        let best = if action.is_null() {
            String::new()
        } else {
            format!(
                "; best action: {} {}, worked {} of {}",
                text(&action["activity"]),
                text(&action["item"]),
                action["successes"],
                action["attempts"]
            )
        };
        lines.push(format!(
            "  {:>4.0} %  {} (n = {}){best}",
            number(&candidate["probability"]) * 100.0,
            text(&candidate["mode"]),
            candidate["n"]
        ));
    }
    let trace = &summary["trace"];
    let lots: Vec<_> = trace["lots"].as_array().into_iter().flatten().map(text).collect();
    lines.push(format!(
        "Trace of roll {} back: {} things, {} relations, {} events; lots {}",
        text(&trace["roll"]),
        trace["nodes"],
        trace["edges"],
        trace["events"],
        lots.join(", ")
    ));
    let different: Vec<_> = summary["digests_different"].as_array().into_iter().flatten().map(text).collect();
    lines.push(if different.is_empty() {
        format!(
            "A replay of the whole log gives the same digest for each of {} projections",
            summary["digests_compared"]
        )
    } else {
        format!("A REPLAY GIVES OTHER DIGESTS for {}: this is a defect", different.join(", "))
    });
    lines.join("\n")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Prints what really happened in the mill, one JSON object a line.
pub(super) fn print_truth(truth: &Truth) -> anyhow::Result<()> {
    truth.write_json_lines(&mut std::io::stdout().lock()).context("printing the truth")
}
