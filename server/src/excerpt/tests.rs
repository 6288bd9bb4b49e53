//! Puts a canary into every value that is secret or may be meant as one, and checks everything that is reported about a
//! repository.

use std::sync::Arc;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;

use super::Excerpts;
use crate::check::check;
use crate::compile::{Program, compile};
use crate::diagnose::{self, Colour};
use crate::diagnostic::Diagnostic;
use crate::explain::Explanation;
use crate::language::merge::Merge;
use crate::lookup::Lookup;
use crate::repo::Snapshot;

mod shown;

/// No four consecutive letters of it occur in any message.
const CANARY: &str = "xQ7zWv9kJp3bYh";

type SampleFiles<'a> = Vec<(&'a str, String)>;

#[test]
fn only_what_is_in_the_folder_of_manifests_is_masked_like_one() {
    let is_manifest = |path| super::ExcerptKind::of(path) == super::ExcerptKind::Manifest;
    assert!(is_manifest("modules/m/manifests/a/init.toml"));
    for path in ["modules/m/templates/manifests/x.hbs", "modules/m/files/manifests/x.toml"] {
        assert!(!is_manifest(path), "{path}");
    }
}

/// A repository with a node whose role has one profile, which includes the class `m`.
fn repository(overlay: SampleFiles<'_>) -> Snapshot {
    let mut files: SampleFiles<'_> = vec![
        ("inventory/alpin/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n".into()),
        ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::web\"]\n".into()),
        ("modules/profile/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"m\"]\n".into()),
        ("modules/m/manifests/init.toml", class("Secret")),
        (
            "modules/m/manifests/d.toml",
            "kind = \"define\"\ndoc = \"D.\"\n[parameters]\npw = { type = \"Secret\", doc = \"P.\" }\n\
             port = { type = \"Port\", doc = \"P.\" }\n"
                .into(),
        ),
    ];
    for (path, text) in overlay {
        files.retain(|(other, _)| *other != path);
        files.push((path, text));
    }
    Snapshot::of_files(files.into_iter().map(|(path, text)| (path, text.into_bytes())))
}

fn class(of: &str) -> String {
    format!("doc = \"M.\"\n[parameters]\np = {{ type = \"{of}\", merge = \"deep\", doc = \"P.\" }}\n")
}

/// Everything that people and programs are told about a repository.
fn told(snapshot: &Snapshot) -> (String, Vec<Diagnostic>) {
    let program = Program::new(snapshot, None);
    let mut problems = check(&program).all();
    let mut out = String::new();
    let name = Certname::parse("web1.acme.example").unwrap();
    let Some(node) = program.inventory().get(&name) else { return (out, problems) };
    let (reader, facts) = (snapshot.reader(), Facts::none());
    let profiles = |class: Option<&str>| program.profiles(&node.role, class);
    match compile(&program, node, &facts, "main", b"k") {
        Ok(compiled) => out += &compiled.catalog.to_json_masked().to_string(),
        Err(more) => problems.extend(more),
    }
    let excerpts = Excerpts::new(snapshot, None);
    if let Ok(lookup) = Lookup::new(program.data(), &reader, node, &facts, "main", &profiles) {
        for merge in [None, Some(Merge::Hash), Some(Merge::Unique), Some(Merge::First)] {
            let explanation = Explanation::of(&lookup, "m::p", merge.as_ref(), &excerpts);
            out += &explanation.text();
            out += &explanation.json().to_string();
            if let Ok(Some(found)) = lookup.get_merged("m::p", merge.as_ref()) {
                out += &found.shown();
            }
        }
    }
    let mut json = Vec::new();
    diagnose::json_lines(&problems, &mut json).unwrap();
    out += &String::from_utf8(json).unwrap();
    for problem in &problems {
        out += &diagnose::text(problem, &|origin| excerpts.line(origin), Colour::Plain);
    }
    (out, problems)
}

/// The first four consecutive letters of the canary that occur in a text.
fn sings(text: &str) -> Option<&str> {
    let parts = (0..=CANARY.len() - 4).map(|at| &CANARY[at..at + 4]);
    parts.into_iter().find(|part| text.contains(part))
}

