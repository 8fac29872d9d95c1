//! What a reader needs to know before the figures: where, on what, from which sources.

use std::path::Path;

use crate::arguments::Arguments;
use crate::process::{find, first_line};

/// Prints the head of a run.
pub fn print(scratch: &Path, arguments: &Arguments) {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = |arguments: &[&str]| {
        let folder = package.to_string_lossy();
        let all: Vec<&str> = ["-C", &folder].iter().chain(arguments).copied().collect();
        first_line(Path::new("git"), &all).unwrap_or_else(|| "unknown".to_owned())
    };
    let changed = if git(&["status", "--porcelain"]) == "unknown" { "" } else { " with changes" };
    let revision = git(&["rev-parse", "--short=12", "HEAD"]);
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!("## The log beside its peers\n");
    println!("- {}, git {revision}{changed}", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"));
    println!("- {processors} processors: {}, {} GiB", processor(), memory_gib());
    println!("- kernel {}, {}", read("/proc/sys/kernel/osrelease"), file_system(scratch));
    let load = read("/proc/loadavg");
    println!("- load of the machine before the run: {load}");
    let busy = load.split(' ').next().and_then(|minute| minute.parse::<f64>().ok()).unwrap_or(0.0);
    if busy > processors as f64 / 2.0 {
        println!(
            "- **the machine was busy**: what waits for a processor is measured too, which hits single threads and servers \
             otherwise than threads that share the work; only processor times can be compared"
        );
    }
    println!("- {}", first_line(Path::new("rustc"), &["--version"]).unwrap_or_else(|| "rustc unknown".to_owned()));
    println!("- {} s for each row, after a tenth of that to warm up", arguments.seconds);
    println!(
        "- ours and UmaDB run inside the measuring process; servers are separate processes on the same machine, reached over the loopback interface"
    );
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn field(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(':').map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

fn processor() -> String {
    field(&read("/proc/cpuinfo"), "model name")
}

fn memory_gib() -> u64 {
    let total = field(&read("/proc/meminfo"), "MemTotal");
    total.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / (1024 * 1024)
}

/// The kind of the file system that the folder is on, and its free room.
fn file_system(folder: &Path) -> String {
    let mounts = read("/proc/mounts");
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let best = mounted.filter(|(point, _)| folder.starts_with(point)).max_by_key(|(point, _)| point.len());
    best.map_or_else(|| "file system unknown".to_owned(), |(_, kind)| format!("file system {kind}"))
}

/// The version that a peer's program says, or that it is not there.
pub fn version(program: &str, arguments: &[&str], folders: &[std::path::PathBuf]) -> String {
    find(program, folders)
        .and_then(|path| first_line(&path, arguments))
        .unwrap_or_else(|| format!("{program} not found"))
}
