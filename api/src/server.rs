//! The server: routes, limits, and a graceful end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::Tokens;
use crate::config::{Config, Limits};
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::mlflow;
use crate::problem::Problem;
use crate::routes;

/// What every handler sees. Cheap to clone: each layer of each request does.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The log, the read models and the registry.
    pub engine: Arc<Engine>,
    /// Who may ask.
    pub tokens: Tokens,
    /// What one request may cost.
    pub limits: Limits,
    /// Counters for `/metrics`.
    pub metrics: Metrics,
    /// Requests being served.
    pub requests: Semaphore,
    /// Live feeds being served.
    pub live_feeds: Arc<Semaphore>,
    /// Held while a logged model's list of versions is written.
    pub logged_model_notes: tokio::sync::Mutex<()>,
    /// Cancelled when the server stops.
    pub stopping: CancellationToken,
}

/// How long requests that are under way may take when the server stops.
const GRACE: Duration = Duration::from_secs(15);

/// How long a file may be under way.
const FILE_TIMEOUT: Duration = Duration::from_secs(3600);

/// Paths that answer for as long as the client listens.
const LIVE_PATHS: [&str; 1] = ["/api/v1/live"];

/// Methods that are counted one by one.
const KNOWN_METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Paths that must answer also when everybody else waits.
const HEALTH_PATHS: [&str; 4] = ["/healthz", "/health", "/readyz", "/metrics"];

impl App {
    /// An application over an engine.
    pub fn new(engine: Arc<Engine>, config: &Config, stopping: CancellationToken) -> Self {
        Self(Arc::new(Parts {
            engine,
            tokens: Tokens::new(&config.tokens),
            limits: config.limits.clone(),
            metrics: Metrics::new(),
            requests: Semaphore::new(config.limits.concurrency),
            live_feeds: Arc::new(Semaphore::new(config.limits.live_feeds)),
            logged_model_notes: tokio::sync::Mutex::default(),
            stopping,
        }))
    }
}

/// Every route with its limits.
pub fn router(app: App) -> Router {
    let body_bytes = app.limits.body_bytes;
    let (router, document) = routes::all();
    let document: Arc<str> = document.to_pretty_json().unwrap_or_default().into();
    router
        .merge(routes::documents(document))
        .route_service("/mcp", crate::mcp::service(app.clone()))
        .merge(mlflow::routes())
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        // Ordering: the last layer added sees a request first.
        .layer(middleware::from_fn_with_state(app.clone(), only_for_this_machine))
        .layer(middleware::from_fn_with_state(app.clone(), limit))
        .layer(DefaultBodyLimit::max(body_bytes))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(mlflow::in_its_form))
        .layer(middleware::from_fn_with_state(app.clone(), measure))
        .with_state(app)
}

async fn no_route(request: Request) -> Response {
    let path = request.uri().path();
    if path.contains("//") {
        // A client that joins addresses carelessly is sent to the one that it means.
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        return Redirect::permanent(&format!("/{}{query}", parts.join("/"))).into_response();
    }
    Problem::no_route(path).into_response()
}

async fn no_method(request: Request) -> Response {
    let mut problem = Problem::no_route(request.uri().path());
    problem.status = StatusCode::METHOD_NOT_ALLOWED.as_u16();
    problem.detail = format!("{} does not take {}", request.uri().path(), request.method());
    problem.into_response()
}

fn panicked(_cause: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked; this is a defect");
    Problem::internal(&std::io::Error::other("a handler panicked")).into_response()
}

/// Without tokens everybody on this machine may do everything; a page from elsewhere in somebody's browser must not. Its requests name
/// another host, or come from another origin.
async fn only_for_this_machine(State(app): State<App>, request: Request, next: Next) -> Response {
    if app.tokens.is_empty() {
        let header = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let host = header(header::HOST).or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
        let origin = header(header::ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
        if [host, origin].into_iter().flatten().any(|name| !is_this_machine(name)) {
            return Problem::forbidden("a page or host from elsewhere", "use a server without tokens").into_response();
        }
    }
    next.run(request).await
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Serves no more requests at once than allowed, and none for longer than allowed.
async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if LIVE_PATHS.contains(&path) || HEALTH_PATHS.contains(&path) {
        return next.run(request).await;
    }
    let timeout =
        if mlflow::carries_file(path) { FILE_TIMEOUT } else { Duration::from_secs(app.limits.request_timeout_s) };
    let served = tokio::time::timeout(timeout, async {
        let _permit = app.requests.acquire().await;
        next.run(request).await
    });
    match served.await {
        Ok(response) => response,
        Err(_) => Problem::timeout(format!("the request took longer than {} s", timeout.as_secs())).into_response(),
    }
}

/// Counts requests, and sets the headers that every answer carries.
async fn measure(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let mut response = next.run(request).await;
    // Anybody can invent methods; a metric for each would grow without end.
    let method = if KNOWN_METHODS.contains(&method) { method.as_str() } else { "other" };
    app.metrics.request(method, &route, response.status().as_u16(), started.elapsed());
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Serves until `stopping` is cancelled; requests that are under way are finished, within [`GRACE`].
///
/// # Errors
/// When the socket fails.
pub async fn serve(listener: TcpListener, app: App) -> std::io::Result<()> {
    let stopping = app.stopping.clone();
    let served = axum::serve(listener, router(app).into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stopping.clone().cancelled_owned())
        .into_future();
    let overdue = async {
        stopping.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = served => served,
        () = overdue => {
            tracing::warn!("some clients did not let go within {} s; their connections are closed", GRACE.as_secs());
            Ok(())
        }
    }
}
