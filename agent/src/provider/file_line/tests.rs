//! What happens to a file's text.

use holdfast_catalog::report::{Cause, Mode};
use holdfast_catalog::value::{Kind, Sensitive, Value};

use super::*;
use crate::enforce::bench::Bench;
use crate::provider::trial::{self, want};
use crate::system::double::Double;

/// The text after a run, which must leave nothing to do, and what was reported of the change.
fn corrected(text: &str, attributes: &[(&str, Value)]) -> (String, Vec<String>) {
    let double = Double::new(|_| None);
    double.put("/etc/x", text);
    let mut all = vec![("path", Value::from("/etc/x"))];
    all.extend(attributes.iter().cloned());
    let want = want::<FileLine>("x", &all);
    let said = trial::said(&trial::changes(&FileLines, &double, &want));
    trial::correct(&FileLines, &double, &want).unwrap();
    assert_eq!(trial::changes(&FileLines, &double, &want), [], "{text:?} with {attributes:?}");
    (std::fs::read_to_string(double.root.path().join("etc/x")).unwrap(), said)
}

fn text(text: &str, attributes: &[(&str, Value)]) -> String {
    corrected(text, attributes).0
}

fn refused(text: &str, attributes: &[(&str, Value)]) -> String {
    let double = Double::new(|_| None);
    double.put("/etc/x", text);
    let mut all = vec![("path", Value::from("/etc/x"))];
    all.extend(attributes.iter().cloned());
    trial::plan(&FileLines, &double, &want("x", &all)).unwrap_err().to_string()
}

#[test]
fn a_line_is_added_once_and_the_rest_stays() {
    let line = [("line", Value::from("new"))];
    assert_eq!(corrected("a\nb\n", &line), ("a\nb\nnew\n".into(), vec!["line:  -> new".into()]));
    assert_eq!(corrected("a\nnew\nb", &line), ("a\nnew\nb".into(), vec![]));
    assert_eq!(text("a", &line), "a\nnew\n");
    assert_eq!(text("a\r\nb\r\n", &line), "a\r\nb\r\nnew\r\n");
    assert_eq!(text("", &line), "new\n");
    assert_eq!(text("newer\n new\n", &line), "newer\n new\nnew\n", "only the whole line is it");
}

#[test]
fn what_match_finds_becomes_the_line() {
    let port = [("line", Value::from("Port 22")), ("match", "^#?Port ".into())];
    let (text_after, said) = corrected("a\r\n#Port 99\r\nb", &port);
    assert_eq!(text_after, "a\r\nPort 22\r\nb");
    assert_eq!(said, ["line: #Port 99 -> Port 22"]);
    assert_eq!(text("a\n", &port), "a\nPort 22\n");
    assert_eq!(
        text("#Port 99\nPort 22\n", &port),
        "#Port 99\nPort 22\n",
        "it is there: what else is found stays"
    );
    assert!(refused("#Port 1\nPort 2\n", &port).contains("finds 2 lines of /etc/x (1, 2)"));
}

#[test]
fn with_multiple_all_that_is_found_becomes_the_line() {
    let all = [("line", Value::from("Port 22")), ("match", "^#?Port ".into()), ("multiple", true.into())];
    let (text, said) = corrected("#Port 1\na\nPort 22\nPort 3", &all);
    assert_eq!(text, "Port 22\na\nPort 22\nPort 22");
    assert_eq!(said, ["line: #Port 1 -> Port 22"]);
}

#[test]
fn a_new_line_stands_after_what_after_finds() {
    let after = [("line", Value::from("new")), ("after", "^b".into())];
    assert_eq!(text("a\nb\nc\n", &after), "a\nb\nnew\nc\n");
    assert_eq!(text("a\nb", &after), "a\nb\nnew\n");
    assert_eq!(text("a\n", &after), "a\nnew\n");
    assert!(refused("b1\nb2\n", &after).contains("`after` finds 2 lines"));
    let each = [after[0].clone(), after[1].clone(), ("multiple", true.into())];
    assert_eq!(text("b1\nb2\n", &each), "b1\nnew\nb2\nnew\n");
}

