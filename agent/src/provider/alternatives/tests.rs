//! What is planned from real answers of update-alternatives.

use super::*;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, failed, said};

/// The answer on Debian 12, with two editors.
const QUERY: &str = "\
Name: editor
Link: /usr/bin/editor
Slaves:
 editor.1.gz /usr/share/man/man1/editor.1.gz
Status: auto
Best: /bin/nano
Value: /bin/nano

Alternative: /bin/nano
Priority: 40
Slaves:
 editor.1.gz /usr/share/man/man1/nano.1.gz

Alternative: /usr/bin/vim.tiny
Priority: 15
";

fn machine(answer: &str) -> Double {
    let answer = answer.to_owned();
    let double = Double::new(move |invocation| match invocation.command.to_string().as_str() {
        "update-alternatives --query editor" => Some(said(&answer)),
        "update-alternatives --query nothing" => Some(failed(2, "error: no alternatives for nothing")),
        _ => Some(said("")),
    });
    std::fs::create_dir_all(double.root.path().join("usr/bin")).unwrap();
    std::os::unix::fs::symlink("/etc/alternatives/editor", double.root.path().join("usr/bin/editor"))
        .unwrap();
    double
}

fn changes(answer: &str, path: &str) -> Vec<String> {
    trial::said(&trial::changes(&Choices, &machine(answer), &want("editor", &[("path", path.into())])))
}

fn by_hand(path: &str) -> String {
    QUERY.replace("auto", "manual").replace("Value: /bin/nano", &format!("Value: {path}"))
}

#[test]
fn what_is_chosen_is_compared_and_so_is_who_chose() {
    assert_eq!(changes(QUERY, "auto"), [""; 0]);
    assert_eq!(changes(QUERY, "/usr/bin/vim.tiny"), ["path: auto -> /usr/bin/vim.tiny"]);
    assert_eq!(changes(QUERY, "/bin/nano"), ["path: auto -> /bin/nano"], "an upgrade could change it");
    let vim = by_hand("/usr/bin/vim.tiny");
    assert_eq!(changes(&vim, "/usr/bin/vim.tiny"), [""; 0]);
    assert_eq!(changes(&vim, "auto"), ["path: /usr/bin/vim.tiny -> auto"]);
    let astray = QUERY.replace("Value: /bin/nano", "Value: none");
    assert_eq!(changes(&astray, "auto"), ["path: none -> auto"]);
}

#[test]
fn it_is_chosen_by_the_systems_own_command() {
    let ran = |answer: &str, path: &str| {
        let machine = machine(answer);
        trial::correct(&Choices, &machine, &want("editor", &[("path", path.into())])).unwrap();
        machine.ran()
    };
    let set = "update-alternatives --set editor /usr/bin/vim.tiny";
    assert_eq!(ran(QUERY, "/usr/bin/vim.tiny"), [set]);
    assert_eq!(ran(&by_hand("/usr/bin/vim.tiny"), "auto"), ["update-alternatives --auto editor"]);
}

#[test]
fn a_common_name_that_leads_elsewhere_is_drift() {
    let machine = machine(QUERY);
    let link = machine.root.path().join("usr/bin/editor");
    let wanted = want("editor", &[("path", "auto".into())]);
    std::fs::remove_file(&link).unwrap();
    let said = trial::said(&trial::changes(&Choices, &machine, &wanted));
    assert_eq!(said, ["path: /usr/bin/editor is not there -> auto"]);
    std::os::unix::fs::symlink("/bin/ed", &link).unwrap();
    let said = trial::said(&trial::changes(&Choices, &machine, &wanted));
    assert_eq!(said, ["path: /usr/bin/editor leads to /bin/ed -> auto"]);
    std::fs::remove_file(&link).unwrap();
    std::fs::write(&link, "").unwrap();
    assert!(trial::plan(&Choices, &machine, &wanted).unwrap_err().to_string().contains("is not a link"));
}

