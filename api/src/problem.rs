//! Errors as RFC 9457 problems: the one place where an error becomes an HTTP answer.
//!
//! What the client sees is the problem; what the operator needs is logged where the problem is made, with its sources.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// An RFC 9457 problem.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is: a stable name under `urn:millwright:problem:`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The field of the request that is wrong, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:millwright:problem:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
        }
    }

    /// A part of the request is not valid.
    pub fn invalid(field: &str, reason: impl std::fmt::Display) -> Self {
        let mut problem = Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-request",
            "The request is not valid",
            format!("{field}: {reason}"),
        );
        problem.field = Some(field.to_owned());
        problem
    }

    /// The body is not what the endpoint takes.
    pub fn body(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-body", "The body is not valid", reason.to_string())
    }

    /// The thing does not exist.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", format!("{what} {id:?} is not known"))
    }

    /// The address does not exist.
    pub fn no_route(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-address",
            "No such address",
            format!("nothing is at {path}; see /openapi.json"),
        )
    }

    /// The thing was there, and is no more.
    pub fn gone(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::GONE, "gone", "Gone", reason.to_string())
    }

    /// The request contradicts what is.
    pub fn conflict(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "The request conflicts with the present state", reason.to_string())
    }

    /// A rule of the domain refuses the command.
    pub fn refused(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", "The command is refused", reason.to_string())
    }

    /// The question is a good one, and what is known does not answer it.
    pub fn no_answer(reason: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no-answer",
            "What is known does not answer this",
            reason.to_string(),
        )
    }

    /// Nobody is known to be asking.
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "A token is needed",
            "send the header `Authorization: Bearer TOKEN` with a token of this server's configuration",
        )
    }

    /// A gate stands before the promotion, and is not passed.
    pub fn gate(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, "gate", "A gate is not passed", reason.to_string())
    }

    /// The caller may not do this.
    pub fn forbidden(caller: &str, permission: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Not allowed",
            format!("{caller} has no permission to {permission}"),
        )
    }

    /// The request is larger than the server takes.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large", detail)
    }

    /// The server did not get there in time.
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "Not in time", detail)
    }

    /// The server cannot do this at present, and may be able to soon.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available at present", detail)
    }

    /// A write or sync of the log failed: reads go on, and the server must be started again before it takes anything more.
    pub fn poisoned(detail: String) -> Self {
        tracing::error!(reason = %detail, "an append was refused");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "log-poisoned", "The log takes nothing more", detail)
    }

    /// Something broke on this side. The reason goes to the log, not to the client.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason.push_str(": ");
            reason.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(%reason, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The server failed",
            "the reason is in the server's log",
        )
    }

    /// Whether it is about an address that does not exist.
    pub fn is_no_route(&self) -> bool {
        self.kind.ends_with(":no-such-address")
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(&self)).into_response();
        // Where another protocol is spoken, the same is said in its form.
        response.extensions_mut().insert(self.clone());
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(PROBLEM_JSON));
        if self.status == 401 {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<eventlog::ReadError> for Problem {
    fn from(error: eventlog::ReadError) -> Self {
        match error {
            eventlog::ReadError::Closed => Self::unavailable("the server is stopping"),
            eventlog::ReadError::StreamDeleted { .. } => Self::gone(error),
            eventlog::ReadError::Unreachable { .. } => {
                tracing::warn!("a part of the log is in a bucket that does not answer");
                Self::unavailable("a part of the log is in a bucket that does not answer now; try again")
            }
            other => Self::internal(&other),
        }
    }
}

impl From<eventlog::AppendError> for Problem {
    fn from(error: eventlog::AppendError) -> Self {
        use eventlog::AppendError as E;
        match error {
            E::Empty => Self::body("at least one event is needed"),
            E::TooLarge { .. } => Self::too_large(error.to_string()),
            E::Invalid { .. } | E::Name(_) => Self::body(error),
            E::Conflict { .. } | E::QueryMatched { .. } | E::IdConflict { .. } => Self::conflict(error),
            E::StreamDeleted { .. } => Self::gone(error),
            E::DiskFull(_) => {
                tracing::error!("the disk is full: nothing more is taken until there is room");
                Self::unavailable(error.to_string())
            }
            E::Closed => Self::unavailable("the server is stopping"),
            E::Erased { .. } => Self::gone(error),
            E::Poisoned(_) => Self::poisoned(error.to_string()),
            E::Check(_) | E::Key(_) => Self::internal(&error),
        }
    }
}