#[test]
fn nothing_is_added_where_only_what_is_there_is_wanted_otherwise() {
    let only = [("line", Value::from("a=2")), ("match", "^a=".into()), ("append_on_no_match", false.into())];
    assert_eq!(text("b\n", &only), "b\n");
    assert_eq!(text("a=1\n", &only), "a=2\n");
}

#[test]
fn an_absent_line_goes_wherever_it_is() {
    let absent = ("ensure", Value::from("absent"));
    let (text_after, said) = corrected("a\nb\na", &[absent.clone(), ("line", "a".into())]);
    assert_eq!((text_after.as_str(), &said[..]), ("b\n", &["ensure: present -> absent".to_owned()][..]));
    assert_eq!(text("a1\nb\na2\n", &[absent.clone(), ("match", "^a".into())]), "b\n");
    assert_eq!(text("b\n", &[absent, ("line", "a".into())]), "b\n");
}

#[test]
fn a_file_that_is_not_there_may_still_come_and_a_link_is_not_edited() {
    let double = Double::new(|_| None);
    let line = |path: &str, ensure: &str| {
        want::<FileLine>("x", &[("path", path.into()), ("line", "a".into()), ("ensure", ensure.into())])
    };
    assert!(matches!(trial::plan(&FileLines, &double, &line("/x", "present")), Ok(Plan::Pending(_))));
    assert_eq!(trial::plan(&FileLines, &double, &line("/x", "absent")).unwrap(), Plan::IN_SYNC);
    double.put("/real", "");
    std::os::unix::fs::symlink("real", double.root.path().join("link")).unwrap();
    let refused = trial::plan(&FileLines, &double, &line("/link", "present")).unwrap_err().to_string();
    assert!(refused.contains("symbolic link"), "{refused}");
}

#[test]
fn a_secret_line_and_the_one_it_replaces_are_not_shown() {
    let secret = Value::from(Kind::Sensitive(Sensitive::text("password=hunter2")));
    let (text, said) = corrected("password=old\n", &[("line", secret), ("match", "^password=".into())]);
    assert_eq!(text, "password=hunter2\n");
    assert_eq!(said[0], "line: [sensitive] -> [sensitive]");
}

#[test]
fn another_wish_is_no_drift() {
    let mut bench = Bench::directory();
    std::fs::write(bench.dir().join("x"), "a\n").unwrap();
    let index = bench.add("file_line", "x", &[("path", "/x".into()), ("line", "one".into())].into());
    bench.run(Mode::Enforce);
    bench.set(index, "line", "two");
    assert_eq!(bench.run(Mode::Enforce).events[0].cause, Some(Cause::Intentional));
    std::fs::write(bench.dir().join("x"), "a\none\n").unwrap();
    assert_eq!(bench.run(Mode::Enforce).events[0].cause, Some(Cause::Corrective));
}

#[test]
fn a_secret_in_a_file_that_everybody_may_read_is_said_to_be_so() {
    let secret: Value = Kind::Sensitive(Sensitive::text("hunter2-x")).into();
    let want = want::<FileLine>("x", &[("path", "/etc/x".into()), ("line", secret)]);
    let double = Double::new(|_| None);
    trial::says_who_may_read(&FileLines, &double, &want, "/etc/x");
    let file =
        holdfast_catalog::resource::TypedResource::File(trial::want("/etc/x", &[("mode", "0644".into())]));
    let place = double.root.path().join("etc/x");
    std::fs::set_permissions(place, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let plan = trial::plan_among(&FileLines, &double, &want, &[file]).unwrap();
    assert_eq!(plan, Plan::IN_SYNC, "a manifest gives the mode: it knows");
}
