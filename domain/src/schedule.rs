//! Shifts by the calendar: from a pattern to the stretches of time that crews are planned for.
//!
//! Shifts are planned by the clock on the wall. A night shift ends on the next day, and on the two nights of a year in which the clock is changed it is an hour
//! shorter or longer.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _};
use serde::Serialize;

use crate::events::{PlannedShift, ShiftPatternDefined};
use crate::ids::Code;

/// The longest window that shifts are worked out for, in days.
pub const MAX_DAYS: i64 = 3_700;
/// The longest shift, in minutes: two days.
pub const MAX_MINUTES: u32 = 2 * 24 * 60;

/// Why a pattern gives no shifts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The time zone is not known here.
    #[error("shift pattern {pattern}: time zone {time_zone:?} is not known")]
    TimeZone {
        /// The pattern.
        pattern: Code,
        /// Its zone.
        time_zone: String,
    },
    /// The cycle, a day of a shift or a length is not possible.
    #[error("shift pattern {pattern}: {reason}")]
    Pattern {
        /// The pattern.
        pattern: Code,
        /// What does not fit.
        reason: String,
    },
    /// The window is too long.
    #[error("shifts are worked out for at most {MAX_DAYS} days, not for {days}")]
    TooLong {
        /// Its length.
        days: i64,
    },
}

/// A shift on a certain day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedTurn {
    /// The pattern that it is of.
    pub pattern: Code,
    /// What it is called.
    pub name: Code,
    /// Which crew works.
    pub crew: Code,
    /// The day on which it begins, by the clock on the wall: the day that its figures are booked on.
    pub day: Date,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// Planned breaks, in minutes.
    pub break_minutes: u32,
}

/// The planned turns that touch a window of time, by time. `versions` are the definitions of one pattern in the order in which they were said: a day is planned by
/// the last one whose first day is not after it.
///
/// # Errors
/// [`ScheduleError`] names the pattern and what does not fit.
pub fn planned_turns(
    versions: &[&ShiftPatternDefined],
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<PlannedTurn>, ScheduleError> {
    let days = to.duration_since(from).as_hours() / 24;
    if days > MAX_DAYS {
        return Err(ScheduleError::TooLong { days });
    }
    let mut turns = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let zone = check(version)?;
        let later = versions.get(index + 1..).unwrap_or_default();
        // A turn that began two days ago can last into the window.
        let first = zone.to_datetime(from).date().saturating_sub(3.days()).max(version.first_day);
        let last = zone.to_datetime(to).date();
        let mut day = first;
        while day <= last {
            if !later.iter().any(|other| other.first_day <= day) {
                turns.extend(turns_of(version, &zone, day).filter(|turn| turn.from < to && turn.to > from));
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
    }
    turns.sort_by(|a, b| (a.from, a.to, &a.name).cmp(&(b.from, b.to, &b.name)));
    Ok(turns)
}

fn check(version: &ShiftPatternDefined) -> Result<TimeZone, ScheduleError> {
    let wrong = |reason: String| ScheduleError::Pattern { pattern: version.pattern.clone(), reason };
    if version.cycle_days == 0 {
        return Err(wrong("the cycle has no day".to_owned()));
    }
    for shift in &version.shifts {
        if shift.day >= version.cycle_days {
            return Err(wrong(format!(
                "shift {} begins on day {} of {} days",
                shift.name, shift.day, version.cycle_days
            )));
        }
        if !(1..=MAX_MINUTES).contains(&shift.minutes) || shift.break_minutes > shift.minutes {
            return Err(wrong(format!(
                "shift {} lasts {} minutes with {} of breaks",
                shift.name, shift.minutes, shift.break_minutes
            )));
        }
    }
    TimeZone::get(&version.time_zone)
        .map_err(|_| ScheduleError::TimeZone { pattern: version.pattern.clone(), time_zone: version.time_zone.clone() })
}

fn turns_of<'a>(
    version: &'a ShiftPatternDefined,
    zone: &'a TimeZone,
    day: Date,
) -> impl Iterator<Item = PlannedTurn> + use<'a> {
    let since = day.since(version.first_day).map_or(0, |span: Span| span.get_days());
    let place = u32::try_from(since).unwrap_or(0) % version.cycle_days.max(1);
    let instant = move |wall: DateTime| zone.to_zoned(wall).ok().map(|zoned| zoned.timestamp());
    let turn = move |shift: &PlannedShift| {
        let start = day.to_datetime(shift.start);
        let end = start.checked_add(i64::from(shift.minutes).minutes()).ok()?;
        Some(PlannedTurn {
            pattern: version.pattern.clone(),
            name: shift.name.clone(),
            crew: shift.crew.clone(),
            day,
            from: instant(start)?,
            to: instant(end)?,
            break_minutes: shift.break_minutes,
        })
    };
    version.shifts.iter().filter(move |shift| shift.day == place).filter_map(turn)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
