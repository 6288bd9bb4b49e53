//! Tests of what a README contains, and that the example of every module in this repository compiles.

use std::path::{Path, PathBuf};

use super::*;
use crate::check::check;
use crate::compile::Program;
use crate::repo::{Directory, Snapshot};

fn modules(files: &[(&str, &str)]) -> Modules {
    let snapshot = Snapshot::of_files(files.iter().map(|(path, text)| (*path, text.as_bytes().to_vec())));
    Modules::read(&snapshot, None)
}

const SITE: &str = r#"
kind = "define"
doc = "One site."
[parameters]
name = { type = "Host", default = "${title}", doc = "Name it answers to." }
root = { type = "AbsolutePath", doc = "Document | root." }
port = { type = "Port", default = 80, doc = "Port." }
[file."/etc/web/${name}.conf"]
content = "${root}"
"#;

const INIT: &str = r#"
doc = "A web server."
include = ["tls"]
[parameters]
admins = { type = "Array[Email]", default = [], merge = "unique", doc = "Whom it writes to." }
[package.web]
title = "web-server"
"#;

#[test]
fn a_readme_says_what_can_be_said_about_a_module() {
    let modules = modules(&[
        ("modules/web/manifests/init.toml", INIT),
        ("modules/web/manifests/site.toml", SITE),
        ("modules/tls/manifests/init.toml", "doc = \"TLS.\"\n"),
    ]);
    let all = readmes(&modules);
    assert_eq!(all.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["tls", "web"]);
    assert_eq!(
        all[1].1,
        r#"# web

A web server.

Needs `tls`.

<!-- Made from the manifests by `holdfast docs`: change those, not this. -->

## Use it

```toml
# modules/profile/manifests/example.toml
include = ["web"]

["web::site"."www.example.org"]
root = "/srv/shop"
```

```toml
# hieradata/common.toml
[web]
admins = []
```

## class `web`

Includes `tls`.

| parameter | type | default | what it is |
| --- | --- | --- | --- |
| `admins` | `Array[Email]` | `[]` | Whom it writes to. Levels are merged: `unique`. |

Declares `package[web-server]`.

## define `web::site`

One site.

| parameter | type | default | what it is |
| --- | --- | --- | --- |
| `name` | `Host` | `"${title}"` | Name it answers to. |
| `root` | `AbsolutePath` | required | Document \| root. |
| `port` | `Port` | `80` | Port. |

Declares `file[/etc/web/${name}.conf]`.
"#
    );
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The TOML blocks in a page, each with the path in its first line.
fn blocks(page: &str) -> Vec<(String, String)> {
    let block = |fence: &str| {
        let (text, _) = fence.split_once("```")?;
        let path = text.lines().next()?.strip_prefix("# ")?;
        Some((path.to_owned(), text.to_owned()))
    };
    page.split("```toml\n").skip(1).filter_map(block).collect()
}

/// Compiles the example of each module alone on a machine, with the modules of this repository but none of its data.
#[test]
fn the_example_of_every_module_compiles() {
    let snapshot = Directory::new(repository()).snapshot().unwrap();
    let mut wrong = String::new();
    for (module, page) in readmes(&Modules::read(&snapshot, None)) {
        let blocks = blocks(&page);
        if blocks.is_empty() {
            continue;
        }
        let is_given = |path: &str| {
            path.starts_with("facts/")
                || path.starts_with("modules/")
                    && !path.starts_with("modules/role/")
                    && !path.starts_with("modules/profile/")
        };
        let given = snapshot.files().filter(|(path, _)| is_given(path));
        let mut files: Vec<(String, Vec<u8>)> =
            given.map(|(path, file)| (path.to_string(), file.bytes().to_vec())).collect();
        files.push((
            "modules/role/manifests/example.toml".into(),
            b"include = [\"profile::example\"]\n".to_vec(),
        ));
        files.push((
            "inventory/hosting/example.toml".into(),
            b"[\"example.example.org\"]\nrole = \"example\"\nstage = \"test\"\n".to_vec(),
        ));
        // The release of the example, which a reader has built.
        files.push(("modules/application/files/releases/example/example-1.tar.gz".into(), Vec::new()));
        files.extend(blocks.into_iter().map(|(path, text)| (path, text.into_bytes())));
        for problem in check(&Program::new(&Snapshot::of_files(files), None)).all() {
            let _ = writeln!(wrong, "modules/{module}/README.md: {problem}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
