//! What the log says about the things that a command concerns, and the condition that nothing has been added since.

use std::fmt;

use domain::ids::{DeploymentId, ModelName};
use domain::rules::States;
use eventlog::{
    AppendCondition, Category, Direction, EventLog, InvalidName, MAX_PAGE, Position, Query, QueryItem, Tag,
};
use projections::Entry;

use crate::catalogue::{Catalogue, DeploymentEntry, VersionEntry};
use crate::commands::VersionRef;
use crate::error::RegistryError;

/// The models and the deployment that a command concerns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topic {
    models: Vec<ModelName>,
    deployment: Option<DeploymentId>,
}

impl Topic {
    pub(crate) fn model(model: &ModelName) -> Self {
        Self { models: vec![model.clone()], deployment: None }
    }

    pub(crate) fn deployment(deployment: &DeploymentId) -> Self {
        Self { models: Vec::new(), deployment: Some(deployment.clone()) }
    }

    pub(crate) fn and_model(mut self, model: &ModelName) -> Self {
        self.models.push(model.clone());
        self
    }

    /// Changes of models and deployments. Predictions carry the same tags, lie in a category of their own, and decide nothing.
    fn query(&self) -> Result<Query, InvalidName> {
        let (model, deployment) = (Category::new("model")?, Category::new("deployment")?);
        let mut items = Vec::with_capacity(self.models.len() + 1);
        for name in &self.models {
            let tags = vec![Tag::of("model", name.as_str())?];
            items.push(QueryItem { categories: vec![model.clone(), deployment.clone()], types: Vec::new(), tags });
        }
        if let Some(id) = &self.deployment {
            let tags = vec![Tag::of("deployment", id.as_str())?];
            items.push(QueryItem { categories: vec![deployment], types: Vec::new(), tags });
        }
        Ok(Query { items })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.deployment, self.models.first()) {
            (Some(deployment), _) => write!(formatter, "deployment {deployment}"),
            (None, Some(model)) => write!(formatter, "model {model}"),
            (None, None) => formatter.write_str("nothing"),
        }
    }
}

/// The states of a topic at one tail of the log.
#[derive(Debug)]
pub(crate) struct Scope {
    states: States,
    catalogue: Catalogue,
    query: Query,
    last: Option<Position>,
}

impl Scope {
    pub(crate) async fn read(log: &dyn EventLog, topic: &Topic) -> Result<Self, RegistryError> {
        let query = topic.query()?;
        // Ordering: the tail is taken before the read. What is appended in between and read moves `last` on; what is not read matches the condition and costs one more
        // attempt.
        let tail = log.tail();
        let mut scope = Self { states: States::new(), catalogue: Catalogue::default(), query, last: tail.previous() };
        let mut next = Some(Position::START);
        while let Some(from) = next {
            let page = log.read(from, Direction::Forward, scope.query.clone(), MAX_PAGE).await?;
            next = page.next;
            for record in page {
                scope.last = scope.last.max(Some(record.position));
                let entry = Entry::decode(record);
                scope.catalogue.apply(&entry);
                if let Some(event) = entry.event() {
                    scope.states.evolve(event);
                }
            }
        }
        Ok(scope)
    }

    pub(crate) const fn states(&self) -> &States {
        &self.states
    }

    /// Holds as long as nothing was added to the topic.
    pub(crate) fn unchanged(&self) -> AppendCondition {
        AppendCondition { streams: Vec::new(), no_match_after: Some((self.query.clone(), self.last)) }
    }

    pub(crate) fn must_have_model(&self, model: &ModelName) -> Result<(), RegistryError> {
        self.catalogue.model(model).map(|_| ()).ok_or_else(|| RegistryError::not_found("model", model))
    }

    pub(crate) fn version(&self, model: &ModelName, version: &VersionRef) -> Result<&VersionEntry, RegistryError> {
        self.catalogue.find_version(model, version)
    }

    pub(crate) fn deployment(&self, deployment: &DeploymentId) -> Result<&DeploymentEntry, RegistryError> {
        self.catalogue.deployment(deployment).ok_or_else(|| RegistryError::not_found("deployment", deployment))
    }
}
