//! Tests of types against values, by example.

use std::sync::Arc;

use super::*;
use holdfast_catalog::value::Sensitive;

struct Vhost;

impl Defines for Vhost {
    fn parameters(&self, define: &str) -> Option<Arc<[StructField]>> {
        let field = |name: &str, of: &str, need| StructField {
            name: name.into(),
            of: Type::parse(of).unwrap(),
            need,
        };
        (define == "nginx::vhost").then(|| {
            [field("root", "AbsolutePath", Need::Required), field("tls", "Boolean", Need::Optional)].into()
        })
    }
    fn names(&self) -> Vec<Arc<str>> {
        vec!["nginx::vhost".into()]
    }
}

/// The path and the message of each misfit.
fn misfits(of: &str, value: impl Into<Value>) -> Vec<(String, String)> {
    let of = Type::parse(of).unwrap_or_else(|f| panic!("{of}: {f}"));
    of.check(&value.into(), &Vhost).into_iter().map(|m| (m.path, m.message)).collect()
}

#[track_caller]
fn fits(of: &str, value: impl Into<Value>) {
    let value = value.into();
    assert_eq!(misfits(of, value.clone()), [], "{of} {value:?}");
}

#[track_caller]
fn refuses(of: &str, value: impl Into<Value>, message: &str) {
    let found = misfits(of, value);
    assert!(found.len() == 1 && found[0].1.contains(message), "{of}: {found:?}");
}

fn list<const N: usize>(items: [Value; N]) -> Value {
    items.to_vec().into()
}

#[test]
fn scalars() {
    fits("Any", Value::NULL);
    fits("String[1,3]", "üüü");
    fits("Integer[1, 65535]", 443);
    fits("Integer[default, 5]", -9);
    fits("Float[0.0]", 0.5);
    fits("Number[0, 1]", 1);
    fits("Numeric", 1.5);
    fits("Scalar", true);
    fits("Enum[running, stopped]", "stopped");
    fits(r"Pattern['^v\d+$', /^x/]", "v12");
    refuses("String[1]", "", "expected String[1], not the string \"\"");
    refuses("Integer[1, 5]", 6, "expected Integer[1, 5], not the integer 6");
    refuses("Integer", 1.0, "not the float 1.0");
    refuses("Boolean", "true", "not the string \"true\"");
    refuses("NotUndef", Value::NULL, "not null");
    refuses("Port", 70000, "expected Port (a port from 1 to 65535), not the integer 70000");
    refuses("Enum[running]", "runing", "not the string \"runing\"");
}

#[test]
fn all_misfits_of_a_structure_are_found_with_their_paths() {
    let value: Value = [
        ("shop.example", [("root", "srv".into()), ("tsl", true.into())].into()),
        ("blog", [("tls", 1.into())].into()),
        ("fine", [("root", "/srv".into())].into()),
    ]
    .into();
    let found = misfits("Hash[String, nginx::vhost]", value);
    let paths: Vec<&str> = found.iter().map(|(path, _)| &**path).collect();
    assert_eq!(paths, ["blog", "blog.tls", "\"shop.example\".root", "\"shop.example\".tsl"]);
    assert_eq!(found[0].1, "the parameter `root` is missing; it is AbsolutePath");
    assert_eq!(found[3].1, "unknown parameter `tsl`");
    assert_eq!(misfits("Array[Integer, 1]", list([1.into(), "a".into(), Value::NULL])).len(), 2);
    refuses("Array[Integer, 1]", list([]), "expected Array[Integer, 1], not 0 elements");
    refuses("Hash[Host, Any]", Value::from([("a b", 1.into())]), "the key: expected Host");
}

#[test]
fn structs_tuples_optionals_and_variants() {
    let of = "Struct[{ name => String, Optional[port] => Port, 'note' => Optional[String] }]";
    fits(of, Value::from([("name", "a".into()), ("port", Value::NULL)]));
    refuses(of, Value::from([("port", 1.into())]), "the key `name` is missing; it is String");
    refuses(of, Value::from([("name", "a".into()), ("prot", 1.into())]), "unknown key `prot`");
    fits("Tuple[String, Integer]", list(["a".into(), 1.into()]));
    refuses("Tuple[String, Integer]", list(["a".into()]), "not 1 element");
    fits("Optional[Host]", Value::NULL);
    fits("Variant[Integer, Enum[auto]]", "auto");
    refuses(
        "Variant[Integer, Enum[auto]]",
        "x",
        "expected Variant[Integer, Enum[auto]], not the string \"x\"",
    );
    let found = misfits("Variant[Integer, Array[Integer]]", list([1.into(), "x".into()]));
    assert_eq!(found, [("[1]".to_owned(), "expected Integer, not the string \"x\"".to_owned())]);
}

#[test]
fn helps_say_what_to_write() {
    let help = |of: &str, value: Value| Type::parse(of).unwrap().check(&value, &())[0].help.clone().unwrap();
    assert_eq!(help("Enum[running, stopped]", "runing".into()), "did you mean `running`?");
    assert_eq!(help("Integer", "80".into()), "write it without quotes: 80");
    assert_eq!(help("String", 80.into()), "write it in quotes: \"80\"");
    assert_eq!(help("Array[Host]", "a.example".into()), "write a list with one element as [\"a.example\"]");
    assert_eq!(help("String", Value::NULL), "only Optional[String] may be null");
}

