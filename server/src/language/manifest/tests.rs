//! What is read from a manifest, and the help for each mistake.

use super::*;
use crate::diagnostic::Code;

fn parse(text: &str) -> (Manifest, Vec<Diagnostic>) {
    parse_as("profile::web", text)
}

fn parse_as(name: &str, text: &str) -> (Manifest, Vec<Diagnostic>) {
    let name = ManifestName::parse(name).unwrap();
    let file = match name.as_str().split_once("::") {
        None => format!("modules/{name}/manifests/init.toml"),
        Some((module, rest)) => format!("modules/{module}/manifests/{}.toml", rest.replace("::", "/")),
    };
    let file = file.into();
    Manifest::parse(name, &file, text.as_bytes())
}

fn problems(text: &str) -> String {
    parse(text).1.iter().map(|problem| format!("{} {problem}\n", problem.code)).collect()
}

const CHRONY: &str = r#"
doc = "Keeps the clock in step."
include = ["profile::base"]

[parameters]
servers = { type = "Any", default = ["0.ch.pool.ntp.org"], merge = "unique", doc = "Time servers." }

[parameters.ensure]
type = "Any"

[let]
count = "${size(servers)}"

[defaults.file]
mode = "0644"

[file."/etc/chrony.conf"]
template = "chrony.conf.hbs"
notify   = "service[chrony]"

[package.chrony]

[class."profile::extra"]
when = "${count > 1}"
level = 3

[file."/etc/${title}"]
for_each = "${servers}"
title = "${each.value}"
"*" = { owner = "root" }
tag = "x"

["nginx::vhost".shop]
root = "/srv"
"#;

#[test]
fn a_manifest_is_read_in_the_order_written() {
    let (manifest, problems) = parse(CHRONY);
    assert!(problems.is_empty(), "{problems:?}");
    let blocks: Vec<_> = manifest.blocks.iter().map(|b| format!("{}[{}]", b.type_name, b.name)).collect();
    assert_eq!(
        blocks,
        ["file[/etc/chrony.conf]", "package[chrony]", "file[/etc/${title}]", "nginx::vhost[shop]"]
    );
    let classes: Vec<_> = manifest.inclusions.iter().map(|inclusion| &*inclusion.class).collect();
    assert_eq!(classes, ["profile::base", "profile::extra"]);
    assert_eq!(manifest.doc.as_deref(), Some("Keeps the clock in step."));
    assert_eq!((manifest.lets.len(), manifest.defaults.len()), (1, 1));
}

#[test]
fn attributes_and_metaparameters_are_told_apart() {
    let (manifest, _) = parse(CHRONY);
    let conf = &manifest.blocks[0];
    assert_eq!(conf.relations[0].word, RelationWord::Notify);
    assert_eq!(conf.attributes.iter().map(|a| &*a.name).collect::<Vec<_>>(), ["template"]);
    assert_eq!(conf.origin.line, 17);
    let each = &manifest.blocks[2];
    assert!(each.title.is_some() && each.for_each.is_some() && each.splat.is_some() && each.tag.is_some());
    assert!(each.attributes.is_empty());
    let extra = &manifest.inclusions[1];
    assert!(extra.when.is_some() && extra.parameters.len() == 1);
}

#[test]
fn parameters_are_read_inline_and_as_tables() {
    let (manifest, _) = parse(CHRONY);
    let servers = manifest.parameter("servers").unwrap();
    assert_eq!(servers.merge, Merge::Unique);
    assert_eq!(servers.origin.to_string(), "modules/profile/manifests/web.toml:6:1");
    assert!(servers.default.is_some() && manifest.parameter("ensure").unwrap().default.is_none());
}

#[test]
fn mistakes_are_named_with_the_cure() {
    for (text, expected) in [
        ("[fiel.\"/x\"]\n", "unknown-type modules/profile/manifests/web.toml:1:2"),
        ("[fiel.\"/x\"]\n", "did you mean `file`?"),
        ("[file.\"/x\"]\nmoed = \"0644\"\n", "did you mean `mode`?"),
        ("[parameters.x]\ntyp = \"Any\"\n", "did you mean `type`?"),
        ("[parameters.x]\ndoc = \"x\"\n", "parameter `x` has no `type`"),
        ("[parameters]\nfacts = { type = \"Any\" }\n", "`facts` is a reserved word"),
        ("[parameters]\nMyParam = { type = \"Any\" }\n", "`MyParam` is not a name"),
        ("[parameters.x]\ntype = \"Any\"\nsecret = true\n", "`secret` is not supported in this version"),
        ("[publish.x]\nvalue = 1\n", "`publish` is not supported in this version"),
        ("[[assert]]\nthat = 1\n", "`assert` is not supported in this version"),
        ("[file.\"/x\"]\nschedule = \"night\"\n", "`schedule` is not supported in this version"),
        ("include = \"a\"\n", "write include = [\"nginx\"]"),
        ("include = [\"Nginx\"]\n", "`Nginx` is not a valid class name"),
        ("include = [\"${x}\"]\n", "a manifest lists the classes that it includes"),
        ("include = [\"profile::web\"]\n", "includes itself"),
        ("kind = \"type\"\n", "`type` is not a kind of manifest"),
        ("[parameters.x]\ntype = \"Any\"\nmerge = \"depe\"\n", "did you mean `deep`?"),
        ("[file.\"/x\"]\ncontent = \"${1 +}\"\n", "web.toml:2:"),
        ("[package]\nensure = \"latest\"\n", "a resource has a name: [package.NAME]"),
    ] {
        let found = problems(text);
        assert!(found.contains(expected), "{text}\n→ {found}");
    }
}

