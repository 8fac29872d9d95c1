//! A client of the API.

use anyhow::{Context, bail};
use reqwest::StatusCode;
use serde_json::Value;

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

impl Client {
    /// A client without a token.
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned(), token: None, http: reqwest::Client::new() }
    }

    /// The same client with a token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether the server answers that it is ready.
    pub async fn is_ready(&self) -> bool {
        self.request(reqwest::Method::GET, "/readyz").send().await.is_ok_and(|response| response.status().is_success())
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// GET: the status and the body as text.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn text(&self, path: &str) -> anyhow::Result<(StatusCode, String)> {
        let response = self.request(reqwest::Method::GET, path).send().await.with_context(|| format!("GET {path}"))?;
        Ok((response.status(), response.text().await?))
    }

    /// GET: the status, the headers and the body as bytes.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn bytes_with_headers(
        &self,
        path: &str,
    ) -> anyhow::Result<(StatusCode, reqwest::header::HeaderMap, Vec<u8>)> {
        let response = self.request(reqwest::Method::GET, path).send().await.with_context(|| format!("GET {path}"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((status, headers, response.bytes().await?.to_vec()))
    }

    /// GET: the bytes of an answer that must be good.
    ///
    /// # Errors
    /// When the answer is not 2xx.
    pub async fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let response = self.request(reqwest::Method::GET, path).send().await.with_context(|| format!("GET {path}"))?;
        Ok(response.error_for_status()?.bytes().await?.to_vec())
    }

    /// GET: the status, the media type, and what caches are told.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn head_of(&self, path: &str) -> anyhow::Result<(u16, String, String)> {
        let response = self.request(reqwest::Method::GET, path).send().await.with_context(|| format!("GET {path}"))?;
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Ok((response.status().as_u16(), header("content-type"), header("cache-control")))
    }

    /// GET: the JSON of an answer that must be good.
    ///
    /// # Errors
    /// When the answer is not 2xx.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let (status, text) = self.text(path).await?;
        if !status.is_success() {
            bail!("GET {path}: {status} {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("GET {path}: {text}"))
    }

    /// The status of a request with an empty JSON object as its body.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn status(&self, method: &str, path: &str) -> anyhow::Result<u16> {
        let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes())?;
        let response =
            self.request(method, path).json(&serde_json::json!({})).send().await.with_context(|| path.to_owned())?;
        Ok(response.status().as_u16())
    }

    /// POST of JSON: the status and the JSON of the answer.
    ///
    /// # Errors
    /// When the server does not answer JSON.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(StatusCode, Value)> {
        self.send("POST", path, body).await
    }

    /// A request with JSON: the status and the JSON of the answer.
    ///
    /// # Errors
    /// When the server does not answer JSON.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<(StatusCode, Value)> {
        let verb = reqwest::Method::from_bytes(method.as_bytes())?;
        let response = self.request(verb, path).json(body).send().await.with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        let text = response.text().await?;
        let value = serde_json::from_str(&text).with_context(|| format!("{method} {path}: {status} {text}"))?;
        Ok((status, value))
    }

    /// POST of JSON whose answer must be good.
    ///
    /// # Errors
    /// When the answer is not 2xx.
    pub async fn must_post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let (status, value) = self.post(path, body).await?;
        if !status.is_success() {
            bail!("POST {path}: {status} {value}");
        }
        Ok(value)
    }
}