fn silent(what: &str, files: SampleFiles<'_>, wants_a_problem: bool) {
    let shown = files.iter().map(|(path, text)| format!("== {path}\n{text}")).collect::<String>();
    let (out, problems) = told(&repository(files));
    assert_eq!(sings(&out), None, "{what}\n{shown}\n{out}");
    assert!(!wants_a_problem || !problems.is_empty(), "{what}: nothing is wrong\n{shown}\n{out}");
}

const TYPES: &[&str] = &[
    "Secret",
    "Sensitive[String[50]]",
    "Sensitive[Pattern['^a+$']]",
    "Sensitive[Enum[a, b]]",
    "Sensitive[Integer]",
    "Sensitive[Boolean]",
    "Sensitive[Struct[{a => Integer}]]",
    "Sensitive[Array[Integer]]",
    "Sensitive[Tuple[Integer]]",
    "Optional[Sensitive[Integer]]",
    "NotUndef[Sensitive[Integer]]",
    "Variant[String, Sensitive[String]]",
    "Variant[Sensitive[String[50]], Integer]",
    "Variant[Undef, Struct[{pw => Secret, port => Port}]]",
    "Variant[Struct[{pw => Secret}], Struct[{port => Port}]]",
    "Array[Secret]",
    "Array[Variant[Sensitive[String[50]], Integer]]",
    "Array[Array[Secret]]",
    "Hash[String, Secret]",
    "Hash[String, m::d]",
    "Hash[String, Variant[m::d, Boolean]]",
    "Struct[{pw => Secret}]",
    "Struct[{pw => Secret, port => Port}]",
    "Tuple[Secret, Secret]",
    "Tuple[Integer, Sensitive[Integer], Integer]",
    "Optional[Tuple[String, Integer, Secret]]",
    "Variant[Tuple[Integer, Secret], Tuple[String, String, String, Secret]]",
    "Array[Tuple[Integer, Secret]]",
    "Hash[String, Tuple[Port, Secret]]",
    "Struct[{a => Tuple[Port, Secret]}]",
    "Tuple[Sensitive[Integer]]",
    "m::d",
    "Optional[m::d]",
];

/// Values in all notations that someone may use; `C` is the canary.
const VALUES: &[&str] = &[
    "\"C\"",
    "'C'",
    "\"\"\"\nC\nC\n\"\"\"",
    "'''C'''",
    "[\"C\"]",
    "[[\"C\"], 'C']",
    "[\n  \"C\", # C\n  \"C\",\n]",
    "{ pw = \"C\" }",
    "{ pw = \"C\", port = 99999 }",
    "{ pw = \"C\", port = 80 } # C",
    "{ pww = \"C\" }",
    "{ a = \"C\" }",
    "{ a = { pw = \"C\" } }",
    "{ a = { pw = [\"C\"] } }",
    "{ a = [\"C\"], b = \"C\" }",
    "\"${C}\"",
    "\"a${C\"",
    "\"${C.x + 1}\"",
    "\"${'C' + 1}\"",
    "\"${lookup('C')}\"",
    "\"${node.certname + 'C'}\"",
    "\"${facts.C}\"",
    "C",
    "\"C",
    "'C",
    "\"\"\"C",
    "C\"",
    "\"C\" \"C\"",
    "\"\\C\"",
    "[\"C\"",
    "{ pw = \"C\"",
    "{ pw = C }",
    "“C”",
    "true\nq = \"C\"",
    "true\np = \"C\"",
    "true\np = C",
    "true\n[m.q]\nC = \"C\"",
    "true\nq = 1 # C",
    "",
    "\n\"C\"",
    "$C",
    "\"ENC[age,C]\"",
];

#[test]
fn b2_the_keys_of_what_should_be_no_map_are_not_told() {
    for of in
        ["Secret", "Optional[Secret]", "Sensitive[Integer]", "Variant[Secret, Integer]", "Array[Secret]"]
    {
        for value in
            ["[m.p]\nC = 1\n", "[m]\np.C = 1\n", "[m]\np = { C = 1 }\n", "[m.p.C]\nC = { C = [1] }\n"]
        {
            let data = value.replace('C', CANARY);
            let files = vec![("modules/m/manifests/init.toml", class(of)), ("hieradata/common.toml", data)];
            silent(of, files, true);
        }
    }
}

