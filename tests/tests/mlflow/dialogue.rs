//! A recorded dialogue of the real client with the original server, held again with ours.

use super::*;

/// What an answer is made of: the type of everything in it, by its place. Lists count by what is in them.
fn shape(value: &Value, place: &str, into: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(items) => {
            items.iter().for_each(|item| shape(item, &format!("{place}[]"), into));
            "list"
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| shape(member, &format!("{place}.{name}"), into));
            "object"
        }
    };
    into.insert(place.to_owned(), kind);
}

/// Ids that the recorded server gave, and those that this one gives for them.
#[derive(Default)]
struct Ids(Vec<(String, String)>);

impl Ids {
    fn learn(&mut self, theirs: &Value, ours: &Value) {
        for pointer in ["/run/info/run_id", "/model/info/model_id", "/experiment_id"] {
            if let (Some(theirs), Some(ours)) = (theirs.pointer(pointer), ours.pointer(pointer))
                && let (Some(theirs), Some(ours)) = (theirs.as_str(), ours.as_str())
                && theirs.len() > 8
                && !self.0.iter().any(|(known, _)| known == theirs)
            {
                self.0.push((theirs.to_owned(), ours.to_owned()));
            }
        }
    }

    fn put_in(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs.as_str(), ours))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_dialogue_of_the_real_client_gets_answers_of_the_same_shape() -> anyhow::Result<()> {
    let recorded = workspace().join("../shared/standards/mlflow/loop_transcript.jsonl");
    let Ok(recorded) = std::fs::read_to_string(&recorded) else {
        skipped(&format!("{} is not there: a recorded dialogue of MLflow's client", recorded.display()));
        return Ok(());
    };
    // What the recorded server says besides, of things that this one does not have: kinds of errors for a platform, and workspaces.
    let theirs_only = [".sqlstate", ".error_class", ".experiment.workspace", ".experiments[].workspace"];
    // What this one says besides: the logged model that a version is.
    let ours_only = |place: &str| place.ends_with(".model_id");
    let (_dir, server, mlflow) = server().await?;
    let (mut ids, mut compared) = (Ids::default(), 0);
    for line in recorded.lines() {
        let said: Value = serde_json::from_str(line)?;
        let (method, url) =
            (said["method"].as_str().unwrap_or_default(), ids.put_in(said["url"].as_str().unwrap_or_default()));
        let sent = ids.put_in(said["req"].as_str().unwrap_or_default());
        let request = mlflow.request(Method::from_bytes(method.as_bytes())?, &url);
        let request = match sent.as_str() {
            "" => request,
            "<stream>" => request.body("bytes"),
            // The record keeps the beginning of a long body only.
            text if serde_json::from_str::<Value>(text).is_err() => continue,
            text => request.header("content-type", "application/json").body(text.to_owned()),
        };
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        assert_eq!(Some(u64::from(status)), said["status"].as_u64(), "{method} {url} {sent}: {text}");
        let Ok(theirs) = serde_json::from_str::<Value>(said["resp"].as_str().unwrap_or_default()) else { continue };
        let ours: Value = serde_json::from_str(&text).with_context(|| format!("{method} {url}: {text}"))?;
        ids.learn(&theirs, &ours);
        if url.ends_with("/server-info") {
            continue;
        }
        let (mut expected, mut found) = (BTreeMap::new(), BTreeMap::new());
        shape(&theirs, "", &mut expected);
        shape(&ours, "", &mut found);
        expected.retain(|place, _| !theirs_only.contains(&place.as_str()));
        found.retain(|place, _| expected.contains_key(place) || !ours_only(place));
        assert_eq!(found, expected, "{method} {url} {sent}\nours: {ours}\ntheirs: {theirs}");
        if status >= 400 {
            assert_eq!(ours["error_code"], theirs["error_code"], "{method} {url}");
        }
        compared += 1;
    }
    assert!(compared > 100, "only {compared} answers were compared");
    server.stop().await
}
