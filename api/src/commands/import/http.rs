//! A sink that sends to a running server.

use connectors::import::{EventsOutcome, ImportEvent, ImportSink, ReadingsOutcome, Refusal, SinkError};
use eventlog::BoxFuture;
use eventlog::frames::Reading;
use serde_json::{Value, json};

/// Sends batches to the native API.
pub(super) struct HttpSink {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// What the server answered.
struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    /// A number of the answer; 0 where it has none.
    fn count(&self, field: &str) -> u64 {
        self.body.get(field).and_then(Value::as_u64).unwrap_or(0)
    }
}

impl HttpSink {
    /// A sink for the server at this address.
    pub(super) fn new(server: &str, token: Option<String>) -> Self {
        Self { base: server.trim_end_matches('/').to_owned(), token, http: reqwest::Client::new() }
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Answer, SinkError> {
        let other = |error: reqwest::Error| SinkError::Other(format!("POST {}{path}: {error}", self.base));
        let mut request = self.http.post(format!("{}{path}", self.base)).json(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(other)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(other)?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    async fn send_events(&self, events: &[Value]) -> Result<EventsOutcome, SinkError> {
        let answer = self.post("/api/v1/events?known=skip", &Value::Array(events.to_vec())).await?;
        match answer.status {
            200 | 201 => {
                Ok(EventsOutcome { added: answer.count("added"), known: answer.count("known"), refused: Vec::new() })
            }
            // One of them is not taken. Alone, each says for itself.
            400 | 409 | 422 if events.len() > 1 => {
                let mut outcome = EventsOutcome::default();
                for (index, event) in events.iter().enumerate() {
                    let one = Box::pin(self.send_events(std::slice::from_ref(event))).await?;
                    outcome.added += one.added;
                    outcome.known += one.known;
                    outcome.refused.extend(one.refused.into_iter().map(|refusal| Refusal { index, ..refusal }));
                }
                Ok(outcome)
            }
            400 | 409 | 422 => Ok(EventsOutcome {
                refused: vec![Refusal { index: 0, reason: detail(&answer) }],
                ..EventsOutcome::default()
            }),
            _ => Err(SinkError::Other(detail(&answer))),
        }
    }
}

fn detail(answer: &Answer) -> String {
    let text = answer.body.get("detail").and_then(Value::as_str).map_or_else(|| answer.body.to_string(), str::to_owned);
    format!("{} {text}", answer.status)
}

fn event_body(event: &ImportEvent) -> Result<Value, SinkError> {
    let other = |error: serde_json::Error| SinkError::Other(error.to_string());
    let payload = event.event.encode().map_err(other)?;
    let data: Value = serde_json::from_slice(&payload).map_err(other)?;
    Ok(json!({
        "id": event.meta.id,
        "type": event.event.event_type(),
        "schema_version": event.event.schema_version(),
        "time": event.meta.event_time,
        "source": event.meta.source,
        "external_id": event.meta.external_id,
        "data": data,
    }))
}

impl ImportSink for HttpSink {
    fn events(&mut self, events: Vec<ImportEvent>) -> BoxFuture<'_, Result<EventsOutcome, SinkError>> {
        Box::pin(async move {
            let bodies = events.iter().map(event_body).collect::<Result<Vec<_>, _>>()?;
            self.send_events(&bodies).await
        })
    }

    fn readings<'a>(
        &'a mut self,
        source: &'a str,
        readings: Vec<Reading>,
    ) -> BoxFuture<'a, Result<ReadingsOutcome, SinkError>> {
        Box::pin(async move {
            let bodies: Vec<Value> = readings
                .iter()
                .map(|reading| {
                    json!({"signal": &*reading.signal, "time": reading.time, "value": reading.value, "sequence": reading.sequence, "status": reading.status, "source": source})
                })
                .collect();
            let answer = self.post("/api/v1/readings", &Value::Array(bodies)).await?;
            if answer.status != 201 {
                return Err(SinkError::Other(detail(&answer)));
            }
            Ok(ReadingsOutcome {
                added: answer.count("accepted"),
                known: answer.count("duplicates"),
                conflicting: answer.count("conflicts"),
            })
        })
    }
}
