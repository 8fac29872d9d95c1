//! A spec as columns, and what of them is made of readings: the same window is read once, however many columns are made of it.

use std::collections::BTreeMap;

use domain::ids::{AssetId, Code};
use domain::units::Unit;

use crate::bindings::Bindings;
use crate::error::DatasetError;
use crate::facts::Facts;
use crate::spec::{Aggregate, Feature, Label, Rows, Spec};
use crate::table::{Column, Kind};
use crate::timeline::span_ns;

/// Readings of a span before or after each row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    /// The quantity's place in [`Plan::quantities`].
    pub(crate) quantity: usize,
    /// Where it begins and ends, in nanoseconds from the row's time.
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    /// Whether it lies ahead: it is null then until it is observed, and knows everything of `as_of`.
    pub(crate) ahead: bool,
    pub(crate) unit: Unit,
    /// The columns that are made of it, and how.
    pub(crate) columns: Vec<(usize, Aggregate)>,
}

/// What is to be done for each row.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) quantities: Vec<Code>,
    pub(crate) spans: Vec<Span>,
    pub(crate) columns: Vec<Column>,
    /// The column of each feature, and of each label.
    pub(crate) features: Vec<usize>,
    pub(crate) labels: Vec<usize>,
}

/// The bindings of each asset's quantities.
pub(crate) type AllBindings = BTreeMap<AssetId, Vec<Bindings>>;

impl Plan {
    /// The plan of a spec for what the log knew.
    ///
    /// # Errors
    /// [`DatasetError::Spec`]: nothing measures a quantity, or a unit does not fit.
    pub(crate) fn of(spec: &Spec, facts: &Facts) -> Result<(Self, AllBindings), DatasetError> {
        let mut plan = Self {
            quantities: Vec::new(),
            spans: Vec::new(),
            columns: Vec::new(),
            features: Vec::new(),
            labels: Vec::new(),
        };
        plan.columns.push(Column::required("asset", Kind::Text));
        plan.columns.push(Column::required("time", Kind::Time));
        if let Rows::Event { .. } = spec.rows {
            plan.columns.push(Column::required("id", Kind::Text));
            plan.columns.push(Column::required("position", Kind::Integer));
        }
        let read = spec.features.iter().filter_map(|feature| match feature {
            Feature::Reading { quantity, .. } => Some(quantity),
            _ => None,
        });
        let foreseen = spec.labels.iter().filter_map(|label| match label {
            Label::Value { quantity, .. } => Some(quantity),
            _ => None,
        });
        for quantity in read.chain(foreseen) {
            if !plan.quantities.contains(quantity) {
                plan.quantities.push(quantity.clone());
            }
        }
        let of_asset = |asset: &AssetId| {
            plan.quantities.iter().map(|quantity| Bindings::of(asset, quantity, &facts.definitions)).collect()
        };
        let bindings: AllBindings = facts.assets.keys().map(|asset| (asset.clone(), of_asset(asset))).collect();
        for (index, feature) in spec.features.iter().enumerate() {
            plan.feature(&format!("features[{index}]"), feature, &bindings)?;
        }
        for (index, label) in spec.labels.iter().enumerate() {
            plan.label(&format!("labels[{index}]"), label, &bindings)?;
        }
        Ok((plan, bindings))
    }

    fn feature(&mut self, field: &str, feature: &Feature, bindings: &AllBindings) -> Result<(), DatasetError> {
        let (kind, unit) = match feature {
            Feature::Reading { quantity, aggregate, window_s, lag_s, unit, .. } => {
                let unit = self.unit(field, quantity, unit.as_ref(), bindings)?;
                let to_ns = -span_ns(*lag_s);
                let span = (to_ns - span_ns(*window_s), to_ns);
                self.add(quantity, span, false, &unit, *aggregate);
                (Kind::Float, Some(made_unit(*aggregate, &unit)))
            }
            Feature::State { .. } | Feature::Product { .. } => (Kind::Text, None),
            Feature::SetPoint { unit, .. } => (Kind::Float, Some(unit.clone())),
        };
        self.features.push(self.columns.len());
        self.columns.push(Column::new(feature.name(), kind, unit));
        Ok(())
    }