#[test]
fn no_value_of_the_data_is_told_whatever_its_type_and_its_shape() {
    for of in TYPES {
        for value in VALUES {
            let value = value.replace('C', CANARY);
            let data = format!("[m]\np = {value}\n");
            let files = vec![("modules/m/manifests/init.toml", class(of)), ("hieradata/common.toml", data)];
            silent(of, files, false);
        }
    }
}

#[test]
fn of_a_list_with_too_few_or_too_many_elements_nothing_is_told() {
    // The canary is where the secret would be after an element was forgotten or added; `x` is the rest.
    const SHAPES: &[(&str, &[&str])] = &[
        ("Tuple[String, Secret]", &["[\"C\"]", "[\"C\", \"C\", \"C\"]", "[[\"C\"]]", "[{ a = \"C\" }]"]),
        ("Tuple[String, Port, Secret]", &["[\"x\", \"C\"]", "[\"C\"]", "[\"x\", 1, 2, \"C\"]"]),
        ("Tuple[Secret, String]", &["[\"C\"]", "[\"x\", \"C\", \"x\"]"]),
        ("Optional[Tuple[String, Secret]]", &["[\"C\"]", "[\n  \"C\", # x\n]"]),
        ("Variant[Tuple[String, Secret], Integer]", &["[\"C\"]", "[\"C\", \"C\", \"x\"]"]),
        (
            "Variant[Tuple[String, Secret], Tuple[String, String, String, Secret]]",
            &["[\"C\"]", "[\"x\", \"C\", \"C\"]"],
        ),
        (
            "Array[Tuple[String, Secret]]",
            &["[[\"C\"]]", "[[\"x\", \"x\"], [\"C\", \"C\", \"C\"]]", "[\"x\", \"C\"]"],
        ),
        ("Hash[String, Tuple[String, Secret]]", &["{ a = [\"C\"] }", "{ a = [\"x\", \"x\"], b = [\"C\"] }"]),
        ("Struct[{t => Tuple[String, Secret]}]", &["{ t = [\"C\"] }", "{ u = [\"x\", \"C\"] }"]),
        ("Tuple[Tuple[String, Secret], Integer]", &["[[\"C\"], 1]", "[[\"x\", \"C\"]]"]),
    ];
    for (of, values) in SHAPES {
        for value in *values {
            let data = format!("[m]\np = {}\n", value.replace('C', CANARY));
            let files = vec![("modules/m/manifests/init.toml", class(of)), ("hieradata/common.toml", data)];
            silent(of, files, true);
        }
    }
}

#[test]
fn parts_of_several_levels_are_masked_before_and_after_they_are_joined() {
    let levels = [
        ("{ pw = \"C\" }", "{ port = 80 }"),
        ("{ a = { pw = \"C\" } }", "{ a = { port = 80 } }"),
        ("\"C\"", "[\"C\"]"),
        ("\"C\"", "{ pw = \"C\" }"),
        ("[\"C\"]", "[\"C\", \"C\"]"),
        ("\"C1\"", "\"C2\""),
    ];
    for of in TYPES {
        for (low, high) in levels {
            let data = |value: &str| format!("[m]\np = {}\n", value.replace('C', CANARY));
            let files = vec![
                ("modules/m/manifests/init.toml", class(of)),
                ("hieradata/common.toml", data(low)),
                ("hieradata/nodes/web1.acme.example.toml", data(high)),
                ("hieradata/profiles/web.toml", data(low)),
            ];
            silent(of, files, false);
        }
    }
}

