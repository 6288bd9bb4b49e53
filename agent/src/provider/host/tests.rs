//! What is planned for a name, and what the file says afterwards.

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::Value;

use super::*;
use crate::content;
use crate::provider::CatalogClaims;
use crate::provider::trial::{self, want};
use crate::system::double::Double;

const TEXT: &str = "127.0.0.1 localhost\n10.0.0.1\tdb.acme.example primary db # the database\n";

fn machine(text: &str) -> Double {
    let double = Double::new(|_| None);
    double.put(PATH, text);
    double
}

fn host(ip: &str, aliases: Option<&[&str]>) -> Host {
    let list = |names: &[&str]| Value::from(names.iter().map(|name| Value::from(*name)).collect::<Vec<_>>());
    let aliases = aliases.map(|names| ("aliases", list(names)));
    want("db.acme.example", &[("ip", ip.into())].into_iter().chain(aliases).collect::<Vec<_>>())
}

fn changes(machine: &Double, want: &Host) -> Vec<String> {
    trial::said(&trial::changes(&Hosts, machine, want))
}

fn corrected(text: &str, want: &Host) -> String {
    let machine = machine(text);
    trial::correct(&Hosts, &machine, want).unwrap();
    assert_eq!(changes(&machine, want), [""; 0]);
    std::fs::read_to_string(machine.root.path().join("etc/hosts")).unwrap()
}

#[test]
fn what_is_as_wanted_needs_nothing() {
    for aliases in [None, Some(&["db", "primary"][..])] {
        assert_eq!(changes(&machine(TEXT), &host("10.0.0.1", aliases)), [""; 0]);
    }
    let absent = want::<Host>("elsewhere", &[("ensure", "absent".into())]);
    assert_eq!(changes(&machine(TEXT), &absent), [""; 0]);
}

#[test]
fn one_address_on_two_lines_is_one_address() {
    let doubled = "10.0.0.1 db.acme.example db\n10.0.0.1 db.acme.example\n";
    assert_eq!(changes(&machine(doubled), &host("10.0.0.1", None)), [""; 0]);
    let said = changes(&machine(&format!("{doubled}10.0.0.3 db.acme.example\n")), &host("10.0.0.1", None));
    assert_eq!(said, ["ip: 10.0.0.1, 10.0.0.3 -> 10.0.0.1"]);
}

#[test]
fn aliases_are_those_of_all_lines_of_the_name() {
    let two = "10.0.0.1 db.acme.example x\n10.0.0.1 db.acme.example old x\n";
    assert_eq!(changes(&machine(two), &host("10.0.0.1", Some(&["x"]))), ["aliases: old x -> x"]);
    assert_eq!(
        corrected(two, &host("10.0.0.1", Some(&["x"]))),
        "10.0.0.1\tdb.acme.example x\n10.0.0.1\told x\n"
    );
    assert_eq!(changes(&machine(two), &host("10.0.0.1", Some(&["x", "old"]))), [""; 0]);
    assert_eq!(changes(&machine(two), &host("10.0.0.1", None)), [""; 0]);
}

#[test]
fn each_property_is_seen_and_corrected_by_itself() {
    let wanted = host("10.0.0.2", None);
    assert_eq!(changes(&machine(TEXT), &wanted), ["ip: 10.0.0.1 -> 10.0.0.2"]);
    assert_eq!(
        corrected(TEXT, &wanted),
        "127.0.0.1 localhost\n10.0.0.1\tprimary db # the database\n10.0.0.2\tdb.acme.example\n"
    );
    let said = trial::changes(&Hosts, &machine(TEXT), &wanted);
    assert_eq!(said[0].note.as_deref(), Some("`primary`, `db` on the same line keep their address"));
    let wanted = host("10.0.0.2", Some(&["db", "primary"]));
    assert_eq!(changes(&machine(TEXT), &wanted), ["ip: 10.0.0.1 -> 10.0.0.2"]);
    assert_eq!(trial::changes(&Hosts, &machine(TEXT), &wanted)[0].note, None);
    let wanted = host("10.0.0.1", Some(&["db"]));
    assert_eq!(changes(&machine(TEXT), &wanted), ["aliases: db primary -> db"]);
    assert_eq!(corrected(TEXT, &wanted), TEXT.replace("primary db", "db"));
    let twice = format!("{TEXT}10.0.0.7 db.acme.example\n");
    let wanted = host("10.0.0.1", None);
    assert_eq!(changes(&machine(&twice), &wanted), ["ip: 10.0.0.1, 10.0.0.7 -> 10.0.0.1"]);
    assert_eq!(corrected(&twice, &wanted), TEXT);
}

#[test]
fn a_name_comes_and_goes() {
    assert_eq!(
        corrected("127.0.0.1 localhost", &host("fd00::1", Some(&["db"]))),
        "127.0.0.1 localhost\nfd00::1\tdb.acme.example db\n"
    );
    let absent = want::<Host>("db.acme.example", &[("ensure", "absent".into())]);
    assert_eq!(changes(&machine(TEXT), &absent), ["ensure: present -> absent"]);
    assert_eq!(corrected(TEXT, &absent), "127.0.0.1 localhost\n10.0.0.1\tprimary db # the database\n");
    let said = trial::changes(&Hosts, &machine(TEXT), &absent);
    assert!(said[0].note.as_deref().unwrap().contains("`primary`, `db`"), "{said:?}");
    let names = Value::from(vec![Value::from("db"), "primary".into()]);
    let absent = want::<Host>("db.acme.example", &[("ensure", "absent".into()), ("aliases", names)]);
    assert_eq!(corrected(TEXT, &absent), "127.0.0.1 localhost\n");
    let alias = want::<Host>("db", &[("ip", "10.0.0.5".into())]);
    assert_eq!(changes(&machine(TEXT), &alias), ["ensure: an alias, of 10.0.0.1 -> present"]);
    // If the file is missing, it is created.
    let bare = Double::new(|_| None);
    bare.put("/etc/hostname", "");
    trial::correct(&Hosts, &bare, &alias).unwrap();
    assert_eq!(std::fs::read_to_string(bare.root.path().join("etc/hosts")).unwrap(), "10.0.0.5\tdb\n");
}

#[test]
fn a_name_that_is_anothers_alias_is_refused() {
    let all = [
        TypedResource::Host(host("10.0.0.1", Some(&["db"]))),
        TypedResource::Host(want("db", &[("ip", "10.0.0.2".into())])),
    ];
    let named = CatalogClaims::new(&all);
    let machine = machine(TEXT);
    let reading = Reading {
        machine: &machine,
        content: &content::Nowhere,
        named: &named,
        state_dir: std::path::Path::new("/none"),
    };
    let texts = Hosts.observe(&[], reading).unwrap();
    let plan = |typed: &TypedResource| match typed {
        TypedResource::Host(want) => Hosts.plan(want, &texts, reading),
        other => panic!("{other:?}"),
    };
    assert!(plan(&all[0]).is_ok());
    let refused = plan(&all[1]).unwrap_err().to_string();
    assert!(refused.contains("host[db.acme.example]"), "{refused}");
}
