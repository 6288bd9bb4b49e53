//! Tests of explanations, word by word, over small repositories.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::facts::Facts;

use super::*;
use crate::compile::Program;
use crate::repo::Snapshot;

const NODE: (&str, &str) =
    ("inventory/alpin/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"production\"\n");
const ROLE: (&str, &str) = ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"m\"]\n");
const CLASS: (&str, &str) = (
    "modules/m/manifests/init.toml",
    "doc = \"M.\"\n[parameters]\n\
     port = { type = \"Integer\", doc = \"P.\" }\n\
     names = { type = \"Array[String]\", merge = \"unique\", doc = \"N.\" }\n\
     sites = { type = \"Hash[String, Hash[String, Any]]\", merge = { strategy = \"deep\", knockout_prefix = \"--\" }, doc = \"S.\" }\n\
     password = { type = \"Secret\", doc = \"P.\" }\n",
);
const KEYS: (&str, &str) = ("hieradata/keys.toml", "domain = { type = \"String\" }\n");

fn explained(files: &[(&str, &str)], key: &str, merge: Option<&Merge>) -> Explanation {
    let all = [NODE, ROLE, CLASS, KEYS].into_iter().chain(files.iter().copied());
    let snapshot = Snapshot::of_files(all.map(|(path, text)| (path, text.as_bytes())));
    let program = Program::new(&snapshot, None);
    let name = Certname::parse("web1.acme.example").unwrap();
    let node = program.inventory().get(&name).unwrap();
    let (reader, facts) = (snapshot.reader(), Facts::none());
    let profiles = |class: Option<&str>| program.profiles(&node.role, class);
    let lookup = Lookup::new(program.data(), &reader, node, &facts, "main", &profiles).unwrap();
    Explanation::of(&lookup, key, merge, &Excerpts::new(&snapshot, None))
}

