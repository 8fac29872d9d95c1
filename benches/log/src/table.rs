//! Markdown.

use std::time::Duration;

use crate::measure::Measured;

/// One table, printed row by row so that a run that is broken off has shown what it had.
pub struct Table;

impl Table {
    /// Prints the head.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        println!("\n### {title}\n");
        println!("| {} |", columns.join(" | "));
        println!("|{}", "---|".repeat(columns.len()));
        Self
    }

    /// Prints a row.
    pub fn row(&self, cells: &[String]) {
        println!("| {} |", cells.join(" | "));
    }
}

/// A whole number with its thousands apart.
pub fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate in millions.
pub fn millions(number: f64) -> String {
    format!("{:.2} M", number / 1e6)
}

/// A latency.
pub fn milliseconds(time: Option<Duration>) -> String {
    time.map_or_else(String::new, |time| format!("{:.3} ms", time.as_secs_f64() * 1e3))
}

/// How often the second goes into the first.
pub fn ratio(ours: f64, theirs: f64) -> String {
    match ours / theirs {
        ratio if !ratio.is_finite() => "–".to_owned(),
        ratio if ratio >= 20.0 => format!("{ratio:.0}"),
        ratio => format!("{ratio:.2}"),
    }
}

/// Rows that are compared within groups: all of a group do the same work, and the first one that was measured is ours.
pub struct Comparison {
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    group: String,
    what: String,
    durability: String,
    measured: Measured,
}

impl Comparison {
    /// Without rows.
    pub fn new() -> Self {
        Self { rows: Vec::new(), notes: Vec::new() }
    }

    /// What one of the group did. It is told at once on the error output, so that a long run shows that it lives.
    pub fn add(&mut self, group: &str, what: &str, durability: &str, measured: Measured) {
        eprintln!("  {group}: {what}: {} a second", count(measured.rate()));
        self.rows.push(Row {
            group: group.to_owned(),
            what: what.to_owned(),
            durability: durability.to_owned(),
            measured,
        });
    }

    /// Something to say under the table.
    pub fn note(&mut self, note: String) {
        eprintln!("  {note}");
        self.notes.push(note);
    }

    /// A peer that could not be measured is said aloud, and the others go on.
    pub fn attempt(&mut self, peer: &str, result: anyhow::Result<()>) {
        if let Err(error) = result {
            self.note(format!("SKIPPED {peer}: {error:#}"));
        }
    }

    /// Prints everything; groups in the order in which they first came.
    pub fn print(&self, title: &str, unit: &str) {
        let rate = format!("{unit}/s");
        let table =
            Table::new(title, &["work", "what", "durable when answered", &rate, "p50", "p99", "ours is … times this"]);
        let mut groups: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !groups.contains(&row.group.as_str()) {
                groups.push(&row.group);
            }
        }
        for group in groups {
            let rows: Vec<&Row> = self.rows.iter().filter(|row| row.group == group).collect();
            for (index, row) in rows.iter().enumerate() {
                let ours = rows.first().map_or(0.0, |ours| ours.measured.rate());
                let compared = if index == 0 { "–".to_owned() } else { ratio(ours, row.measured.rate()) };
                table.row(&[
                    group.to_owned(),
                    row.what.clone(),
                    row.durability.clone(),
                    count(row.measured.rate()),
                    milliseconds(row.measured.percentile(50)),
                    milliseconds(row.measured.percentile(99)),
                    compared,
                ]);
            }
        }
        if !self.notes.is_empty() {
            println!();
        }
        for note in &self.notes {
            println!("- {note}");
        }
    }
}
