//! Figures: measured values with their unit and a target.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// A measurement.
pub struct Figure {
    pub work: String,
    /// The minimum, the median and the maximum.
    pub spread: [f64; 3],
    /// `s`, `ms` or `MiB`.
    pub unit: &'static str,
    /// The target, in the same unit.
    pub target: Option<f64>,
    /// What a peer needs, measured earlier on the same kind of machine.
    pub peer: &'static str,
}

impl Figure {
    /// Makes a figure from the values of several runs.
    pub fn of(work: impl Into<String>, mut values: Vec<f64>, unit: &'static str) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        Self { work: work.into(), spread: [at(0.0), at(0.5), at(1.0)], unit, target: None, peer: "–" }
    }

    /// Sets the target and a peer's figure.
    pub fn beside(mut self, target: f64, peer: &'static str) -> Self {
        self.target = Some(target);
        self.peer = peer;
        self
    }
}

/// Prints the head of the table, as Markdown.
pub fn print_heading() {
    println!("| work | median (least – greatest) | target | peer |\n| --- | --- | --- | --- |");
}

/// Prints a row of the table.
pub fn print(figure: &Figure) {
    let Figure { work, spread: [least, median, greatest], unit, target, peer } = figure;
    let reached = |target| if *median <= target { "reached" } else { "**missed**" };
    let target = target.map_or("–".into(), |target| format!("≤ {target} {unit}: {}", reached(target)));
    println!("| {work} | {median:.3} {unit} ({least:.3} – {greatest:.3}) | {target} | {peer} |");
}

/// The resources that a process used.
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Peak resident memory in MiB.
    pub memory: f64,
}

/// The first argument of a process that runs one other process and prints what it used, so that nothing else is counted.
pub const ALONE: &str = "--alone";

/// Runs a command as the only child of a separate process, and returns what it used; it must succeed.
pub fn run(command: &Command) -> anyhow::Result<Usage> {
    let mut alone = Command::new(std::env::current_exe()?);
    alone.arg(ALONE).arg(command.get_program()).args(command.get_args());
    let output = alone.output().with_context(|| format!("cannot start {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    read_usage(&String::from_utf8(output.stdout)?)
}

/// Parses what [`alone`] printed.
pub fn read_usage(said: &str) -> anyhow::Result<Usage> {
    let (micros, memory) = said.trim().split_once(' ').context("two numbers")?;
    Ok(Usage { cpu: Duration::from_micros(micros.parse()?), memory: memory.parse()? })
}

/// Runs the command in these arguments, and prints its CPU time in microseconds and its peak memory in MiB.
pub fn alone(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let mut command = Command::new(arguments.next().context("a command")?);
    let status = command.args(arguments).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    println!("{} {:.3}", cpu(&usage).as_micros(), usage.max_rss() as f64 / 1024.0);
    Ok(())
}

/// Measures the size of a program.
pub fn on_disk(what: &str, program: &Path) -> anyhow::Result<Figure> {
    Ok(Figure::of(what, vec![std::fs::metadata(program)?.len() as f64 / 1024.0 / 1024.0], "MiB"))
}

/// The resident memory of a running process, in MiB.
pub fn memory_of(id: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: f64 =
        line.and_then(|line| line.trim().strip_suffix(" kB")).context("no memory")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// The CPU time of this process.
pub fn own() -> anyhow::Result<Duration> {
    Ok(cpu(&getrusage(UsageWho::RUSAGE_SELF)?))
}

/// User and system time.
fn cpu(usage: &nix::sys::resource::Usage) -> Duration {
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}
