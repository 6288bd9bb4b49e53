//! Places, order and errors of TOML.

use super::*;

fn parse(text: &str) -> (Document, Vec<Diagnostic>) {
    Document::parse(&"a.toml".into(), text.as_bytes(), None)
}

fn texts(problems: &[Diagnostic]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn keys_and_values_know_their_places() {
    let (document, problems) = parse("\"ü\" = 1\r\n[a.\"b.c\"]\r\nkey = [\"x\",\r\n  \"y\"]\r\n");
    assert_eq!(texts(&problems), "");
    let table = document.root.get("a").unwrap().item.as_table().unwrap();
    let inner = table.get("b.c").unwrap();
    assert_eq!((inner.key_origin.line, inner.key_origin.column), (2, 4));
    assert_eq!((inner.item.origin.line, inner.item.origin.column), (2, 1));
    let list = &inner.item.as_table().unwrap().get("key").unwrap().item;
    let second = &list.as_list().unwrap()[1].origin;
    assert_eq!(
        (second.line, second.column, &document.text[second.start as usize..second.end as usize]),
        (4, 3, "\"y\"")
    );
    let value = list.to_value();
    assert_eq!(value.as_list().unwrap()[1].origin.as_ref(), Some(second));
}

#[test]
fn the_order_written_is_kept_and_forms_are_told_apart() {
    let (document, _) = parse("[t.header]\n[other]\n[t]\ninline = { x = 1 }\nby.dots = 1\n");
    let entries = &document.root.get("t").unwrap().item.as_table().unwrap().entries;
    let forms: Vec<_> = entries
        .iter()
        .map(|entry| match &entry.item.content {
            ItemContent::Table(_, form) => (&*entry.key, *form),
            _ => unreachable!("only tables"),
        })
        .collect();
    assert_eq!(
        forms,
        [("header", TableForm::Header), ("inline", TableForm::Inline), ("by", TableForm::Dotted)]
    );
    let (document, _) = parse("z = 1\na = 2\nm = 3\n");
    assert_eq!(document.root.entries.iter().map(|e| &*e.key).collect::<String>(), "zam");
}

#[test]
fn every_syntax_error_is_found_and_the_rest_is_read() {
    let (document, problems) = parse("a = \nb = 2\nc = [1,,2]\nd = 4\nd = 5\n");
    let lines: Vec<_> = problems.iter().map(|problem| problem.origin.as_ref().unwrap().line).collect();
    assert!([1, 3, 5].iter().all(|line| lines.contains(line)), "{}", texts(&problems));
    assert_eq!(document.root.get("b").unwrap().item.to_value(), 2.into());
}

#[test]
fn what_values_cannot_be_is_refused_with_its_place() {
    let deep = format!("a = {}1{}", "[".repeat(40), "]".repeat(40));
    for (text, expected) in [
        ("a = 1979-05-27\n", "write it as a string, in quotes"),
        ("a = 9223372036854775808\n", "does not fit in 64 bits"),
        ("a b = 1\n", "a.toml:1"),
        ("ü = 1\n", "quote the key: \"ü\""),
        ("a = inf\n", "not a finite number"),
        (deep.as_str(), "nested deeper than"),
    ] {
        let found = texts(&parse(text).1);
        assert!(found.contains("a.toml:1:") && found.contains(expected), "{text}: {found}");
    }
    let (document, problems) = Document::parse(&"a.toml".into(), b"x = 1\ny = \"\xff\"\n", None);
    assert!(problems[0].message.contains("not UTF-8") && problems[0].origin.as_ref().unwrap().line == 2);
    assert!(document.root.entries.is_empty());
}

#[test]
fn data_carries_its_level() {
    let (document, _) = Document::parse(&"a.toml".into(), b"x = 1\n", Some(&"customer".into()));
    assert_eq!(document.root.entries[0].item.origin.level.as_deref(), Some("customer"));
}
