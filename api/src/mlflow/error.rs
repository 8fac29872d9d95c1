//! Refusals in MLflow's form: `{"error_code": …, "message": …}`.

use std::borrow::Cow;

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::problem::Problem;

/// The codes that this server answers, each with its HTTP status. A client tries again after 429 and 5xx only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// A part of the request is wrong.
    InvalidParameterValue,
    /// Something of that name is there already.
    ResourceAlreadyExists,
    /// The thing is not there.
    ResourceDoesNotExist,
    /// The address is not there.
    EndpointNotFound,
    /// It was changed by others at the same time.
    ResourceConflict,
    /// Nobody is known to be asking.
    Unauthenticated,
    /// The caller may not do this, or a gate refuses.
    PermissionDenied,
    /// This server does not do that.
    NotImplemented,
    /// The state of things forbids it.
    InvalidState,
    /// Something broke on this side.
    InternalError,
    /// It does not work at present.
    TemporarilyUnavailable,
    /// It took too long.
    DeadlineExceeded,
}

impl Code {
    /// The HTTP status that goes with it.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::InvalidParameterValue | Self::ResourceAlreadyExists => StatusCode::BAD_REQUEST,
            Self::ResourceDoesNotExist | Self::EndpointNotFound => StatusCode::NOT_FOUND,
            Self::ResourceConflict => StatusCode::CONFLICT,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::InvalidState | Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The code that fits a status best.
    fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::PermissionDenied,
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::ResourceDoesNotExist,
            StatusCode::METHOD_NOT_ALLOWED => Self::EndpointNotFound,
            StatusCode::CONFLICT => Self::ResourceConflict,
            StatusCode::SERVICE_UNAVAILABLE => Self::TemporarilyUnavailable,
            StatusCode::GATEWAY_TIMEOUT => Self::DeadlineExceeded,
            StatusCode::NOT_IMPLEMENTED => Self::NotImplemented,
            _ if status.is_client_error() => Self::InvalidParameterValue,
            _ => Self::InternalError,
        }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlflowError {
    code: Code,
    status: StatusCode,
    message: String,
}

/// A refusal as it is written.
#[derive(Debug, Serialize)]
struct Body<'a> {
    error_code: Code,
    message: Cow<'a, str>,
}

impl MlflowError {
    /// A refusal of this kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, status: code.status(), message: message.into() }
    }

    /// A part of the request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidParameterValue, message)
    }

    /// The thing is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::ResourceDoesNotExist, message)
    }

    /// Something broke on this side: the reason goes to the log, not to the client.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        Problem::internal(error).into()
    }

    /// What is said.
    #[cfg(test)]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What kind it is of.
    #[cfg(test)]
    pub const fn code(&self) -> Code {
        self.code
    }
}

impl From<Problem> for MlflowError {
    fn from(problem: Problem) -> Self {
        let status = problem.status();
        let code = if problem.is_no_route() { Code::EndpointNotFound } else { Code::of(status) };
        Self { code, status, message: problem.detail }
    }
}

impl From<eventlog::ReadError> for MlflowError {
    fn from(error: eventlog::ReadError) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for MlflowError {
    fn into_response(self) -> Response {
        (self.status, Json(Body { error_code: self.code, message: self.message.into() })).into_response()
    }
}

/// Says in MLflow's form what the server refuses before a handler of MLflow's sees it: unknown addresses, missing tokens, time-outs.
pub async fn in_its_form(request: Request, next: Next) -> Response {
    let speaks = super::speaks(request.uri().path());
    let mut response = next.run(request).await;
    if !speaks {
        return response;
    }
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let challenge = response.headers_mut().remove(axum::http::header::WWW_AUTHENTICATE);
    let mut said = MlflowError::from(problem).into_response();
    if let Some(challenge) = challenge {
        said.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
    }
    said
}
