//! Who is asking, and may they: as over the native addresses.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::error::MlflowError;
use crate::auth::{Caller, Permission};
use crate::server::App;

/// Somebody who may read models, runs and files.
#[derive(Clone, Debug)]
pub struct Reader;

/// Somebody who may change them.
#[derive(Clone, Debug)]
pub struct Writer(pub Caller);

async fn permitted(parts: &mut Parts, app: &App, permission: Permission) -> Result<Caller, MlflowError> {
    let caller = Caller::from_request_parts(parts, app).await?;
    caller.must(permission)?;
    Ok(caller)
}

impl FromRequestParts<App> for Reader {
    type Rejection = MlflowError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, MlflowError> {
        permitted(parts, app, Permission::ReadKnowledge).await.map(|_| Self)
    }
}

impl FromRequestParts<App> for Writer {
    type Rejection = MlflowError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, MlflowError> {
        permitted(parts, app, Permission::WriteModels).await.map(Self)
    }
}
