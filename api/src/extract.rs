//! Request parts whose refusal is a problem that names what is wrong.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = <axum::Json<T> as FromRequest<S>>::from_request(request, state).await;
        body.map(|axum::Json(value)| Self(value)).map_err(refusal)
    }
}

/// A body that may be absent: it is when the request names no content type.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        let body = <axum::Json<T> as OptionalFromRequest<S>>::from_request(request, state).await;
        body.map(|body| body.map(|axum::Json(value)| Self(value))).map_err(refusal)
    }
}

fn refusal(rejection: JsonRejection) -> Problem {
    match rejection {
        rejection if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::too_large("the body is larger than the server's limit")
        }
        rejection @ JsonRejection::MissingJsonContentType(_) => Problem::invalid("content-type", rejection.body_text()),
        rejection => Problem::body(rejection.body_text()),
    }
}

/// The parameters after the question mark.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection: QueryRejection| Problem::invalid("query", rejection.body_text()))
    }
}