#[test]
fn the_traps_of_toml_are_met_with_the_cure() {
    for (text, expected) in [
        (
            "[parameters]\nx = { type = \"Any\" }\ninclude = [\"a\"]\n",
            "move `include` above the first header",
        ),
        ("[file.\"/x\"]\nmode = \"0644\"\ninclude = [\"a\"]\n", "move `include` above the first header"),
        ("[package.python3.11]\n", "a name with dots is quoted: [package.\"python3.11\"]"),
        ("[package.x]\nensure = 2.10\n", "quote it: ensure = \"2.10\""),
        ("[file.\"/x\"]\nmode = 0o644\n", "quote it: mode = \"0644\""),
        ("[file.\"/x\"]\nmode = 0644\n", "permission bits are a string: \"0644\""),
        ("[file.\"/x\"]\nowner = root\n", "strings are quoted: \"root\""),
        ("[file.\"/x\"]\nowner = ${user}\n", "expressions go in strings"),
        ("[service.x]\nenable = yes\n", "booleans are `true` and `false`"),
        ("[file.\"/x\"]\n[file.\"/x\"]\n", "is written twice"),
        (
            "[exec.x]\ncommand = [\"a\"]\n[exec.x.environment]\nA = \"1\"\ncwd = \"/\"\n",
            "belongs to `environment` here",
        ),
    ] {
        let found = problems(text);
        assert!(found.contains(expected), "{text}\n→ {found}");
    }
}

#[test]
fn a_key_of_the_top_level_below_let_is_told_with_where_it_belongs() {
    for word in ["include = [\"motd\"]", "kind = \"define\"", "doc = \"x\""] {
        let text = format!("[let]\na = \"x\"\n{word}\n");
        let told: String = parse(&text).1.iter().filter_map(|problem| problem.help.clone()).collect();
        assert!(told.contains("everything that follows [let] belongs to it"), "{word}: {told}");
    }
}

#[test]
fn all_problems_of_a_manifest_are_found_at_once() {
    let found = parse("x = 1\n[fiel.a]\n[parameters]\ny = 1\n[file.\"/x\"]\nmoed = 1\n").1;
    assert!(found.len() >= 4, "{found:?}");
    assert!(found.iter().all(|problem| problem.origin.is_some()));
}

#[test]
fn of_a_manifest_that_cannot_be_read_only_that_is_said() {
    let (manifest, found) = parse("x = \n[fiel.a]\n[parameters]\ny = 1\n");
    assert_eq!(found.iter().map(|problem| problem.code).collect::<Vec<_>>(), [Code::Syntax]);
    assert!(!manifest.complete);
}

#[test]
fn a_define_that_does_not_say_so_is_one_error() {
    let text = "doc = \"B.\"\n[parameters]\nx = { type = \"Any\", doc = \"X.\" }\n\
                [file.\"/srv/${title}\"]\ncontent = \"${title} ${nobody}\"\n";
    let (manifest, found) = parse_as("dropbox::box", text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].message.contains("only a define has `title`"), "{found:?}");
    assert!(found[0].help.as_ref().unwrap().contains("kind = \"define\""));
    assert_eq!((manifest.kind, manifest.complete), (ManifestKind::Define, false));
    let each = text.replace("${title}", "${each}").replace(" ${nobody}", "");
    assert_eq!(parse_as("dropbox::box", &each).0.kind, ManifestKind::Class);
}

#[test]
fn a_kind_that_is_not_known_is_one_error_and_taken_for_the_nearest() {
    let text = "kind = \"Define\"\n[parameters]\nx = { type = \"Any\", doc = \"X.\" }\n\
                [file.\"/srv/${title}\"]\ncontent = \"${title} ${nobody}\"\n";
    let (manifest, found) = parse_as("dropbox::box", text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].help.as_deref(), Some("did you mean `define`?"));
    assert_eq!((manifest.kind, manifest.complete), (ManifestKind::Define, false));
    for (word, help) in [("\"klass\"", "did you mean `class`?"), ("\"role\"", "a class needs no such line")] {
        let (manifest, found) = parse_as("dropbox::box", &text.replace("\"Define\"", word));
        assert!(found.len() == 1 && found[0].help.as_ref().unwrap().contains(help), "{found:?}");
        assert_eq!((manifest.kind, manifest.complete), (ManifestKind::Class, false));
    }
    assert!(parse_as("dropbox::box", "kind = 1\n").1[0].message.contains("not \"class\" or \"define\""));
}

#[test]
fn a_block_of_which_it_cannot_be_read_what_it_declares_declares_nothing() {
    for (key, is_read) in [("title", false), ("when", false), ("for_each", false), ("content", true)] {
        let text = format!("[file.\"/a\"]\n{key} = 'x ${{y'\n[file.\"/b\"]\n");
        let (manifest, found) = parse_as("a::b", &text);
        assert_eq!(
            found.iter().filter(|problem| problem.code == Code::Syntax).count(),
            1,
            "{key}: {found:?}"
        );
        assert_eq!((manifest.blocks.len() == 2, manifest.complete), (is_read, is_read), "{key}");
    }
}

#[test]
fn a_define_has_a_module_and_no_merge() {
    let (_, problems) = parse_as("nginx", "kind = \"define\"\n");
    assert!(problems[0].message.contains("the name of a define contains `::`"));
    let (manifest, problems) =
        parse_as("nginx::vhost", "kind = \"define\"\n[parameters.x]\ntype = \"Any\"\nmerge = \"deep\"\n");
    assert_eq!(manifest.kind, ManifestKind::Define);
    assert!(problems[0].message.contains("a define's parameter has no `merge`"), "{problems:?}");
}
