//! Where a version's files come from: `models:/m-ID`, `models:/NAME/VERSION`, `runs:/RUN/PATH`, `mlflow-artifacts:/PATH`, or a place that this server does not know.
//!
//! What is stored here is frozen into the version: its files are named by their digests in the event that makes it. A client finds them under `mlflow-artifacts:/_versions/MODEL/VERSION`,
//! whatever becomes of the place that they came from. A place elsewhere (`s3://…`) is kept as a text.

use domain::events::{Artifact, Stage};
use domain::ids::{LoggedModelId, ModelName, RunId};
use percent_encoding::percent_decode_str;
use projections::AsOf;
use projections::folds::models::{ModelView, Models, VersionView};
use tracking::view::ArtifactFile;
use tracking::{Tracking, TrackingError};

use super::error::{Code, MlflowError};
use super::paths;

/// The scheme of the files that this server keeps.
const OWN_SCHEME: &str = "mlflow-artifacts";

/// The folder of the frozen files of versions. No experiment has an id that begins so.
pub const VERSIONS_FOLDER: &str = "_versions";

/// How often a version may be a copy of a copy.
const MOST_COPIES: usize = 32;

/// How often a text may be encoded over and over.
const MOST_ENCODINGS: usize = 10;

/// The longest source, in bytes.
const MOST_SOURCE_BYTES: usize = 2_048;

/// What a source turned out to be.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The files that are frozen, named as they are below the source.
    pub files: Vec<Artifact>,
    /// The run that made them.
    pub run: Option<RunId>,
    /// The logged model that they are.
    pub logged_model: Option<LoggedModelId>,
}

/// The scheme and the rest of a URI; no scheme where there is none.
fn split_scheme(uri: &str) -> Option<(String, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

/// The path of a URI, without the host, the query and the fragment, and with one slash where there are more.
fn path_of(rest: &str) -> String {
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => rest,
    };
    let mut merged = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    merged.truncate(merged.trim_end_matches('/').len());
    merged
}

/// The folder of our own that a URI names; nothing when it is another server's or another kind of place.
fn own_path(uri: &str) -> Option<String> {
    let (scheme, rest) = split_scheme(uri)?;
    (scheme == OWN_SCHEME).then(|| path_of(rest).trim_start_matches('/').to_owned())
}

/// The folder of a run's or logged model's files.
///
/// # Errors
/// When its experiment keeps its files elsewhere.
pub fn own_folder(uri: &str) -> Result<String, MlflowError> {
    own_path(uri).ok_or_else(|| {
        MlflowError::invalid(format!("The files are at '{uri}', which this server does not serve: read them there."))
    })
}

/// Refuses a place for an experiment's files that would mislead somebody.
///
/// # Errors
/// When it has a fragment, parameters or a way out in it, or refers to runs.
pub fn check_location(location: &str) -> Result<(), MlflowError> {
    if location.starts_with("runs:") {
        return Err(MlflowError::invalid(format!("Artifact location cannot be a runs:/ URI. Given: '{location}'")));
    }
    let (before, query) = location.split_once('?').unwrap_or((location, ""));
    if location.contains('#') || before.contains(';') {
        return Err(MlflowError::invalid("'artifact_location' URL can't include fragments or params."));
    }
    if decoded(query).is_none_or(|query| query.contains("..")) {
        return Err(MlflowError::invalid("Invalid query string"));
    }
    let own =
        own_path(location).is_some_and(|path| path.split('/').any(|part| part == ".." || part == VERSIONS_FOLDER));
    if own {
        return Err(MlflowError::invalid(format!("Invalid artifact location: '{location}'")));
    }
    Ok(())
}

/// A text without any encoding; nothing when it is encoded too often, or is no text then.
fn decoded(text: &str) -> Option<String> {
    let mut seen = text.to_owned();
    for _ in 0..MOST_ENCODINGS {
        let next = percent_decode_str(&seen.replace('+', " ")).decode_utf8().ok()?.into_owned();
        if next == seen {
            return Some(seen);
        }
        seen = next;
    }
    None
}

