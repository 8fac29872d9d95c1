//! Tables in Markdown.

use crate::score::{Estimate, estimate, paired};

fn interval(estimate: &Estimate, digits: usize) -> String {
    format!("{:.digits$} [{:.digits$}, {:.digits$}]", estimate.mean, estimate.low, estimate.high)
}

/// One way of answering, with each question's score under several measures.
pub struct Way {
    pub name: String,
    pub scores: Vec<Vec<f64>>,
}

/// Prints a table: a row a way, a column a measure, and how the first measure differs from the first way's.
pub fn print(title: &str, measures: &[&str], ways: &[Way]) {
    println!("\n### {title}\n");
    println!("| way | {} | {} against the first row |", measures.join(" | "), measures[0]);
    println!("|---|{}---|", "---|".repeat(measures.len()));
    for (row, way) in ways.iter().enumerate() {
        let cells: Vec<String> = way.scores.iter().map(|scores| interval(&estimate(scores), 3)).collect();
        let difference = if row == 0 {
            String::new()
        } else {
            let difference = paired(&way.scores[0], &ways[0].scores[0]);
            format!("{:+.3} [{:+.3}, {:+.3}]", difference.mean, difference.low, difference.high)
        };
        println!("| {} | {} | {difference} |", way.name, cells.join(" | "));
    }
    println!("\nn = {}", ways[0].scores[0].len());
}

/// Says aloud that a part cannot be scored.
pub fn skipped(part: &str, reason: &str) {
    println!("\n### {part}\n\nSKIPPED: {reason}");
    eprintln!("SKIPPED {part}: {reason}");
}