#[test]
fn two_profiles_that_differ_do_not_say_in_what() {
    let profile = |name: &str| format!("doc = \"P.\"\n[class.m]\np = \"{CANARY}{name}\"\n");
    silent(
        "two values given",
        vec![
            (
                "modules/role/manifests/web.toml",
                "doc = \"Web.\"\ninclude = [\"profile::a\", \"profile::b\"]\n".into(),
            ),
            ("modules/profile/manifests/a.toml", profile("a")),
            ("modules/profile/manifests/b.toml", profile("b")),
        ],
        true,
    );
    let data = |name: &str| format!("[m]\np = \"{CANARY}{name}\"\n");
    silent(
        "two files of profiles",
        vec![
            ("modules/m/manifests/init.toml", class("Secret").replace("deep", "first")),
            (
                "modules/role/manifests/web.toml",
                "doc = \"Web.\"\ninclude = [\"profile::a\", \"profile::b\"]\n".into(),
            ),
            ("modules/profile/manifests/a.toml", "doc = \"P.\"\ninclude = [\"m\"]\n".into()),
            ("modules/profile/manifests/b.toml", "doc = \"P.\"\ninclude = [\"m\"]\n".into()),
            ("hieradata/profiles/a.toml", data("a")),
            ("hieradata/profiles/b.toml", data("b")),
        ],
        true,
    );
}

#[test]
fn keys_that_are_misspelt_or_unknown_hide_their_value() {
    for data in [
        "[m]\npp = \"C\"\n",
        "[mm]\np = \"C\"\n",
        "[m.q.r]\ns = \"C\"\n",
        "secret = \"C\"\n",
        "m = \"C\"\n",
        "m.pp = \"C\"\n",
        "[[m]]\np = \"C\"\n",
        "[m]\n\"p q\" = \"C\"\n",
        "[profile.webb]\np = \"C\"\n",
        "[profile.web]\nx = \"C\"\n[profile.web.y]\nz = [\"C\"]\n",
        "[m.d]\npw = \"C\"\n",
        "[holdfast]\npolicy = [\"C\"]\n",
        "[holdfast]\nsecret = \"C\"\n",
        "[m]\np = \"x\"\n[m]\np = \"C\"\n",
        "[m]\np = \"x\"\np = \"C\"\n",
        "\"m::p\" = \"C\"\n",
        "m::p = \"C\"\n",
        "[m]\np: \"C\"\n",
        "m:\n  p: C\n",
        "<<<<<<< HEAD\n[m]\np = \"C\"\n=======\n[m]\np = \"C\"\n>>>>>>> C\n",
        "[m\np = \"C\"\n",
        "[m]\np = '\nC=C\n'\n",
        "[m]\np = \"\"\"\nC=C\nC==\n\"\"\n[m]\nC = C\n",
        "[m]\np == \"C\"\n",
        "[m]\n= \"C\"\n",
        "[m]\np \"C\"\n",
        "[m]\nx.y.z = 1 p = \"C\"\n",
    ] {
        silent("misspelt", vec![("hieradata/common.toml", data.replace('C', CANARY))], true);
    }
}

/// If each byte were looked up among all texts of the line, this would take hours.
#[test]
fn a_line_of_a_megabyte_that_cannot_be_read_costs_what_it_is_long() {
    for (begin, again) in [("[m]\np = [", "\"a\","), ("", "\"a\" ="), ("", "\"a\".")] {
        let text = format!("{begin}{}", again.repeat(250_000));
        let snapshot = repository(vec![("hieradata/common.toml", text)]);
        let masked = Excerpts::new(&snapshot, None).file("hieradata/common.toml").unwrap();
        let line = snapshot.get("hieradata/common.toml").unwrap();
        let end = line.bytes().len() - 1;
        let origin = Origin::locate(
            &"hieradata/common.toml".into(),
            std::str::from_utf8(line.bytes()).unwrap(),
            end..end,
        );
        assert!(!masked.line(&origin).unwrap().text.contains("\"a\""), "{begin}{again}");
    }
}

#[test]
fn a_value_beside_the_declaration_of_a_key_is_not_shown() {
    for keys in [
        "password = { type = \"Secret\", default = \"C\", doc = \"P.\" }\n",
        "[password]\ntype = \"Secret\"\nvalue = \"C\"\n",
        "[password]\ntype = \"Secret\"\nvalue.deep = [\"C\"]\n",
        "[password]\nvalue = \"C\"\n",
        "password = \"C\"\n",
        "[[password]]\nvalue = \"C\"\n",
        "password = { type = \"Secret\", default = \"C\"\n",
        "[password]\ntype = \"Secret\"\nvalue = C\n",
        "[password]\ntype = \"Secret\"\ntype = \"C\"\n",
        "[password]\ntype = \"Secret\"\n# \"C\"\nvalue = 1 # C\n",
    ] {
        silent("a key", vec![("hieradata/keys.toml", keys.replace('C', CANARY))], true);
    }
}