/// Refuses a source that would lead out of where it says that it is.
fn check_source(source: &str, is_prompt: bool, given: &str) -> Result<(), MlflowError> {
    if source.len() > MOST_SOURCE_BYTES {
        return Err(MlflowError::invalid(format!("'source' exceeds the maximum length of {MOST_SOURCE_BYTES} bytes")));
    }
    let scheme = split_scheme(source).map(|(scheme, _)| scheme);
    match (scheme.as_deref(), is_prompt) {
        (Some("file"), true) => Err(local_prompt(source)),
        (None, true) if source.starts_with('/') => Err(local_prompt(source)),
        // Prompts have no files: what they say in place of a source is a word.
        (None, true) => Ok(()),
        (None | Some("file"), false) => Err(MlflowError::invalid(format!(
            "Invalid model version source: '{source}'. To use a local path as a model version source, the {given} request parameter has to be specified and the local \
             path has to be contained within the artifact directory of the run specified by the {given}."
        ))),
        (Some(_), _) => check_remote(source),
    }
}

fn local_prompt(source: &str) -> MlflowError {
    MlflowError::invalid(format!("Invalid prompt source: '{source}'. Local source paths are not allowed for prompts."))
}

fn check_remote(source: &str) -> Result<(), MlflowError> {
    let refused = || {
        MlflowError::invalid(format!(
            "Invalid model version source: '{source}'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute \
             path must be provided without relative path references present. Please provide an absolute path."
        ))
    };
    let plain = decoded(source).ok_or_else(refused)?;
    let path = split_scheme(&plain).map(|(_, rest)| path_of(rest)).unwrap_or_default();
    let leads_out =
        plain.split('/').any(|part| part == "..") || path.split('/').any(|part| part == "." || part == "..");
    if plain.chars().any(char::is_control) || plain.contains('\\') || leads_out || !path.starts_with('/') {
        return Err(refused());
    }
    Ok(())
}

/// Whose files a version is to have.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What the client wrote.
    pub source: &'a str,
    /// The run that it named.
    pub run: Option<&'a str>,
    /// The logged model that it named.
    pub logged_model: Option<&'a str>,
    /// Whether it is a prompt, which has no files.
    pub is_prompt: bool,
}

/// Finds what a source stands for now.
///
/// # Errors
/// When it leads out of where it says that it is, contradicts the run or logged model that is named, or names one of ours that is not there.
pub fn resolve(tracking: &Tracking, models: &Models, wanted: Wanted<'_>) -> Result<Resolved, MlflowError> {
    let source = wanted.source;
    check_source(source, wanted.is_prompt, if wanted.logged_model.is_some() { "model_id" } else { "run_id" })?;
    let mut resolved = Resolved { run: wanted.run.map(run_id).transpose()?, ..Resolved::default() };
    if let Some(id) = wanted.logged_model.filter(|_| !wanted.is_prompt) {
        let model = tracking.logged_model(id, false)?;
        resolved.run = resolved.run.or(model.run);
        resolved.logged_model = Some(model.id);
    }
    match split_scheme(source).as_ref().map(|(scheme, rest)| (scheme.as_str(), *rest)) {
        Some(("models", rest)) => of_models(tracking, models, source, &path_of(rest), &mut resolved)?,
        Some(("runs", rest)) => of_run(tracking, source, &path_of(rest), &mut resolved)?,
        Some((OWN_SCHEME, rest)) => of_path(tracking, models, source, &path_of(rest), &mut resolved)?,
        _ => {}
    }
    Ok(resolved)
}

fn run_id(text: &str) -> Result<RunId, MlflowError> {
    RunId::new(text).map_err(|error| MlflowError::invalid(format!("Invalid run ID: {error}")))
}

/// The files at a path, named as they are below it.
fn files_at(tracking: &Tracking, path: &str) -> Vec<Artifact> {
    let named = |file: ArtifactFile| {
        let below = file.path.strip_prefix(path).map_or(file.path.as_str(), |rest| rest.trim_start_matches('/'));
        // A source that is a file itself is called as that file is.
        let name = if below.is_empty() { file.path.rsplit('/').next().unwrap_or(path) } else { below };
        Artifact { name: name.to_owned(), sha256: file.sha256.clone(), bytes: file.bytes }
    };
    tracking.artifacts_under(path).into_iter().map(named).collect()
}

fn unresolved(source: &str, reason: &dyn std::fmt::Display) -> MlflowError {
    MlflowError::not_found(format!(
        "Unable to fetch model from model URI source artifact location '{source}'. Error: {reason}"
    ))
}

