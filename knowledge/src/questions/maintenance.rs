//! What was done about failure modes, and how often it worked.

use std::collections::BTreeMap;

use super::scope::Known;
use super::{ModeActions, Scope};
use crate::answer::{self, Answer, QuestionError};
use crate::cases::{Case, scores};
use crate::facade::Models;

/// The actions of each mode, the mode with the most work orders first.
pub(crate) fn actions(models: &Models, scope: &Scope) -> Result<Answer<Vec<ModeActions>>, QuestionError> {
    let known = Known::new(models, scope);
    let mut groups: BTreeMap<Option<&str>, Vec<&Case>> = BTreeMap::new();
    for case in worked_on(&known, scope) {
        groups.entry(case.mode.as_deref()).or_default().push(case);
    }
    let mut rows: Vec<ModeActions> = groups
        .into_iter()
        .map(|(mode, cases)| ModeActions {
            mode: mode.map(str::to_owned),
            n: u64::try_from(cases.len()).unwrap_or(u64::MAX),
            hours: cases.iter().filter_map(|case| case.hours).sum(),
            cost: cases.iter().filter_map(|case| case.cost).sum(),
            actions: scores(cases.into_iter().map(Case::done)),
        })
        .collect();
    rows.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.mode.cmp(&b.mode)));
    rows.truncate(answer::limit(scope.limit));
    Ok(known.answer(worked_on(&known, scope), rows))
}

fn worked_on<'a>(known: &'a Known, scope: &'a Scope) -> impl Iterator<Item = &'a Case> {
    let of_code = |case: &&Case| scope.code.is_none() || case.mode == scope.code;
    known.cases.iter().filter(|case| !case.actions.is_empty()).filter(of_code)
}