    fn label(&mut self, field: &str, label: &Label, bindings: &AllBindings) -> Result<(), DatasetError> {
        let (kind, unit) = match label {
            Label::FaultWithin { .. } => (Kind::Boolean, None),
            Label::FailureMode { .. } | Label::Verdict { .. } | Label::Disposition { .. } => (Kind::Text, None),
            Label::TimeToFault { unit, .. } | Label::Measurement { unit, .. } => (Kind::Float, Some(unit.clone())),
            Label::Value { quantity, aggregate, ahead_s, window_s, unit, .. } => {
                let unit = self.unit(field, quantity, unit.as_ref(), bindings)?;
                let from_ns = span_ns(*ahead_s);
                let span = (from_ns, from_ns + span_ns(*window_s));
                self.add(quantity, span, true, &unit, *aggregate);
                (Kind::Float, Some(made_unit(*aggregate, &unit)))
            }
        };
        self.labels.push(self.columns.len());
        self.columns.push(Column::new(label.name(), kind, unit));
        if let Some(name) = label.censored() {
            self.columns.push(Column::new(&name, Kind::Boolean, None));
        }
        Ok(())
    }

    /// Adds the column that comes next to the span that it is made of.
    fn add(&mut self, quantity: &Code, (from_ns, to_ns): (i64, i64), ahead: bool, unit: &Unit, aggregate: Aggregate) {
        let quantity = self.quantities.iter().position(|one| one == quantity).unwrap_or_default();
        let column = (self.columns.len(), aggregate);
        let same = |span: &&mut Span| {
            (span.quantity, span.from_ns, span.to_ns, span.ahead) == (quantity, from_ns, to_ns, ahead)
                && span.unit == *unit
        };
        match self.spans.iter_mut().find(same) {
            Some(span) => span.columns.push(column),
            None => {
                let unit = unit.clone();
                self.spans.push(Span { quantity, from_ns, to_ns, ahead, unit, columns: vec![column] });
            }
        }
    }

    /// The unit of a quantity: the one that is wanted, when every signal converts to it, or else the one that all signals have.
    fn unit(
        &self,
        field: &str,
        quantity: &Code,
        wanted: Option<&Unit>,
        bindings: &AllBindings,
    ) -> Result<Unit, DatasetError> {
        let index = self.quantities.iter().position(|one| one == quantity).unwrap_or_default();
        let mut found: Option<&Unit> = None;
        for (asset, of_asset) in bindings {
            for unit in of_asset.get(index).into_iter().flat_map(Bindings::units) {
                match (wanted, found) {
                    (Some(wanted), _) => {
                        domain::conversion::Conversion::between(unit, wanted).map_err(|error| {
                            let reason = format!("{quantity} of {asset} is measured in {unit}: {error}");
                            DatasetError::spec(format!("{field}.unit"), reason)
                        })?;
                    }
                    (None, Some(other)) if other != unit => {
                        let reason =
                            format!("signals measure {quantity} in {other} and in {unit}; name the unit to convert to");
                        return Err(DatasetError::spec(format!("{field}.unit"), reason));
                    }
                    _ => {}
                }
                found = Some(unit);
            }
        }
        match (wanted, found) {
            (_, None) => {
                let reason = format!("no signal of these assets measures {quantity} at that position");
                Err(DatasetError::spec(format!("{field}.quantity"), reason))
            }
            (Some(unit), _) | (None, Some(unit)) => Ok(unit.clone()),
        }
    }
}

/// The unit of what an aggregate makes.
fn made_unit(aggregate: Aggregate, unit: &Unit) -> Unit {
    match aggregate {
        Aggregate::Count => Unit::one(),
        // A code in which a division is written is put into parentheses, so that the second divides all of it.
        Aggregate::Slope => Unit::new(&format!("({unit})/s")).unwrap_or_else(|_| unit.clone()),
        _ => unit.clone(),
    }
}