fn of_models(
    tracking: &Tracking,
    models: &Models,
    source: &str,
    path: &str,
    resolved: &mut Resolved,
) -> Result<(), MlflowError> {
    match Reference::parse(path) {
        Some(Reference::Logged(id)) => {
            let model = tracking.logged_model(id, false).map_err(|error| unresolved(source, &error))?;
            if resolved.logged_model.as_ref().is_some_and(|named| *named != model.id) {
                return Err(MlflowError::invalid(format!(
                    "Invalid model version source: '{source}'. It is not the logged model that the model_id request parameter names."
                )));
            }
            if let Some(folder) = own_path(&model.artifact_uri) {
                resolved.files = files_at(tracking, &folder);
            }
            resolved.run = resolved.run.take().or(model.run);
            resolved.logged_model = Some(model.id);
        }
        Some(Reference::Registered { name, which }) => {
            let model = models.find(name, AsOf::LATEST);
            let model =
                model.ok_or_else(|| unresolved(source, &format!("Registered Model with name={name} not found")))?;
            let version = which.find(model);
            let version = version.ok_or_else(|| unresolved(source, &"there is no such version"))?;
            let created = &version.created().value;
            resolved.files.clone_from(&created.artifacts);
            resolved.run = resolved.run.take().or_else(|| created.run.clone());
            resolved.logged_model = resolved.logged_model.take().or_else(|| created.logged_model.clone());
        }
        None => return Err(unresolved(source, &"it is not a proper models:/ URI")),
    }
    Ok(())
}

fn of_run(tracking: &Tracking, source: &str, path: &str, resolved: &mut Resolved) -> Result<(), MlflowError> {
    let (id, below) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    // A run of another server is a place elsewhere.
    let run = match tracking.run(id) {
        Ok(run) => run,
        Err(TrackingError::NotFound(_) | TrackingError::Invalid(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if resolved.run.as_ref().is_some_and(|named| *named != run.id) {
        return Err(MlflowError::invalid(format!(
            "Invalid model version source: '{source}'. It is not the run that the run_id request parameter names."
        )));
    }
    if let Some(folder) = own_path(&run.artifact_uri) {
        resolved.files = files_at(tracking, &paths::join(&folder, below));
    }
    resolved.run = Some(run.id);
    Ok(())
}

fn of_path(
    tracking: &Tracking,
    models: &Models,
    source: &str,
    path: &str,
    resolved: &mut Resolved,
) -> Result<(), MlflowError> {
    let path = path.trim_start_matches('/');
    if let Some((version, below)) = frozen(models, path) {
        resolved.files =
            version.created().value.artifacts.iter().filter_map(|file| below_folder(file, below)).collect();
        return Ok(());
    }
    resolved.files = files_at(tracking, path);
    if resolved.files.is_empty() {
        return Ok(());
    }
    let mut roots = Vec::new();
    if let Some(model) = &resolved.logged_model {
        roots.push(tracking.logged_model(model.as_str(), false)?.artifact_uri);
    }
    if let Some(run) = resolved.run.as_ref().and_then(|run| tracking.run(run.as_str()).ok()) {
        roots.push(run.artifact_uri);
    }
    let lies_in = |root: &String| {
        own_path(root)
            .is_some_and(|root| path.strip_prefix(&root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    if roots.is_empty() || roots.iter().any(lies_in) {
        return Ok(());
    }
    Err(MlflowError::invalid(format!(
        "Invalid model version source: '{source}'. It must lie inside the artifact root of the run or logged model that the request names."
    )))
}

fn below_folder(file: &Artifact, folder: &str) -> Option<Artifact> {
    let name = match folder {
        "" => file.name.as_str(),
        folder => file.name.strip_prefix(folder)?.strip_prefix('/')?,
    };
    Some(Artifact { name: name.to_owned(), ..file.clone() })
}

/// What `models:/…` refers to.
#[derive(Debug, PartialEq, Eq)]
enum Reference<'a> {
    Logged(&'a str),
    Registered { name: &'a str, which: Which<'a> },
}

/// Which version of a model.
#[derive(Debug, PartialEq, Eq)]
enum Which<'a> {
    Number(u32),
    Alias(&'a str),
    Stage(Stage),
    Latest,
}

impl<'a> Reference<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        match path.split_once('/') {
            Some((_, rest)) if rest.contains('/') => None,
            Some((name, suffix)) if !name.is_empty() => Some(Self::Registered { name, which: Which::parse(suffix)? }),
            Some(_) => None,
            None => match path.rsplit_once('@') {
                Some((name, alias)) if !name.is_empty() && !alias.is_empty() => {
                    Some(Self::Registered { name, which: Which::Alias(alias) })
                }
                Some(_) => None,
                None => (!path.is_empty()).then_some(Self::Logged(path)),
            },
        }
    }
}

impl<'a> Which<'a> {
    fn parse(suffix: &'a str) -> Option<Self> {
        if let Ok(number) = suffix.parse() {
            return Some(Self::Number(number));
        }
        if suffix.eq_ignore_ascii_case("latest") {
            return Some(Self::Latest);
        }
        stage(suffix).map(Self::Stage)
    }

    fn find<'m>(&self, model: ModelView<'m>) -> Option<VersionView<'m>> {
        match self {
            Self::Number(number) => model.version(*number),
            Self::Alias(alias) => model.version(model.alias(alias)?),
            Self::Stage(stage) => model.versions().rev().find(|version| version.stage() == *stage),
            Self::Latest => model.latest(),
        }
    }
}

/// The stage of this name, in any case.
pub fn stage(name: &str) -> Option<Stage> {
    [
        ("none", Stage::None),
        ("staging", Stage::Staging),
        ("production", Stage::Production),
        ("archived", Stage::Archived),
    ]
    .into_iter()
    .find(|(word, _)| name.eq_ignore_ascii_case(word))
    .map(|(_, stage)| stage)
}

/// What the folder of a model's frozen files is called: its id where that is a plain word, and its bytes in hexadecimal otherwise.
fn folder_name(model: &ModelName) -> String {
    let id = model.as_str();
    let is_plain =
        id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) && !id.starts_with('.');
    if is_plain { id.to_owned() } else { id.bytes().fold("~".to_owned(), |text, byte| format!("{text}{byte:02x}")) }
}

