//! The cost of a tenant's data that is written to be expensive: one file of 1 to 8 MB, checked as after a push, and
//! explained.

use std::process::Command;

use anyhow::Context as _;

use crate::figure::{Figure, run};

/// The file that is replaced.
const FILE: &str = "hieradata/customers/customer.toml";

/// The limits for each megabyte.
const MILLISECONDS: f64 = 50.0;
const MEBIBYTES: f64 = 100.0;

/// A name, a beginning, a text that is repeated (with its number for `{n}`), and an end.
const SHAPES: [(&str, &str, &str, &str); 10] = [
    ("empty lists on one line", "[profile.bench]\nsites=[", "[],", "]\n"),
    ("values of the wrong type", "[profile.bench]\nsites=[", "1,\n", "]\n"),
    ("keys that nobody reads", "[profile.bench]\n", "k{n}=1\n", ""),
    ("expressions with unknown names", "[profile.bench]\nsites=[", "\"${x}\",\n", "]\n"),
    ("tables", "", "[a{n}]\n", ""),
    ("syntax errors", "", "=\n", ""),
    ("one line that cannot be read", "[profile.bench]\nsites=[", "\"a\",", "\n"),
    ("a list for merge `unique`", "[profile.bench]\nunique=[", "\"n{n}\",", "]\n"),
    ("a list for merge `deep`", "[profile.bench]\ndeep=[", "\"n{n}\",", "]\n"),
    ("instances of a define", "[profile.bench.instances]\n", "t{n}={port=1}\n", ""),
];

/// The merges that `lookup --explain` is tried with, and the limit for each megabyte; each element is on three lines.
const EXPLAINED: [&str; 3] = ["first", "unique", "deep"];
const EXPLAINED_MILLISECONDS: f64 = 500.0;

/// Parameters in addition to those of the repository, each with a list at another level too.
const LISTS: &str = "[parameters]\n\
    first = { type = \"Array[String]\", default = [], doc = \"L.\" }\n\
    unique = { type = \"Array[String]\", default = [], merge = \"unique\", doc = \"L.\" }\n\
    deep = { type = \"Array[String]\", default = [], merge = \"deep\", doc = \"L.\" }\n\
    instances = { type = \"Hash[String, profile::instance]\", default = {}, merge = \"deep\", doc = \"I.\" }\n";

/// A define, and what makes an instance of it for each entry of that map.
const INSTANCE: &str = "kind = \"define\"\ndoc = \"I.\"\n\
    [parameters]\nport = { type = \"Port\", doc = \"P.\" }\n\
    [file.\"/srv/${title}\"]\ncontent = \"${port}\"\n";
const INSTANCES: &str = "\n[\"profile::instance\".each]\nfor_each = \"${instances}\"\ntitle = \"${each.key}\"\n\
    \"*\" = \"${each.value}\"\n";

/// Measures `holdfast check` for each shape and size, less what it takes without that file.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let directory = tempfile::tempdir()?;
    harness::synthetic::write(directory.path(), 1, 1)?;
    let profile = directory.path().join("modules/profile/manifests/bench.toml");
    let text = std::fs::read_to_string(&profile)?.replacen("[parameters]\n", LISTS, 1);
    std::fs::write(&profile, text + INSTANCES)?;
    std::fs::write(profile.with_file_name("instance.toml"), INSTANCE)?;
    let common = directory.path().join("hieradata/common.toml");
    let text = std::fs::read_to_string(&common)?;
    std::fs::write(
        &common,
        format!("[profile.bench]\nfirst = [\"x\"]\nunique = [\"x\"]\ndeep = [\"x\"]\n{text}"),
    )?;
    let (base, _) = check(directory.path())?;
    let mut figures = Vec::new();
    for (name, before, again, after) in SHAPES {
        for megabytes in [1, 2, 4, 8_usize] {
            let text = written(before, again, after, megabytes * 1_000_000);
            std::fs::write(directory.path().join(FILE), text).context(FILE)?;
            let (milliseconds, memory) = check(directory.path())?;
            let (size, taken) = (megabytes as f64, (milliseconds - base).max(0.0));
            figures.push(
                Figure::of(format!("{name}, {megabytes} MB"), vec![taken], "ms")
                    .beside(MILLISECONDS * size, "–"),
            );
            if megabytes == 8 {
                figures.push(
                    Figure::of(format!("{name}, {megabytes} MB, peak"), vec![memory], "MiB")
                        .beside(MEBIBYTES * size, "–"),
                );
            }
        }
    }
    for merge in EXPLAINED {
        for megabytes in [1, 2, 4, 8_usize] {
            let before = format!("[profile.bench]\n{merge}=[");
            let text = written(&before, "\"n{n}\",", "]\n", megabytes * 1_000_000);
            std::fs::write(directory.path().join(FILE), text).context(FILE)?;
            let taken = explained(directory.path(), merge)?;
            let name = format!("lookup --explain of a list, merge `{merge}`, {megabytes} MB");
            let most = EXPLAINED_MILLISECONDS * megabytes as f64;
            figures.push(Figure::of(name, vec![taken], "ms").beside(most, "–"));
        }
    }
    Ok(figures)
}

/// The CPU time of an explanation, in milliseconds.
fn explained(repository: &std::path::Path, merge: &str) -> anyhow::Result<f64> {
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" lookup \"$1\" --node \"$2\" --repo \"$3\" --explain >/dev/null"]);
    let key = format!("profile::bench::{merge}");
    command.arg(&harness::binaries().server).args([&key, harness::synthetic::NODE]).arg(repository);
    Ok(run(&command)?.cpu.as_secs_f64() * 1e3)
}

fn written(before: &str, again: &str, after: &str, bytes: usize) -> String {
    let mut text = before.to_owned();
    for n in 0.. {
        if text.len() + again.len() + 8 > bytes {
            break;
        }
        text.push_str(&again.replace("{n}", &n.to_string()));
    }
    text + after
}

/// The CPU time of a check that finds many problems in milliseconds, and its memory in MiB.
fn check(repository: &std::path::Path) -> anyhow::Result<(f64, f64)> {
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" check \"$1\" 2>/dev/null || true"]);
    command.arg(&harness::binaries().server).arg(repository);
    let usage = run(&command)?;
    Ok((usage.cpu.as_secs_f64() * 1e3, usage.memory))
}