/// Parameters and resources of a manifest that contain the canary.
const MANIFESTS: &[&str] = &[
    "[parameters]\nq = { type = \"Secret\", default = [\"C\"], doc = \"Q.\" }\n",
    "[parameters]\nq = { type = \"Sensitive[Integer]\", default = \"C\", doc = \"Q.\" }\n",
    "[parameters]\nq = { type = \"Sensitive[Integer]\", default = \"${C}\", doc = \"Q.\" }\n",
    "[parameters]\nq = { type = \"Sensitive[Integer]\", defualt = \"C\", doc = \"Q.\" }\n",
    "[parameters]\nq = { type = \"Sensitve[Integer]\", default = \"C\", doc = \"Q.\" }\n",
    "[parameters]\nq = { type = \"Secret\", default = \"C, doc = \"Q.\" }\n",
    "[parameters]\nq = { type = \"Secret\", default = C, doc = \"Q.\" }\n",
    "[parameters]\nq = { type = \"Secret\", default = \"C\", doc = \"Q.\", x = 1 }\n",
    "[parameters.q]\ntype = \"Secret\"\ndoc = \"Q.\"\ndefault = C\n",
    "[parameters]\nq = \"C\"\n",
    "[parameters]\nq = { type = \"Secret\", default = \"x\", doc = \"Q.\" }\n[file.\"/x\"]\nwhen = \"${q == 'C'}\"\n",
    "[parameters]\nq = { type = \"Secret\", default = \"x\", doc = \"Q.\" }\n[let]\nis = \"${q == 'C'}\"\n\
     [file.x]\ntitle = \"/${is && 'C' == 'C'}\"\n",
    "[parameters]\nq = { type = \"Secret\", doc = \"Q.\" }\n[file.\"/x\"]\ncontent = \"${q == 'C' ? 'a' : 'b'}\"\ncontent = \"b\"\n",
    "[parameters]\nq = { type = \"Secret\", doc = \"Q.\" }\n[file.\"/x\"]\nwhen = \"${q == 'C'}\" x\n",
    "[parameters]\nq = { type = \"Secret\", doc = \"Q.\" \n[file.\"/x\"]\nwhen = \"${q == 'C'}\"\n",
    "[parameters]\nq = { type = \"Secret\", doc = \"Q.\" }\n[file.\"/x\"]\nrequire = \"file[C${q}]\"\n",
    "[exec.x]\ncommand = \"trument = { TOKEN = \"C\", O = \"secret\" }\n",
    "[group.g]\npassword = \"C\"\n",
    "[file.\"/x\"]\nenvironment = { TOKEN = \"C\" }\n",
    "[class.m]\np = [\"C\"]\n",
    "[class.m]\np = { x = \"C\" }\n",
    "[class.m]\npp = \"C\"\n",
    "[class.mm]\np = \"C\"\n",
    "[class.m]\np = \"C\"\nwhen = \"x\"\n",
    "[\"m::d\".x]\npw = [\"C\"]\nport = 80\n",
    "[\"m::d\".x]\npw = \"C\"\nport = 99999\n",
    "[\"m::d\".x]\npww = \"C\"\nport = 80\n",
    "[\"m::dd\".x]\npw = \"C\"\n",
    "[\"m::d\"]\nx = { pw = \"C\", port = 99999 }\n",
    "[\"m::d\".x]\nfor_each = { a = { pw = \"C\", port = 99999 } }\n\"*\" = \"${each.value}\"\n",
    "[\"m::d\".x]\n\"*\" = { pw = [\"C\"], port = 80 }\n",
    "[\"m::d\".x]\n\"*\" = { pw = \"C\", port = 80, notify = \"x\" }\n",
    "[let]\nv = \"C\"\n[\"m::d\".x]\npw = \"${[v]}\"\nport = 80\n",
    "[let]\nv = \"${'C' + 1}\"\n[\"m::d\".x]\npw = \"${v}\"\nport = 80\n",
    "[let]\nv = \"${'C'\"\n[\"m::d\".x]\npw = \"${v}\"\nport = 80\n",
    "[user.x]\npassword = [\"C\"]\n",
    "[user.x]\npassword = \"C\"\nunknown = 1\n",
    "[user.x]\npassword = \"${'C' + 1}\"\n",
    "[user.x]\npassword = \"${C}\"\n",
    "[user.x]\npasswrod = \"C\"\n",
    "[user.x]\npassword = C\n",
    "[user]\nx = { password = \"C\", uid = \"x\" }\n",
    "[userr.x]\npassword = \"C\"\n",
    "[user.a]\npassword = \"C1\"\n[user.b]\ntitle = \"a\"\npassword = \"C2\"\n",
    "[defaults.user]\npassword = [\"C\"]\n[user.x]\n",
    "[exec.x]\ncommand = \"true\"\nalways = true\nenvironment = { PW = [\"C\"] }\n",
    "include = [\"m\"]\n[exec.x]\ncommand = \"${lookup('m::p')}\"\nalways = true\n",
    "include = [\"m\"]\n[file.\"/x\"]\nmode = \"${lookup('m::p')}\"\nowner = \"${lookup('m::p')}\"\n",
    "include = [\"m\"]\n[file.\"/x\"]\ncontent = \"${lookup('m::p').split('7').join('-')}\"\nmode = \"9\"\n",
    "include = [\"m\"]\n[file.\"/x\"]\ntitle = \"${lookup('m::p')}\"\n",
];