#[test]
fn secrets_are_checked_and_never_shown() {
    let secret = |text: &str| Value::from(Kind::Sensitive(Sensitive::text(text)));
    refuses("Integer", secret("hunter2"), "expected Integer, not a string, which is secret and not shown");
    fits("String[7]", secret("hunter2"));
    fits("Secret", "plain");
    for of in [
        "Integer",
        "Port",
        "Enum[a]",
        "String[20]",
        "Variant[Integer, Boolean]",
        "Array[Host]",
        "nginx::vhost",
    ] {
        let found = Type::parse(of).unwrap().check(&secret("hunter2"), &Vhost);
        assert!(!found.is_empty() && !format!("{found:?}").contains("hunter2"), "{of}: {found:?}");
    }
    let inside: Value = [("password", secret("hunter2"))].into();
    for of in ["Array[Hash[String, Any]]", "String", "Hash[String, Port]", "Struct[{ a => Any }]"] {
        let found = Type::parse(of).unwrap().check(&inside, &());
        assert!(!found.is_empty() && !format!("{found:?}").contains("hunter2"), "{of}: {found:?}");
    }
}

#[test]
fn b2_what_is_no_map_says_nothing_of_the_keys_of_one() {
    for of in [
        "Secret",
        "Optional[Secret]",
        "Variant[Secret, Integer]",
        "Array[Secret]",
        "Sensitive[Array[Integer]]",
    ] {
        let of = Type::parse(of).unwrap();
        let value = of.sealed(&[("hunter2", Value::from(vec![1.into()]))].into(), &());
        let found = of.check(&value, &());
        assert!(!found.is_empty() && !format!("{found:?}").contains("hunter2"), "{of}: {found:?}");
    }
}

#[test]
fn sealing_hides_what_the_type_calls_secret() {
    let of = Type::parse("Hash[String, Struct[{ user => String, Optional[password] => Secret }]]").unwrap();
    let value: Value = [("db", [("user", "a".into()), ("password", "b".into())].into())].into();
    assert_eq!(of.sealed(&value, &()).shown(), r#"{"db":{"password":"[sensitive]","user":"a"}}"#);
}

#[test]
fn what_is_written_parses_to_the_same_type() {
    for text in [
        "Array[Host, 1]",
        "Hash[String, nginx::vhost]",
        "Struct[{ name => String[1, 5], Optional[port] => Integer[default, 9] }]",
        "Variant[Enum['Big one', small], Pattern['^a$'], Tuple[Float[0.5], Undef]]",
        "Sensitive[NotUndef[Scalar]]",
    ] {
        let of = Type::parse(text).unwrap();
        assert_eq!(of.to_string(), text);
        assert_eq!(Type::parse(&of.to_string()).unwrap(), of);
    }
}

#[test]
fn type_errors_point_and_suggest() {
    let fault = |text: &str| {
        let fault = Type::parse(text).unwrap_err();
        (fault.message, text[fault.span].to_owned(), fault.help.unwrap_or_default())
    };
    let (message, at, help) = fault("Array[Sting, 1]");
    assert_eq!((&*message, &*at, &*help), ("unknown type `Sting`", "Sting", "did you mean `String`?"));
    assert_eq!(fault("bool").2, "did you mean `Boolean`?");
    assert_eq!(fault("integer").2, "did you mean `Integer`?");
    assert_eq!(fault("Integer[a]").1, "a");
    assert_eq!(fault("Integer[5, 1]").0, "the least of `Integer` is above its greatest");
    assert_eq!(fault("Array[Host").0, "expected `]`, found the end");
    assert_eq!(fault("Host[1]").0, "`Host` takes nothing in brackets");
    assert_eq!(fault("Boolean[1]").0, "too many arguments for `Boolean`");
    assert_eq!(fault("Enum").0, "`Enum` takes words in brackets");
    assert_eq!(fault("Pattern['(']").1, "'('");
    assert_eq!(fault(&format!("{}Any", "Array[".repeat(99))).0, "the type is nested deeper than 16 levels");
    assert_eq!(fault("").0, "expected a type, found the end");
    assert_eq!(fault("String ü").1, "ü");
}

#[test]
fn a_pattern_that_holds_a_line_end_is_printed_on_one_line_and_means_the_same() {
    let of = Type::parse("Pattern['^[^\n]+$']").unwrap();
    assert_eq!(of.to_string(), r"Pattern['^[^\n]+$']");
    let again = Type::parse(&of.to_string()).unwrap();
    for (text, fits) in [("Group sftp", true), ("a\nb", false)] {
        assert_eq!(again.check(&text.into(), &Vhost).is_empty(), fits, "{text}");
        assert_eq!(of.check(&text.into(), &Vhost).is_empty(), fits, "{text}");
    }
}