#[test]
fn each_level_is_there_and_says_what_it_gave() {
    let files = [
        (
            "hieradata/common.toml",
            "[m.sites.a]\nroot = \"/a\"\n[m.sites.gone]\nroot = \"/g\"\n[m.sites.\"b.example\"]\nroot = \"/low\"\nport = 1\n",
        ),
        (
            "hieradata/customers/acme.toml",
            "[m.sites]\n\"--gone\" = true\n\"b.example\" = { root = \"/${node.stage}\" }\n",
        ),
        ("hieradata/roles/web.toml", "[m]\nport = 1\n"),
    ];
    let expected = "\
m::sites: Hash[String, Hash[String, Any]], declared in modules/m/manifests/init.toml:5
merge: deep, maps and lists of all levels at every depth; \"--\" knocks out
  node           hieradata/nodes/web1.acme.example.toml: no such file
  customer role  hieradata/customers/acme/roles/web.toml: no such file
  role           hieradata/roles/web.toml: does not have the key
  customer       hieradata/customers/acme.toml:1: {\"--gone\":true,\"b.example\":{\"root\":\"/production\"}}
                   used: \"b.example\"
                   takes away what less specific levels say: --gone
                   reads node.stage = \"production\"
  reseller       hieradata/resellers/alpin.toml: no such file
  stage          hieradata/stages/production.toml: no such file
  os             os/${facts.os.name}-${facts.os.release.major}.toml: skipped: no fact os.name
  os             os/${facts.os.family}.toml: skipped: no fact os.family
  common         hieradata/common.toml:1: {\"a\":{\"root\":\"/a\"},\"b.example\":{\"port\":1,\"root\":\"/low\"},\"gone\":{\"root\":\"/g\"}}
                   used: a, \"b.example\".port
                   overruled by customer: \"b.example\".root
                   knocked out by customer: gone
= {\"a\":{\"root\":\"/a\"},\"b.example\":{\"port\":1,\"root\":\"/production\"}}
  a.root = \"/a\"  from hieradata/common.toml:2 (common)
  \"b.example\".port = 1  from hieradata/common.toml:7 (common)
  \"b.example\".root = \"/production\"  from hieradata/customers/acme.toml:3 (customer)
";
    let explanation = explained(&files, "m::sites", None);
    assert_eq!(explanation.text(), expected);
    let json = explanation.json();
    assert_eq!(json["declared"]["merge"]["knockout_prefix"], "--");
    let step = |level: &str| {
        let steps = json["steps"].as_array().unwrap();
        steps.iter().find(|step| step["level"] == level).unwrap().clone()
    };
    assert_eq!((&step("node")["outcome"], &step("role")["outcome"]), (&"no-file".into(), &"no-key".into()));
    assert_eq!(step("os")["why"], "no fact os.name");
    assert_eq!(step("customer")["reads"][0]["value"], "production");
    let knocked = serde_json::json!({ "path": "gone", "fate": "knocked-out", "by": "customer" });
    assert!(step("common")["parts"].as_array().unwrap().contains(&knocked), "{json}");
    assert_eq!(json["parts"][2]["line"], 3);
}

#[test]
fn the_level_that_won_and_those_it_overrules_are_named() {
    let files = [
        ("hieradata/common.toml", "[m]\nport = 1\nnames = [\"a\", \"b\"]\n"),
        ("hieradata/roles/web.toml", "[m]\nport = 2\nnames = [\"b\"]\n"),
    ];
    let text = explained(&files, "m::port", None).text();
    assert!(text.contains("merge: first, only the most specific value\n"), "{text}");
    assert!(text.contains("roles/web.toml:2: 2, used\n"), "{text}");
    assert!(text.contains("common.toml:2: 1, overruled by role\n= 2\n"), "{text}");
    let text = explained(&files, "m::names", None).text();
    assert!(text.contains("roles/web.toml:3: [\"b\"], used\n"), "{text}");
    let lower = "used: [\"a\"]\n                   the same as role says: [\"b\"]\n";
    assert!(text.contains(lower), "{text}");
    let asked = explained(&files, "m::names", Some(&Merge::First)).text();
    assert!(asked.contains("asked for by --merge; it is declared as unique"), "{asked}");
    assert!(asked.contains("[\"a\",\"b\"], overruled by role"), "{asked}");
}

#[test]
fn a_wrong_answer_still_says_which_level_decided_and_what_null_hides() {
    let wrong = [
        ("hieradata/common.toml", "[m]\nport = 1\n"),
        ("hieradata/roles/web.toml", "[m]\nport = \"eighty\"\n"),
    ];
    let explanation = explained(&wrong, "m::port", None);
    let text = explanation.text();
    assert!(text.contains("roles/web.toml:2: \"eighty\", used\n"), "{text}");
    assert!(
        text.contains("common.toml:2: 1, overruled by role") && text.contains("= no answer: 1 error"),
        "{text}"
    );
    assert!(explanation.json()["errors"][0]["message"].as_str().unwrap().contains("m::port"));
    let hidden = [
        ("hieradata/common.toml", "[m.sites]\nb = { root = \"/b\", port = 1 }\n"),
        ("hieradata/customers/acme.toml", "[m.sites]\nb = { port = \"${null}\" }\n"),
    ];
    let text = explained(&hidden, "m::sites", None).text();
    assert!(
        text.contains("customers/acme.toml:1: {\"b\":{\"port\":null}}, hides what less specific"),
        "{text}"
    );
    assert!(
        text.contains("used: b.root\n") && text.contains("hidden by the null of customer: b.port\n"),
        "{text}"
    );
    let differ = [
        ("hieradata/common.toml", "[m.sites]\nb = \"${null}\"\n"),
        ("hieradata/roles/web.toml", "[m]\nsites = [1]\n"),
    ];
    let explanation = explained(&differ, "m::sites", None);
    assert!(
        explanation.text().contains("web.toml:2: [1]\n"),
        "nothing is said to be used: {}",
        explanation.text()
    );
    assert_eq!(explanation.json()["steps"][2]["outcome"], "undecided");
}

#[test]
fn programs_read_of_each_level_what_people_do() {
    let files = [
        (
            "hieradata/nodes/web1.acme.example.toml",
            "[m]\nport = 2\nnames = [\"a\"]\nsites = { \"--b\" = true, c = \"${null}\" }\n",
        ),
        ("hieradata/roles/web.toml", "[m]\nport = 2\nnames = [\"a\"]\nsites = { b = { root = \"/b\" } }\n"),
        ("hieradata/resellers/alpin.toml", "[m]\nsites = { c = { root = \"/c\" } }\n"),
        ("hieradata/common.toml", "[m]\nport = 1\nnames = [\"a\", \"b\"]\nsites = { \"--x\" = false }\n"),
    ];
    let expected = [
        ("m::port", "node used; role the-same node; common overruled node"),
        ("m::names", "node used; role the-same node; common mixed"),
        ("m::sites", "node mixed; role knocked-out node; reseller hidden node; common not-in-the-answer"),
    ];
    for (key, outcomes) in expected {
        let explanation = explained(&files, key, None);
        let (json, text) = (explanation.json(), explanation.text());
        let with_value = json["steps"].as_array().unwrap().iter().filter(|step| !step["value"].is_null());
        let told = with_value.map(|step| {
            let word = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
            let line = text.lines().find(|line| line.contains(&word("path"))).unwrap();
            let said = format!(", {}", word("outcome").replace('-', " "));
            assert_eq!(line.contains(&said), word("outcome") != "mixed", "{line}");
            format!("{} {} {}", word("level"), word("outcome"), word("by")).trim_end().to_owned()
        });
        assert_eq!(told.collect::<Vec<_>>().join("; "), outcomes, "{text}");
    }
    let sites = explained(&files, "m::sites", None).json();
    let fates = sites["steps"][0]["parts"].as_array().unwrap().iter().map(|part| part["fate"].clone());
    assert_eq!(fates.collect::<Vec<_>>(), ["takes-away", "hides"], "{sites}");
}

#[test]
fn secrets_and_what_they_read_are_masked() {
    let files = [
        (
            "hieradata/common.toml",
            "domain = \"acme.example\"\n[m]\npassword = \"hunter2-${lookup('domain')}\"\n",
        ),
        ("hieradata/roles/web.toml", "[m]\npassword = \"hunter22\"\n"),
    ];
    let explanation = explained(&files, "m::password", None);
    let (text, json) = (explanation.text(), explanation.json().to_string());
    assert!(!text.contains("hunter") && !json.contains("hunter"), "{text}\n{json}");
    assert!(text.contains("reads lookup('domain') = \"acme.example\""), "{text}");
    assert!(text.contains("[sensitive], overruled by role"), "{text}");
}

#[test]
fn what_holds_without_data_is_the_answer() {
    let origin = Arc::new(Origin::locate(&"modules/m/manifests/init.toml".into(), "\n\n", 2..2));
    let default = || Some(FallbackValue::Default { value: "x".into(), origin: origin.clone() });
    let excerpts = Excerpts::new(&Snapshot::of_files(Vec::<(&str, Vec<u8>)>::new()), None);
    let of = |files: &[(&str, &str)], absent| explained(files, "m::port", None).or(absent, &excerpts);
    let explanation = of(&[], default());
    let last = explanation.text().lines().last().unwrap().to_owned();
    assert_eq!(last, "= \"x\", the default (modules/m/manifests/init.toml:3): no level has the key");
    assert_eq!(explanation.json()["default"]["line"], 3);
    let null = [("hieradata/common.toml", "[m]\nport = \"${null}\"\n")];
    assert!(
        of(&null, default())
            .text()
            .ends_with("the default (modules/m/manifests/init.toml:3): hieradata/common.toml:2 says null\n")
    );
    let required = of(&[], Some(FallbackValue::Required));
    assert_eq!(required.json()["is_required"], true);
    assert_eq!(explanation.json()["is_required"], false);
    let required = required.text();
    assert!(
        required.ends_with("= not found: no level has the key, and the parameter has no default\n"),
        "{required}"
    );
}
