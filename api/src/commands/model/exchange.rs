//! Copies between this server and another one of MLflow's kind.

use std::io::{IsTerminal as _, Write as _};

use exchange::{Count, Options, Report, Server, copy};

use super::arguments::{ExchangeArguments, ServerArguments};
use crate::cli::Output;
use crate::commands::print;

/// Where things go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into this server.
    In,
    /// Out of it.
    Out,
}

/// Copies, and prints what was copied and what was left out.
///
/// # Errors
/// When a server does not answer, or answers something else than MLflow's API says. What is refused about one thing is in the report.
pub async fn run(
    direction: Direction,
    other: &str,
    arguments: ExchangeArguments,
    server: &ServerArguments,
    output: Output,
) -> anyhow::Result<()> {
    let ExchangeArguments { experiments, models, no_files, other_token } = arguments;
    let ours = Server::new(&server.server, server.token.clone())?;
    let other = Server::new(other, other_token)?;
    let options = Options { experiments, models, files: !no_files };
    let (from, to) = match direction {
        Direction::In => (&other, &ours),
        Direction::Out => (&ours, &other),
    };
    let mut progress = Progress::default();
    let report = copy(from, to, &options, &mut |what| progress.show(what)).await;
    progress.end();
    print(output, &report?, described)
}

/// One line on a terminal that is written over; nothing where nobody looks.
#[derive(Default)]
struct Progress {
    width: usize,
}

impl Progress {
    fn show(&mut self, what: &str) {
        let mut err = std::io::stderr();
        if !err.is_terminal() {
            return;
        }
        let text: String = what.chars().take(100).collect();
        let width = text.chars().count();
        let blank = " ".repeat(self.width.saturating_sub(width));
        self.width = width;
        // A terminal that takes nothing more is no reason to stop.
        let _ = write!(err, "\r{text}{blank}").and_then(|()| err.flush());
    }

    fn end(&mut self) {
        if self.width > 0 {
            self.show("");
            let _ = std::io::stderr().write_all(b"\r");
        }
    }
}

fn described(report: &Report) -> String {
    let count = |count: Count| match count.unchanged {
        0 => count.copied.to_string(),
        unchanged => format!("{} ({unchanged} were there already)", count.copied),
    };
    let mut lines = vec![
        format!("copied from {} to {}:", report.from, report.to),
        format!("  experiments        {}", count(report.experiments)),
        format!("  runs               {}", count(report.runs)),
        format!("  values of metrics  {}", report.metric_values),
        format!("  logged models      {}", count(report.logged_models)),
        format!("  registered models  {}", count(report.registered_models)),
        format!("  model versions     {}", count(report.model_versions)),
        format!("  aliases            {}", report.aliases),
        format!("  files              {} ({} bytes)", report.files, report.bytes),
    ];
    if !report.skipped.is_empty() {
        lines.push(format!("left out, or otherwise than it was ({}):", report.skipped.len()));
        lines.extend(report.skipped.iter().map(|skipped| format!("  {}: {}", skipped.what, skipped.reason)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Count, Report, described};
    use exchange::Skipped;

    #[test]
    fn a_report_says_what_was_left_out() {
        let skipped = vec![Skipped { what: "run 3f2a".to_owned(), reason: "it has not ended".to_owned() }];
        let runs = Count { copied: 2, unchanged: 1 };
        let text = described(&Report { from: "a".to_owned(), to: "b".to_owned(), runs, skipped, ..Report::default() });
        assert!(text.contains("  runs               2 (1 were there already)"), "{text}");
        assert!(text.ends_with("left out, or otherwise than it was (1):\n  run 3f2a: it has not ended"), "{text}");
    }
}