#[test]
fn no_value_of_a_manifest_that_goes_to_a_secret_is_told() {
    let data = format!("[m]\np = \"{CANARY}\"\n");
    for manifest in MANIFESTS {
        let text = format!("doc = \"Web.\"\n{}", manifest.replace('C', CANARY));
        let files =
            vec![("modules/profile/manifests/web.toml", text), ("hieradata/common.toml", data.clone())];
        silent("manifest", files, true);
    }
}

#[test]
fn a_masked_line_keeps_its_place_and_its_caret() {
    let data = "[m]\np = { pw = \"long and secret\", port = 99999 } # remark\n";
    let files = vec![
        ("modules/m/manifests/init.toml", class("Struct[{pw => Secret, port => Port}]")),
        ("hieradata/common.toml", data.to_owned()),
    ];
    let snapshot = repository(files);
    let problems = check(&Program::new(&snapshot, None)).all();
    let excerpts = Excerpts::new(&snapshot, None);
    let shown = diagnose::text(&problems[0], &|origin| excerpts.line(origin), Colour::Plain);
    let expected = "\
 --> hieradata/common.toml:2:38
  |
2 | p = { pw = [sensitive], port = 99999 } 
  |                                ^^^^^
  |";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn a_file_beyond_a_limit_shows_no_value() {
    let deep = ["a"; 129].join(".");
    let tables: String = (0..20_001).map(|n| format!("[a{n}]\n")).collect();
    for text in [
        format!("{deep} = \"{CANARY}\"\n"),
        format!("[m]\np = \"{CANARY}\"\n{deep} = 1\n"),
        format!("{tables}[m]\np = \"{CANARY}\"\n"),
    ] {
        let snapshot = repository(vec![("hieradata/common.toml", text.clone())]);
        let excerpts = Excerpts::new(&snapshot, None);
        let file = excerpts.file("hieradata/common.toml").unwrap();
        let at = text.find(CANARY).unwrap();
        let place = Origin::locate(&"hieradata/common.toml".into(), &text, at..at);
        assert_eq!(sings(&file.line(&place).unwrap().text), None, "{}", &text[..20]);
        silent("beyond a limit", vec![("hieradata/common.toml", text)], true);
    }
}

#[test]
fn a_line_without_end_is_cut_around_what_is_meant() {
    let text: Arc<str> = format!("x = \"{}\" y {}", "a".repeat(9_000), "b".repeat(9_000)).into();
    let at = text.find(" y ").unwrap() + 1;
    let origin = Origin::locate(&"a".into(), &text, at..at + 1);
    let line = super::MaskedFile::open(&text).line(&origin).unwrap();
    assert_eq!(&line.text[line.marked.clone()], "y");
    assert!(line.text.len() < 1_000, "{}", line.text.len());
}
