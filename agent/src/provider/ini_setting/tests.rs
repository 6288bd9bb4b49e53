//! What happens to a file's text.

use std::os::unix::fs::PermissionsExt as _;

use holdfast_catalog::value::{Kind, Sensitive, Value};

use super::*;
use crate::provider::trial::{self, want};
use crate::system::double::Double;

/// The text after a run, which must leave nothing to do, and what was reported of the change.
fn corrected(text: &str, attributes: &[(&str, Value)]) -> (String, Vec<String>) {
    let double = Double::new(|_| None);
    double.put("/etc/x.ini", text);
    let mut all = vec![("path", Value::from("/etc/x.ini"))];
    all.extend(attributes.iter().cloned());
    let want = want::<IniSetting>("x", &all);
    let said = trial::said(&trial::changes(&Settings, &double, &want));
    trial::correct(&Settings, &double, &want).unwrap();
    assert_eq!(trial::changes(&Settings, &double, &want), [], "{text:?} with {attributes:?}");
    (std::fs::read_to_string(double.root.path().join("etc/x.ini")).unwrap(), said)
}

fn text(text: &str, attributes: &[(&str, Value)]) -> String {
    corrected(text, attributes).0
}

fn php(value: impl Into<Value>) -> [(&'static str, Value); 3] {
    [("section", "PHP".into()), ("key", "memory_limit".into()), ("value", value.into())]
}

#[test]
fn a_value_is_changed_where_it_stands_and_the_rest_stays() {
    let before = "; php\r\n[PHP]\r\n  memory_limit  =128M  \r\nother = 1\r\n[CLI]\r\nmemory_limit = 1";
    let (after, said) = corrected(before, &php("256M"));
    assert_eq!(after, "; php\r\n[PHP]\r\n  memory_limit  =256M\r\nother = 1\r\n[CLI]\r\nmemory_limit = 1");
    assert_eq!(said, ["value: 128M -> 256M"]);
    assert_eq!(text(before, &php("128M")), before);
}

/// The error for a text that is not edited; it must stay as it is.
fn refused(text: &str, attributes: &[(&str, Value)]) -> String {
    let double = Double::new(|_| None);
    double.put("/etc/x.ini", text);
    let mut all = vec![("path", Value::from("/etc/x.ini"))];
    all.extend(attributes.iter().cloned());
    let want = want::<IniSetting>("x", &all);
    let planned = trial::plan(&Settings, &double, &want).unwrap_err().to_string();
    let applied =
        trial::writing(&double, |writing| Settings.apply(&want, &[], writing)).unwrap_err().to_string();
    assert_eq!(planned, applied);
    assert_eq!(std::fs::read_to_string(double.root.path().join("etc/x.ini")).unwrap(), text);
    planned
}

#[test]
fn a_key_that_is_set_more_than_once_is_refused_with_its_lines() {
    let twice = "[PHP]\nmemory_limit = 1\n[x]\n[PHP]\nmemory_limit = 2\n";
    let said = refused(twice, &php(2));
    assert!(said.contains("lines 2, 5") && said.contains("multiple = true"), "{said}");
    let mut all = php(2).to_vec();
    all.push(("multiple", true.into()));
    assert_eq!(text(twice, &all), "[PHP]\nmemory_limit = 2\n[x]\n[PHP]\nmemory_limit = 2\n");
    let same = "[PHP]\nmemory_limit = 2\nmemory_limit = 2\n";
    assert_eq!(text(same, &php(2)), same);
}

#[test]
fn a_value_over_several_lines_is_refused() {
    for (before, line) in [
        ("[PHP]\nmemory_limit = 1 \\\n  2\n", "line 2"),
        ("[PHP]\nother = 1 \\\nmemory_limit = 1\n", "line 3"),
        ("[PHP]\nmemory_limit =\n    a\n    b\n", "line 2"),
        ("[PHP]\nmemory_limit = 1\n\tmore = 2\n", "line 2"),
        ("[PHP]\nmemory_limit = \"a\nb\"\n", "line 2"),
    ] {
        for attributes in [php(2).to_vec(), [&php(2)[..2], &[("ensure", "absent".into())]].concat()] {
            let said = refused(before, &attributes);
            assert!(said.contains(line) && said.contains("one line"), "{before:?}: {said}");
        }
    }
    for before in [
        "[PHP]\nmemory_limit = 1\n  ; a note\nb = 1\n",
        "[PHP]\n# a \\\nmemory_limit = 1\n",
        "[PHP]\n\tmemory_limit = 1\n\tb = 1\n",
        "[PHP]\nmemory_limit = \"1\"\n  [x]\n",
    ] {
        assert!(text(before, &php(2)).contains("memory_limit = 2"), "{before:?}");
    }
}

#[test]
fn a_new_setting_stands_with_those_of_its_section() {
    let (after, said) = corrected("[PHP]\n\ta = 1\n\n# of the next\n[CLI]\n", &php("1M"));
    assert_eq!(after, "[PHP]\n\ta = 1\n\tmemory_limit = 1M\n\n# of the next\n[CLI]\n");
    assert_eq!(said, ["ensure: absent -> present"]);
    assert_eq!(
        text("[PHP]\n;memory_limit = 1\n;b = 2\nc = 3\n", &php("1M")),
        "[PHP]\n;memory_limit = 1\nmemory_limit = 1M\n;b = 2\nc = 3\n",
        "after the comment that has the key"
    );
    assert_eq!(
        text("[PHP]\n# about memory_limit\n", &php(1)),
        "[PHP]\nmemory_limit = 1\n# about memory_limit\n"
    );
    assert_eq!(text("[CLI]\nx = 1", &php(1)), "[CLI]\nx = 1\n\n[PHP]\nmemory_limit = 1\n");
    assert_eq!(text("", &php(true)), "[PHP]\nmemory_limit = true\n");
    assert_eq!(text("[PHP] ; here\n", &php(1)), "[PHP] ; here\nmemory_limit = 1\n");
}

#[test]
fn a_new_setting_goes_after_the_whole_of_the_value_above_it() {
    let new = "memory_limit = 1\n";
    for (above, below) in [
        ("name = x\nplugins =\n    a\n    b\n", ""),
        ("plugins =\n\ta\n", ""),
        ("args = a,\n       b\n", "\n[CLI]\n"),
        ("plugins =\n    a\n# and\n\n    b\n", "# of the next\n[CLI]\n"),
        ("ExecStart=/bin/x \\\n    --a \\\n  --b\n", ""),
        ("ExecStart=/bin/x \\\n# --a\n--b\n", ""),
        ("plugins =\n    a\n#memory_limit = 2\n    b\n", "c = 1\n"),
        ("a = 1\n#memory_limit = 2\n", "b = 1\n"),
        ("", "dir = C:\\x\\\n[CLI]\n"),
        ("a = 1\n", "dir = C:\\x\\\n"),
        ("dir = C:\\x\\\n\n", "[CLI]\n"),
    ] {
        let before = format!("[PHP]\n{above}{below}");
        assert_eq!(text(&before, &php(1)), format!("[PHP]\n{above}{new}{below}"), "{before:?}");
    }
    assert_eq!(
        text("[PHP]\n#memory_limit = 2\n  a = 1\nb = 1\n", &php(1)),
        "[PHP]\n#memory_limit = 2\n  memory_limit = 1\n  a = 1\nb = 1\n",
        "what comes after it is not part of its value"
    );
}

#[test]
fn a_setting_that_is_a_part_of_another_value_is_refused_with_both_lines() {
    let before = "[PHP]\nplugins =\n    a\n    memory_limit = 2\n";
    for attributes in [php(2).to_vec(), [&php(2)[..2], &[("ensure", "absent".into())]].concat()] {
        let said = refused(before, &attributes);
        assert!(said.contains("line 4") && said.contains("begins in line 2"), "{said}");
    }
}

#[test]
fn what_was_written_is_as_wanted_and_can_be_changed_again() {
    for value in ["\"Xk9", "'tis done", "'", "\"a\" and \"b\"", "\\\\server\\share"] {
        let before = "[PHP]\nname = \"foo\"\nother = it's\n# isn't\nlast = \"b\"\n";
        let written = text(before, &php(value));
        assert_eq!(written, format!("{before}memory_limit = {value}\n"));
        let more =
            text(&written, &[("section", "PHP".into()), ("key", "next".into()), ("value", "\"".into())]);
        assert_eq!(more, format!("{written}next = \"\n"));
        let changed = more.replace(&format!("limit = {value}"), "limit = new");
        assert_eq!(text(&more, &php("new")), changed, "{value}");
    }
    let joined = "[PHP]\ndir = C:\\x\\\nmemory_limit = 2\n";
    assert_eq!(text(joined, &php(2)), joined, "the line says what is wanted");
}

#[test]
fn settings_before_the_first_section_have_none() {
    let global = [("key", Value::from("user")), ("value", "www".into())];
    assert_eq!(text("user = a\n[x]\nuser = b\n", &global), "user = www\n[x]\nuser = b\n");
    assert_eq!(text("[x]\nuser = b\n", &global), "user = www\n[x]\nuser = b\n");
    assert_eq!(text("a = 1\n\n[x]\n", &global), "a = 1\nuser = www\n\n[x]\n");
}

#[test]
fn other_separators_are_known() {
    let spaced =
        |value: &str| [("key", "MaxAuth".into()), ("value", value.into()), ("separator", " ".into())];
    assert_eq!(text("MaxAuthTries 1\nMaxAuth\t2\n", &spaced("3")), "MaxAuthTries 1\nMaxAuth\t3\n");
    assert_eq!(text("", &spaced("3")), "MaxAuth 3\n");
    let colon = [("key", "a".into()), ("value", "b=c: d".into()), ("separator", ": ".into())];
    assert_eq!(text("a:x\n", &colon), "a:b=c: d\n");
}

#[test]
fn an_empty_value_and_a_key_alone_are_settings() {
    let key = |value: &str| [("key", Value::from("skip")), ("value", value.into())];
    assert_eq!(text("skip\n", &key("")), "skip\n");
    assert_eq!(text("skip\nskipper\n", &key("on")), "skip = on\nskipper\n");
    assert_eq!(text("skip =\n", &key("on")), "skip = on\n");
    assert_eq!(text("skip= \n", &key("on")), "skip= on\n");
    assert_eq!(text("skip = off\n", &key("")), "skip = \n");
}

#[test]
fn an_absent_setting_goes_and_its_section_stays() {
    let absent = [("section", "a".into()), ("key", "k".into()), ("ensure", "absent".into())];
    let (after, said) = corrected("[a]\nk = 1\n#k = 2\n[b]\nk = 3\n[a]\nk=4", &absent);
    assert_eq!(after, "[a]\n#k = 2\n[b]\nk = 3\n[a]\n");
    assert_eq!(said, ["ensure: present -> absent"]);
    assert_eq!(text("[b]\n", &absent), "[b]\n");
}

#[test]
fn a_secret_is_shown_nowhere_and_its_new_file_is_roots_alone() {
    let secret = Value::from(Kind::Sensitive(Sensitive::text("hunter2")));
    let (after, said) = corrected("[PHP]\nmemory_limit = old\n", &php(secret.clone()));
    assert_eq!(after, "[PHP]\nmemory_limit = hunter2\n");
    assert_eq!(said[0], "value: [sensitive] -> [sensitive]");
    let double = Double::new(|_| None);
    let mut all = php(secret).to_vec();
    all.push(("path", "/new.ini".into()));
    trial::correct(&Settings, &double, &want("x", &all)).unwrap();
    let mode = std::fs::metadata(double.root.path().join("new.ini")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_directory_that_is_not_there_may_still_come() {
    let double = Double::new(|_| None);
    let plan = |ensure: &str| {
        let all = [
            ("path", "/no/x.ini".into()),
            ("key", "k".into()),
            ("value", "v".into()),
            ("ensure", ensure.into()),
        ];
        trial::plan(&Settings, &double, &want("x", &all)).unwrap()
    };
    assert!(matches!(plan("present"), Plan::Pending(_)));
    assert_eq!(plan("absent"), Plan::IN_SYNC);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let a = [("section", Value::from("a")), ("key", "x".into()), ("value", 2.into())];
    assert_eq!(text("\u{feff}[a]\nx=1\n", &a), "\u{feff}[a]\nx=2\n");
    let first = [("key", Value::from("x")), ("value", 2.into())];
    assert_eq!(text("\u{feff}x=1\n[a]\n", &first), "\u{feff}x=2\n[a]\n");
}

#[test]
fn a_secret_in_a_file_that_everybody_may_read_is_said_to_be_so() {
    let secret: Value = Kind::Sensitive(Sensitive::text("hunter2-x")).into();
    let want =
        want::<IniSetting>("x", &[("path", "/etc/x.ini".into()), ("key", "k".into()), ("value", secret)]);
    let double = Double::new(|_| None);
    trial::says_who_may_read(&Settings, &double, &want, "/etc/x.ini");
}
