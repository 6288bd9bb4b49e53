//! Random catalogs, commands and drift.

use std::path::Path;

use holdfast_catalog::graph::EdgeKind;
use holdfast_catalog::random::Random;
use holdfast_catalog::value::Value;

use crate::enforce::bench::Bench;
use crate::system::Output;
use crate::system::double::{failed, said};

/// Few, so resources meet on them. `/l` may be a link to `/d`.
const PATHS: [&str; 8] = ["/d/a", "/d/b", "/d/c", "/e", "/f", "/l", "/l/a", "/no/such"];

/// A resource, as the test knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    File {
        path: String,
        content: String,
        mode: u32,
    },
    Absent {
        path: String,
    },
    Directory {
        path: String,
        purge: bool,
    },
    Link {
        path: String,
        target: String,
    },
    Line {
        path: String,
        line: String,
    },
    Setting {
        number: usize,
        path: String,
        key: String,
        value: String,
    },
    /// A command that runs until something exists.
    Made {
        command: String,
        path: String,
    },
    /// A command that runs until something is gone.
    Gone {
        command: String,
        path: String,
    },
    /// A command that runs until a file contains a text.
    Held {
        command: String,
        path: String,
        holds: String,
    },
    Always {
        command: String,
    },
}

impl Wanted {
    pub(super) fn reference(&self) -> String {
        match self {
            Self::File { path, .. }
            | Self::Absent { path }
            | Self::Directory { path, .. }
            | Self::Link { path, .. } => format!("file[{path}]"),
            Self::Line { path, line } => format!("file_line[{line} of {path}]"),
            Self::Setting { number, .. } => format!("ini_setting[{number}]"),
            Self::Made { command, .. }
            | Self::Gone { command, .. }
            | Self::Held { command, .. }
            | Self::Always { command } => format!("exec[{command}]"),
        }
    }

    /// The path that no purge touches.
    pub(super) fn names(&self) -> Option<&str> {
        match self {
            Self::File { path, .. }
            | Self::Absent { path }
            | Self::Directory { path, .. }
            | Self::Link { path, .. }
            | Self::Line { path, .. }
            | Self::Setting { path, .. } => Some(path),
            Self::Made { .. } | Self::Gone { .. } | Self::Held { .. } | Self::Always { .. } => None,
        }
    }

    fn by_chance(random: &mut Random, number: usize) -> Self {
        let path = random.of(&PATHS).to_owned();
        let command = |random: &mut Random| {
            let verb = random.of(&["write", "write", "append", "remove", "nothing", "fail"]);
            format!("{verb} {} {}", random.of(&PATHS), random.of(&["1", "2"]))
        };
        match random.below(12) {
            0..3 => Self::File {
                path,
                content: random.of(&["1\n", "2\n", "[main]\nk = 1\n", ""]).to_owned(),
                mode: if random.one_in(2) { 0o644 } else { 0o600 },
            },
            3 => Self::Absent { path },
            4 => Self::Directory { path: random.of(&["/d", "/d", "/e"]).to_owned(), purge: random.one_in(2) },
            5 => Self::Link { path, target: random.of(&["d", "d/a", "e"]).to_owned() },
            6 => Self::Line { path, line: random.of(&["one", "two"]).to_owned() },
            7 => Self::Setting {
                number,
                path,
                key: random.of(&["k", "j"]).to_owned(),
                value: random.of(&["1", "2"]).to_owned(),
            },
            8 => Self::Made { command: command(random), path },
            9 => Self::Gone { command: command(random), path },
            10 => Self::Held { command: command(random), path, holds: random.of(&["1", "2"]).to_owned() },
            _ => Self::Always { command: command(random) },
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::File { content, mode, .. } => {
                vec![("content", content.as_str().into()), ("mode", format!("{mode:04o}").into())]
            }
            Self::Absent { .. } => vec![("ensure", "absent".into())],
            Self::Directory { purge, .. } => {
                vec![("ensure", "directory".into()), ("purge", (*purge).into())]
            }
            Self::Link { target, .. } => vec![("target", target.as_str().into())],
            Self::Line { path, line } => vec![("path", path.as_str().into()), ("line", line.as_str().into())],
            Self::Setting { path, key, value, .. } => vec![
                ("path", path.as_str().into()),
                ("section", "main".into()),
                ("key", key.as_str().into()),
                ("value", value.as_str().into()),
            ],
            Self::Made { path, .. } => vec![("creates", path.as_str().into())],
            Self::Gone { path, .. } => vec![("unless", format!("gone {path}").into())],
            Self::Held { path, holds, .. } => vec![("unless", format!("holds {path} {holds}").into())],
            Self::Always { .. } => vec![("always", true.into())],
        }
    }
}