fn model_of_folder(name: &str) -> Option<ModelName> {
    let Some(digits) = name.strip_prefix('~') else { return ModelName::new(name).ok() };
    if !digits.is_ascii() || digits.len() % 2 != 0 {
        return None;
    }
    let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
    ModelName::new(&String::from_utf8(bytes.collect::<Option<_>>()?).ok()?).ok()
}

/// Where a client finds the frozen files of a version.
fn frozen_uri(version: VersionView<'_>) -> String {
    format!("{OWN_SCHEME}:/{VERSIONS_FOLDER}/{}/{}", folder_name(version.model().id()), version.number())
}

/// The version whose frozen files a path names, and the path below them.
pub fn frozen<'m, 'p>(models: &'m Models, path: &'p str) -> Option<(VersionView<'m>, &'p str)> {
    let mut parts = path.strip_prefix(VERSIONS_FOLDER)?.strip_prefix('/')?.splitn(3, '/');
    let model = models.model(&model_of_folder(parts.next()?)?, AsOf::LATEST)?;
    let version = model.version(parts.next()?.parse().ok()?)?;
    Some((version, parts.next().unwrap_or_default()))
}

/// Whether a path lies among the frozen files of versions.
pub fn is_frozen(path: &str) -> bool {
    path.strip_prefix(VERSIONS_FOLDER).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The source that a version is shown with: what its maker wrote, or where its files are.
pub fn shown(version: VersionView<'_>) -> String {
    version.created().value.source.clone().unwrap_or_else(|| frozen_uri(version))
}

/// Where a client gets the files of a version: here, when they are frozen, and otherwise where its maker said.
///
/// # Errors
/// When the tracking store cannot answer.
pub fn download_uri(tracking: &Tracking, models: &Models, version: VersionView<'_>) -> Result<String, MlflowError> {
    let mut version = version;
    for _ in 0..MOST_COPIES {
        let created = &version.created().value;
        let Some(source) = &created.source else { return Ok(frozen_uri(version)) };
        if !created.artifacts.is_empty() {
            return Ok(frozen_uri(version));
        }
        let path = match split_scheme(source) {
            Some((scheme, rest)) if scheme == "models" => path_of(rest),
            _ => return Ok(source.clone()),
        };
        match Reference::parse(&path) {
            Some(Reference::Logged(id)) => match tracking.logged_model(id, true) {
                Ok(model) => return Ok(model.artifact_uri),
                Err(TrackingError::NotFound(_)) => return Ok(source.clone()),
                Err(error) => return Err(error.into()),
            },
            Some(Reference::Registered { name, which }) => {
                match models.find(name, AsOf::LATEST).and_then(|model| which.find(model)) {
                    Some(copied) => version = copied,
                    None => return Ok(source.clone()),
                }
            }
            None => return Ok(source.clone()),
        }
    }
    Err(MlflowError::new(Code::InvalidState, "The version is a copy of a copy, without an end."))
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
