//! A server that speaks MLflow's REST API, as this crate needs it.

use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Client, Method, RequestBuilder, Response, Url, redirect};
use serde_json::{Map, Value};

use crate::ExchangeError;

/// How long a request may take that carries no file.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a file may rest on its way.
const FILE_PATIENCE: Duration = Duration::from_secs(120);
/// The most of a refusal that is shown, in characters.
const SHOWN: usize = 500;
/// The most pages of one list: a server that gives tokens for ever is not followed for ever.
const MAX_PAGES: usize = 100_000;

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    base: Url,
    http: Client,
    token: Option<String>,
}

impl Server {
    /// The server at an address, and the bearer token that it asks for.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(url: &str, token: Option<String>) -> Result<Self, ExchangeError> {
        let wrong = |reason: String| ExchangeError::Address { url: url.to_owned(), reason };
        let mut base = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong("it must begin with http:// or https://".to_owned()));
        }
        base.set_query(None);
        base.set_fragment(None);
        let http = Client::builder()
            .read_timeout(FILE_PATIENCE)
            .redirect(redirect::Policy::limited(3))
            .build()
            .map_err(ExchangeError::Client)?;
        Ok(Self { base, http, token })
    }

    /// What copies from this server are called: its address without a user's name, a password or a slash at its end.
    pub fn name(&self) -> String {
        let mut url = self.base.clone();
        let (_, _) = (url.set_username(""), url.set_password(None));
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// An address of the API, from its parts.
    fn address<'p>(&self, parts: impl IntoIterator<Item = &'p str>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    fn tracking(&self, path: &str) -> Url {
        self.address(["api", "2.0", "mlflow"].into_iter().chain(path.split('/')))
    }

    /// The address of a file that the server keeps.
    fn file(&self, path: &str) -> Url {
        let parts = path.split('/').filter(|part| !part.is_empty());
        self.address(["api", "2.0", "mlflow-artifacts", "artifacts"].into_iter().chain(parts))
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, method: Method, url: Url, request: RequestBuilder) -> Result<Response, ExchangeError> {
        let address = url.to_string();
        let response = request.send().await.map_err(|source| ExchangeError::Unanswered {
            method: method.clone(),
            address: address.clone(),
            source,
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = said.at("message").as_str().unwrap_or(&text).chars().take(SHOWN).collect();
        let code = said.at("error_code").as_str().unwrap_or_default().to_owned();
        Err(ExchangeError::Refused { method, address, status, code, message })
    }

    async fn json(&self, method: Method, url: Url, request: RequestBuilder) -> Result<Value, ExchangeError> {
        let address = url.to_string();
        let response = self.send(method.clone(), url, request.timeout(PATIENCE)).await?;
        let bytes = response.bytes().await.map_err(|source| ExchangeError::Unanswered {
            method: method.clone(),
            address: address.clone(),
            source,
        })?;
        serde_json::from_slice(&bytes).map_err(|error| ExchangeError::Answer {
            method,
            address,
            reason: error.to_string(),
        })
    }

    /// Asks.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ExchangeError> {
        let mut url = self.tracking(path);
        url.query_pairs_mut().extend_pairs(query);
        let request = self.request(Method::GET, url.clone());
        self.json(Method::GET, url, request).await
    }

    /// Tells.
    pub(crate) async fn tell(&self, method: Method, path: &str, body: &Value) -> Result<Value, ExchangeError> {
        let url = self.tracking(path);
        let request = self.request(method.clone(), url.clone()).json(body);
        self.json(method, url, request).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ExchangeError> {
        self.tell(Method::POST, path, body).await
    }

    /// Every item of a list that is asked for by POST.
    pub(crate) async fn all(&self, path: &str, body: &Value, list: &str) -> Result<Vec<Value>, ExchangeError> {
        let mut items = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut body = body.clone();
            if let (Some(fields), Some(token)) = (body.as_object_mut(), &token) {
                fields.insert("page_token".to_owned(), Value::String(token.clone()));
            }
            let mut page = self.post(path, &body).await?;
            match taken(&mut page, list, &mut items) {
                Some(next) => token = Some(next),
                None => return Ok(items),
            }
        }
        Err(endless(Method::POST, self.tracking(path)))
    }

    /// Every item of a list that is asked for by GET.
    pub(crate) async fn all_of(
        &self,
        path: &str,
        query: &[(&str, &str)],
        list: &str,
    ) -> Result<Vec<Value>, ExchangeError> {
        let mut items = Vec::new();
        let mut token = String::new();
        for _ in 0..MAX_PAGES {
            let mut asked = query.to_vec();
            if !token.is_empty() {
                asked.push(("page_token", &token));
            }
            let mut page = self.get(path, &asked).await?;
            match taken(&mut page, list, &mut items) {
                Some(next) => token = next,
                None => return Ok(items),
            }
        }
        Err(endless(Method::GET, self.tracking(path)))
    }

    /// What lies in a folder that the server keeps: name, whether it is a folder, and its size.
    pub(crate) async fn folder(&self, path: &str) -> Result<Vec<(String, bool, u64)>, ExchangeError> {
        let mut url = self.address(["api", "2.0", "mlflow-artifacts", "artifacts"]);
        url.query_pairs_mut().append_pair("path", path);
        let request = self.request(Method::GET, url.clone());
        let said = self.json(Method::GET, url, request).await?;
        let files = said.at("files").as_array().map(Vec::as_slice).unwrap_or_default();
        let entry = |file: &Value| {
            // Old servers answer whole paths, new ones names.
            let name = file.at("path").as_str()?.rsplit('/').next()?.to_owned();
            Some((name, file.at("is_dir").as_bool().unwrap_or(false), whole(file.at("file_size")).unwrap_or(0)))
        };
        Ok(files.iter().filter_map(entry).collect())
    }

    /// Streams a file of this server to another one. Answers how many bytes it has.
    ///
    /// MLflow's server sends files without their length, and takes an upload without one as empty: so the length that its list of files gave is said then, and a stream of another
    /// length is an error.
    pub(crate) async fn send_file(
        &self,
        (path, listed): (&str, u64),
        to: &Self,
        target: &str,
    ) -> Result<u64, ExchangeError> {
        let url = self.file(path);
        let request = self.request(Method::GET, url.clone());
        let file = self.send(Method::GET, url, request).await?;
        let length = file.content_length().unwrap_or(listed);
        let kind = file.headers().get(CONTENT_TYPE).cloned();
        let url = to.file(target);
        let mut request = to.request(Method::PUT, url.clone()).header(CONTENT_LENGTH, length);
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        let body = reqwest::Body::wrap_stream(file.bytes_stream());
        to.send(Method::PUT, url, request.body(body)).await?;
        Ok(length)
    }
}

/// Moves the items of a page, and answers the token of the next one.
fn taken(page: &mut Value, list: &str, items: &mut Vec<Value>) -> Option<String> {
    if let Some(Value::Array(found)) = page.get_mut(list).map(Value::take) {
        items.extend(found);
    }
    page.at("next_page_token").as_str().filter(|token| !token.is_empty()).map(str::to_owned)
}

fn endless(method: Method, url: Url) -> ExchangeError {
    ExchangeError::Answer {
        method,
        address: url.to_string(),
        reason: format!("the list has more than {MAX_PAGES} pages"),
    }
}

/// Members of objects.
pub(crate) trait Member {
    /// The member of this name; null, when there is none or this is no object.
    fn at(&self, name: &str) -> &Value;
}

impl Member for Value {
    fn at(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Self::Null)
    }
}

/// A whole number, also when it is written as a text.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A text that says something.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// The items of a list; none when it is not there.
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A tag.
pub(crate) fn pair(key: &str, value: &str) -> Value {
    let mut pair = Map::new();
    pair.insert("key".to_owned(), Value::String(key.to_owned()));
    pair.insert("value".to_owned(), Value::String(value.to_owned()));
    Value::Object(pair)
}

/// The value of a tag in a list of them.
pub(crate) fn tag<'v>(tags: &'v [Value], key: &str) -> Option<&'v str> {
    tags.iter().find(|tag| tag.at("key") == key)?.at("value").as_str()
}
