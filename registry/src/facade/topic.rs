//! What a command is about: what must not change between its decision and its append, and who has to wait for whom.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use domain::ids::{DeploymentId, ModelName};
use eventlog::{AppendCondition, Category, EventType, InvalidName, Position, Query, QueryItem, Tag};
use tokio::sync::{Mutex, MutexGuard};

/// How many commands about different things are decided at once.
const LANES: usize = 64;

/// What a command is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Topic {
    models: Vec<ModelName>,
    deployment: Option<DeploymentId>,
    names: bool,
    gates: bool,
}

impl Topic {
    pub(super) fn model(model: &ModelName) -> Self {
        Self { models: vec![model.clone()], ..Self::default() }
    }

    pub(super) fn deployment(deployment: &DeploymentId) -> Self {
        Self { deployment: Some(deployment.clone()), ..Self::default() }
    }

    /// What every model is called.
    pub(super) fn names() -> Self {
        Self { names: true, ..Self::default() }
    }

    pub(super) fn and_model(mut self, model: &ModelName) -> Self {
        self.models.push(model.clone());
        self
    }

    pub(super) fn and_names(self) -> Self {
        Self { names: true, ..self }
    }

    /// What stands before promotions.
    pub(super) fn and_gates(self) -> Self {
        Self { gates: true, ..self }
    }

    /// Changes of what the topic names. Predictions carry the same tags, lie in a category of their own, and decide nothing.
    fn query(&self) -> Result<Query, InvalidName> {
        let (model, deployment) = (Category::new("model")?, Category::new("deployment")?);
        let mut items = Vec::with_capacity(self.models.len() + 3);
        for name in &self.models {
            let tags = vec![Tag::of("model", name.as_str())?];
            items.push(QueryItem { categories: vec![model.clone(), deployment.clone()], tags, ..QueryItem::default() });
        }
        if let Some(id) = &self.deployment {
            let tags = vec![Tag::of("deployment", id.as_str())?];
            items.push(QueryItem { categories: vec![deployment], tags, ..QueryItem::default() });
        }
        if self.names {
            let types = vec![EventType::new("model.registered")?, EventType::new("model.renamed")?];
            items.push(QueryItem { types, ..QueryItem::default() });
        }
        if self.gates {
            items.push(QueryItem { categories: vec![Category::new("gate")?], ..QueryItem::default() });
        }
        Ok(Query { items })
    }

    /// Holds as long as nothing was added to the topic that is not in a state up to `next`.
    pub(super) fn unchanged_since(&self, next: Position) -> Result<AppendCondition, InvalidName> {
        Ok(AppendCondition { streams: Vec::new(), no_match_after: Some((self.query()?, next.previous())) })
    }

    fn lanes(&self) -> Vec<usize> {
        let lane = |kind: &str, id: &str| {
            let mut hasher = DefaultHasher::new();
            (kind, id).hash(&mut hasher);
            usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)
        };
        let mut lanes: Vec<usize> = self.models.iter().map(|model| lane("model", model.as_str())).collect();
        lanes.extend(self.deployment.iter().map(|deployment| lane("deployment", deployment.as_str())));
        if self.names {
            lanes.push(lane("names", ""));
        }
        lanes.sort_unstable();
        lanes.dedup();
        lanes
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.deployment, self.models.first()) {
            (Some(deployment), _) => write!(formatter, "deployment {deployment}"),
            (None, Some(model)) => write!(formatter, "model {model}"),
            (None, None) if self.names => formatter.write_str("what models are called"),
            (None, None) => formatter.write_str("the gates"),
        }
    }
}

/// Whose turn it is: commands about one thing are decided one after the other, so that they do not overtake each other in vain. Correctness does not rest on it: that is
/// what the condition of the append is for.
#[derive(Debug)]
pub(super) struct Turns(Vec<Mutex<()>>);

impl Turns {
    pub(super) fn new() -> Self {
        Self((0..LANES).map(|_| Mutex::new(())).collect())
    }

    pub(super) async fn take(&self, topic: &Topic) -> Vec<MutexGuard<'_, ()>> {
        let mut taken = Vec::new();
        // Ordering: everybody takes lanes in ascending order, so that nobody waits in a circle.
        for lane in topic.lanes() {
            if let Some(lane) = self.0.get(lane) {
                taken.push(lane.lock().await);
            }
        }
        taken
    }
}
