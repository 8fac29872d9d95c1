//! The native API of a running server, for commands.

use anyhow::{Context, bail};
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::Value;

use super::arguments::ServerArguments;

/// The most pages of one list.
const MAX_PAGES: usize = 10_000;

/// A running server.
pub struct Remote {
    base: Url,
    token: Option<String>,
    http: Client,
}

impl Remote {
    /// The server that the arguments name.
    ///
    /// # Errors
    /// When its address is none.
    pub fn new(server: &ServerArguments) -> anyhow::Result<Self> {
        let base = Url::parse(&server.server).with_context(|| format!("the server {:?}", server.server))?;
        if base.cannot_be_a_base() {
            bail!("the server {:?} is not an address", server.server);
        }
        Ok(Self { base, token: server.token.clone(), http: Client::new() })
    }

    fn address(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(parts);
        }
        url
    }

    async fn ask(&self, method: Method, url: Url, body: Option<&Value>) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method.clone(), url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| format!("{method} {url}; is the server running?"))?;
        let status = response.status();
        let text = response.text().await.with_context(|| format!("{method} {url}"))?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn must(&self, method: Method, url: Url, body: Option<&Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.ask(method, url, body).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let detail = answer.get("detail").and_then(Value::as_str).or(answer.as_str()).unwrap_or_default();
        bail!("the server refuses ({status}): {detail}")
    }

    /// Asks.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn get(&self, parts: &[&str], query: &[(&str, String)]) -> anyhow::Result<Value> {
        let mut url = self.address(parts);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.must(Method::GET, url, None).await
    }

    /// Asks for something that may not be there.
    ///
    /// # Errors
    /// As [`Remote::get`].
    pub async fn find(&self, parts: &[&str]) -> anyhow::Result<Option<Value>> {
        let (status, answer) = self.ask(Method::GET, self.address(parts), None).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer)),
            _ => self.get(parts, &[]).await.map(Some),
        }
    }

    /// Asks for every page of a list.
    ///
    /// # Errors
    /// As [`Remote::get`].
    pub async fn all(&self, parts: &[&str], query: &[(&str, String)]) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut asked = query.to_vec();
            asked.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(parts, &asked).await?;
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(found)) => items.extend(found),
                _ => bail!("the server did not answer a list"),
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
        bail!("the list has more than {MAX_PAGES} pages")
    }

    /// Tells.
    ///
    /// # Errors
    /// When the server does not answer, or refuses; the error has its reason.
    pub async fn send(&self, method: Method, parts: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.must(method, self.address(parts), Some(body)).await
    }
}