/// A catalog for the bench with random edges; returns what it wants.
pub(super) fn catalog(random: &mut Random, bench: &mut Bench) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for number in 0..3 + random.below(9) {
        let one = Wanted::by_chance(random, number);
        if wanted.iter().all(|other| other.reference() != one.reference()) {
            wanted.push(one);
        }
    }
    let count = u32::try_from(wanted.len()).unwrap();
    for one in &wanted {
        let (type_name, title) = split(one);
        let index = bench.add(&type_name, &title, &Value::from([]));
        one.attributes().into_iter().for_each(|(name, value)| bench.set(index, name, value));
    }
    for to in 1..count {
        if random.one_in(3) {
            let from = u32::try_from(random.below(to as usize)).unwrap();
            let kinds =
                [EdgeKind::Order, EdgeKind::Notify, EdgeKind::After, EdgeKind::Provide, EdgeKind::Need];
            bench.edge(from, to, kinds[random.below(kinds.len())]);
        }
    }
    wanted
}

/// Changes what is wanted of one file.
pub(super) fn change_a_wish(random: &mut Random, bench: &mut Bench, wanted: &mut [Wanted]) {
    let index = random.below(wanted.len());
    if let Wanted::File { content, .. } = &mut wanted[index] {
        "3\n".clone_into(content);
        bench.set(u32::try_from(index).unwrap(), "content", "3\n");
    }
}

fn split(one: &Wanted) -> (String, String) {
    let reference = one.reference();
    let (type_name, title) = reference.split_once('[').unwrap();
    (type_name.to_owned(), title.trim_end_matches(']').to_owned())
}

/// What the commands and guards of such a catalog do.
pub(super) fn obey(root: &Path, command: &str) -> Output {
    let words: Vec<&str> = command.split(' ').collect();
    let path = root.join(words.get(1).copied().unwrap_or_default().trim_start_matches('/'));
    let text = words.get(2).copied().unwrap_or_default();
    let is = std::fs::read_to_string(&path);
    let done = match words[0] {
        "write" => std::fs::write(&path, text).is_ok(),
        "append" => std::fs::write(&path, format!("{}{text}", is.unwrap_or_default())).is_ok(),
        "remove" => std::fs::remove_file(&path).is_ok() || std::fs::symlink_metadata(&path).is_err(),
        "gone" => std::fs::symlink_metadata(&path).is_err(),
        "holds" => is.is_ok_and(|is| is == text),
        other => other == "nothing",
    };
    if done { said("") } else { failed(1, "no") }
}

/// Changes the machine at random, as others might.
pub(super) fn drift(random: &mut Random, root: &Path) {
    for _ in 0..random.below(4) {
        let path = root.join(random.of(&PATHS).trim_start_matches('/'));
        // What cannot be done is left out.
        let _ = match random.below(6) {
            0 => std::fs::create_dir(root.join("d")),
            1 | 2 => std::fs::write(&path, random.of(&["by hand", "1", "[main]\nk = 9\n"])),
            3 => std::fs::remove_file(&path),
            4 => std::fs::write(root.join("d/stray"), "x"),
            _ => std::os::unix::fs::symlink(random.of(&["d", "e", "d/a"]), &path),
        };
    }
}
