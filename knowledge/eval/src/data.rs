//! The public data sets, read as they are.

use std::path::PathBuf;

/// Where the data sets are.
pub fn folder() -> PathBuf {
    std::env::var_os("MILLWRIGHT_DATA_SETS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from)
}

/// A work order of an excavator.
#[derive(Clone, Debug)]
pub struct WorkOrder {
    pub date: String,
    pub asset: String,
    pub text: String,
    pub system: String,
    pub mode: String,
    pub action: String,
}

/// All work orders in the order of time, or why they cannot be read.
pub fn excavators() -> Result<Vec<WorkOrder>, String> {
    let path = folder().join("excavator_mwo/case_study_pdl.csv");
    let mut reader = csv::Reader::from_path(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        rows.push(WorkOrder {
            date: row[1].to_owned(),
            asset: row[2].to_owned(),
            text: row[3].to_owned(),
            system: row[7].to_owned(),
            action: row[9].to_owned(),
            mode: row[11].to_owned(),
        });
    }
    // Stable: rows of one day stay in their order.
    rows.sort_by(|a, b| a.date.cmp(&b.date));
    Ok(rows)
}

/// Phrases with their failure modes.
pub fn phrases() -> Result<Vec<(String, String)>, String> {
    let path = folder().join("mwo2kg/fmc_train.txt");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text
        .lines()
        .filter_map(|line| line.rsplit_once(','))
        .map(|(text, mode)| (text.trim().to_owned(), mode.trim().to_owned()))
        .collect())
}

/// Sentences of tokens with their normal forms: training and validation part of one company.
pub type Sentences = Vec<Vec<(String, String)>>;

pub fn normalised(company: &str, part: &str) -> Result<Sentences, String> {
    let path = folder().join(format!("maintnorm/{company}/{part}.norm"));
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut sentences = vec![Vec::new()];
    for line in text.lines() {
        match line.split_once('\t') {
            Some((token, normal)) => sentences.last_mut().unwrap().push((token.to_owned(), normal.to_owned())),
            None if line.trim().is_empty() => sentences.push(Vec::new()),
            None => sentences.last_mut().unwrap().push((line.to_owned(), String::new())),
        }
    }
    sentences.retain(|sentence| !sentence.is_empty());
    Ok(sentences)
}

/// A loom episode of the Chinese test set.
#[derive(Clone, Debug)]
pub struct Loom {
    pub part: String,
    pub mode: String,
    pub text: String,
}

fn tab_separated(text: &str) -> Vec<Loom> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut cells = line.splitn(3, '\t').map(str::to_owned);
            let mut next = || cells.next().expect("three cells a line");
            Loom { part: next(), mode: next(), text: next() }
        })
        .collect()
}

pub fn looms() -> Vec<Loom> {
    let mut all = tab_separated(include_str!("../data/looms.tsv"));
    all.extend(tab_separated(include_str!("../data/loom_held_out_2.tsv")));
    all
}

pub fn loom_questions() -> Vec<Loom> {
    tab_separated(include_str!("../data/loom_questions.tsv"))
}

/// The rows of the FMEA sheet.
pub fn fmea() -> Result<Vec<Vec<String>>, String> {
    let path = folder().join("fmea_rag/fmea_dataset_filled.csv");
    let mut reader = csv::Reader::from_path(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let rows = reader.records().map(|row| row.map(|row| row.iter().map(str::to_owned).collect()));
    rows.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// Questions about it: kind, which rows answer it, and the text.
pub fn fmea_questions() -> Vec<[String; 3]> {
    tab_separated(include_str!("../data/fmea_questions.tsv"))
        .into_iter()
        .map(|Loom { part, mode, text }| [part, mode, text])
        .collect()
}