#[test]
fn what_no_package_has_brought_may_still_come() {
    let machine = machine(QUERY);
    let pending = |title: &str, path: &str| match trial::plan(
        &Choices,
        &machine,
        &want(title, &[("path", path.into())]),
    )
    .unwrap()
    {
        Plan::Pending(need) => need.why,
        other => panic!("{other:?}"),
    };
    assert!(pending("editor", "/usr/bin/emacs").contains("/bin/nano, /usr/bin/vim.tiny"));
    assert!(pending("nothing", "auto").contains("no alternatives `nothing`"));
}

#[test]
fn a_name_that_follows_and_leads_elsewhere_is_drift() {
    let machine = machine(QUERY);
    let wanted = want("editor", &[("path", "auto".into())]);
    let said = || trial::said(&trial::changes(&Choices, &machine, &wanted));
    let page = "/usr/share/man/man1/nano.1.gz";
    assert_eq!(said(), [""; 0], "there is no manual that it could lead to");
    machine.put(page, "");
    let link = machine.root.path().join("usr/share/man/man1/editor.1.gz");
    let own = machine.root.path().join("etc/alternatives/editor.1.gz");
    assert_eq!(said(), ["path: /usr/share/man/man1/editor.1.gz is not there -> auto"]);
    std::os::unix::fs::symlink("/etc/alternatives/editor.1.gz", &link).unwrap();
    assert_eq!(said(), ["path: /etc/alternatives/editor.1.gz is not there -> auto"]);
    std::fs::create_dir_all(own.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/elsewhere", &own).unwrap();
    assert_eq!(said(), ["path: /etc/alternatives/editor.1.gz leads to /elsewhere -> auto"]);
    std::fs::remove_file(&own).unwrap();
    std::os::unix::fs::symlink(page, &own).unwrap();
    assert_eq!(said(), [""; 0]);
    std::fs::remove_file(&own).unwrap();
    std::fs::write(&own, "").unwrap();
    assert_eq!(said(), ["path: /etc/alternatives/editor.1.gz is a file and not a link -> auto"]);
}

#[test]
fn what_stands_in_the_place_of_a_name_that_follows_is_not_as_wanted() {
    let machine = machine(QUERY);
    machine.put("/usr/share/man/man1/nano.1.gz", "");
    let link = machine.root.path().join("usr/share/man/man1/editor.1.gz");
    let refused = || {
        let plan = trial::plan(&Choices, &machine, &want("editor", &[("path", "auto".into())]));
        plan.unwrap_err().to_string()
    };
    std::fs::write(&link, "").unwrap();
    assert!(refused().starts_with("/usr/share/man/man1/editor.1.gz is not a link, and"), "{}", refused());
    std::fs::remove_file(&link).unwrap();
    std::fs::create_dir(&link).unwrap();
    assert!(refused().starts_with("/usr/share/man/man1/editor.1.gz is not a link, and"), "{}", refused());
}

#[test]
fn what_could_not_be_asked_is_not_said_to_be_missing() {
    let plan = |machine: &Double| {
        trial::plan(&Choices, machine, &want("nothing", &[("path", "auto".into())]))
            .map_err(|e| e.to_string())
    };
    let known = machine(QUERY);
    assert!(matches!(plan(&known), Ok(Plan::Pending(_))));
    known.put("/var/lib/dpkg/alternatives/nothing", "cut short");
    assert!(plan(&known).unwrap_err().contains("no alternatives for nothing"), "it is on disk");
    let hangs = Double::new(|_| {
        let exit = system::Exit::TimedOut(std::time::Duration::from_secs(300));
        Some(Output { exit, ..said("") })
    });
    assert!(plan(&hangs).unwrap_err().contains("after its timeout"));
}

#[test]
fn one_that_cannot_be_queried_is_told_from_one_that_has_no_such_name() {
    const USAGE: &str = "alternatives version 1.24 - Copyright (C) 2001 Red Hat, Inc.\n\n\
        usage: alternatives --install <link> <name> <path> <priority>\n";
    let machine = Double::new(|_| Some(failed(2, USAGE)));
    let plan = trial::plan(&Choices, &machine, &want("python", &[("path", "auto".into())])).unwrap();
    assert!(matches!(&plan, Plan::NotApplicable(why) if why.contains("has no `--query`")), "{plan:?}");
}
