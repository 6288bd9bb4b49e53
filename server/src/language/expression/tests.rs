//! Tests of expressions by example; `oracle.rs` compares with another implementation.

use std::cell::RefCell;
use std::sync::Arc;

use holdfast_catalog::value::{Kind, Map, Sensitive, Value};
use proptest::prelude::*;

use super::Expression;
use crate::diagnostic::Code;
use crate::language::{Fault, Scope, SharedBudget};

mod secrecy;

/// A scope that records which names were resolved.
#[derive(Default)]
struct Recording {
    names: Map,
    resolved: RefCell<Vec<String>>,
    reads: RefCell<Vec<String>>,
}

impl Scope for Recording {
    fn resolve(&self, name: &str) -> Result<Option<Value>, Fault> {
        self.resolved.borrow_mut().push(name.to_owned());
        match name {
            "broken" => Err(Fault::of_scope(Code::NoData, "`broken` cannot be had")),
            _ => Ok(self.names.get(name).cloned()),
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, Fault>> {
        (name == "lookup").then(|| Ok(vec![Value::from("found"), arguments[0].clone()].into()))
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.names.keys().cloned().collect()
    }

    fn functions(&self) -> &[&str] {
        &["lookup"]
    }

    fn read(&self, path: &str, value: Option<&Value>) {
        self.reads.borrow_mut().push(format!("{path}{}", if value.is_none() { "?" } else { "" }));
    }
}

fn secret(text: &str) -> Value {
    Kind::Sensitive(Sensitive::text(text)).into()
}

fn scope() -> Recording {
    let os: Value = [("family", "debian".into()), ("release", [("major", "13".into())].into())].into();
    let facts: Value = [("os", os), ("memory", 4096.into()), ("none", Value::NULL)].into();
    let names: [(&str, Value); 6] = [
        ("facts", facts),
        ("port", 80.into()),
        ("ratio", 1.5.into()),
        ("list", vec![3.into(), 1.into(), 2.into()].into()),
        ("secret", secret("hunter2")),
        ("vault", [("user", "app".into()), ("password", secret("hunter2"))].into()),
    ];
    let names = names.into_iter().map(|(k, v)| (k.into(), v)).collect();
    Recording { names, ..Recording::default() }
}

fn evaluate(source: &str) -> Result<Value, Fault> {
    Expression::parse(source)?.evaluate(&scope())
}

#[track_caller]
fn gives(source: &str, value: impl Into<Value>) {
    assert_eq!(evaluate(source).unwrap_or_else(|f| panic!("{source}: {f}")), value.into(), "{source}");
}

/// Compares as JSON, for structures.
#[track_caller]
fn gives_json(source: &str, json: &str) {
    let value = evaluate(source).unwrap_or_else(|f| panic!("{source}: {f}"));
    assert_eq!(value.shown(), json, "{source}");
}

/// The message, the text that it points at, and the help.
#[track_caller]
fn fails(source: &str) -> (String, String, String) {
    let fault = evaluate(source).expect_err(source);
    (fault.message, source[fault.span].to_owned(), fault.help.unwrap_or_default())
}

#[test]
fn integers_stay_integers() {
    gives("7 / 2", 3);
    gives("-7 / 2", -3);
    gives("-7 % 3", -1);
    gives("2 + 3 * 4 - 1", 13);
    gives("-9223372036854775808", i64::MIN);
    gives("0x1F + 10u", 41);
    gives("1.5 + 2.0", 3.5);
}

#[test]
fn arithmetic_fails_instead_of_guessing() {
    assert_eq!(fails("1 + 9223372036854775807").1, "1 + 9223372036854775807");
    assert_eq!(fails("port / 0").0, "80 / 0: division by zero");
    assert_eq!(fails("port % 0").0, "80 % 0: division by zero");
    assert_eq!(
        fails("-(-9223372036854775807 - 1)").0,
        "-(-9223372036854775808) does not fit in a signed 64-bit integer"
    );
    let (message, at, help) = fails("1 + ratio");
    assert_eq!((&*message, &*at), ("`+` does not apply to the integer 1 and the float 1.5", "1 + ratio"));
    assert_eq!(help, "convert one of them with int(…) or double(…)");
    assert_eq!(fails("'port ' + port").2, "convert the other with string(…)");
}

#[test]
fn numbers_compare_across_types_and_nothing_else_does() {
    gives("1 == 1.0 && 1 < 1.5 && 2.5 > 2 && !(9007199254740993 == 9007199254740992.0)", true);
    gives("'1' == 1 || null == false || [] == {}", false);
    gives("[1, {'a': 2.0}] == [1.0, {'a': 2}]", true);
    gives("1.0 in [1, 2] && 'os' in facts && !('oss' in facts)", true);
    assert_eq!(fails("16384 > '4'").0, "`>` does not apply to the integer 16384 and the string \"4\"");
    assert_eq!(fails("'a' in 'abc'").2, "text.contains(part) searches a string");
}

#[test]
fn logic_absorbs_errors_from_either_side() {
    gives("1 / 0 == 1 || true", true);
    gives("true || 1 / 0 == 1", true);
    gives("1 / 0 == 1 && false", false);
    gives("[1, 0].exists(x, 1 / x == 1)", true);
    gives("[0, 1].exists(x, 1 / x == 1)", true);
    gives("[0, 2].all(x, 1 / x == 1)", false);
    assert_eq!(fails("1 / 0 == 1 || false").1, "1 / 0");
    assert_eq!(fails("port || false").1, "port");
    assert_eq!(fails("port ? 1 : 2").0, "expected a boolean, found the integer 80");
}

#[test]
fn selection_and_indexing_name_what_is_missing() {
    gives("facts.os.family", "debian");
    gives("facts['os'][\"family\"]", "debian");
    gives("list[0]", 3);
    gives("{'a-b': 1}.`a-b`", 1);
    let (message, at, help) = fails("facts.os.famly == 'x'");
    assert_eq!((&*message, &*at), ("there is no key `famly`", "famly"));
    assert_eq!(help, "did you mean `family`?");
    assert_eq!(fails("fact.os").2, "did you mean `facts`?");
    assert_eq!(fails("list[3]").0, "there is no index 3 in a list of 3");
    assert_eq!(fails("facts.none.x").0, "null has no `x`");
    assert_eq!(fails("port.x").0, "the integer 80 has no `x`");
    assert_eq!(fails("facts[1]").0, "a key of a map is a string, not the integer 1");
}

#[test]
fn optionals_answer_for_what_may_be_missing() {
    gives("facts.?cloud.region.orValue('none')", "none");
    gives("facts.?os.family.orValue('none')", "debian");
    gives("facts[?'cloud'].hasValue()", false);
    gives("list[?7].or(list[?0]).value()", 3);
    gives("facts.?cloud", Value::NULL);
    gives("facts.none.?x.orValue(1)", 1);
    gives_json("[?facts.?cloud, 1]", "[1]");
    gives_json("{?'a': facts.?cloud, ?'b': optional.of(2)}", r#"{"b":2}"#);
    gives("list.first().orValue(0) + [].last().orValue(5)", 8);
    gives("facts.?memory.optMap(m, m / 1024).orValue(0)", 4);
    gives("has(facts.os) && !has(facts.cloud) && has(facts.none)", true);
    assert_eq!(fails("facts.?memory + 1").2, "say what to use instead: .orValue(…)");
    assert_eq!(fails("port.orValue(1)").0, "`orValue` applies only to what may have no value");
    assert_eq!(fails("has(port)").0, "`has` takes one selection");
}

#[test]
fn macros_walk_lists_and_maps_in_order() {
    gives_json("list.map(x, x * 2)", "[6,2,4]");
    gives_json("list.map(x, x > 1, x * 2)", "[6,4]");
    gives_json("list.filter(x, x > 1)", "[3,2]");
    gives_json("{'b': 1, 'a': 2}.map(k, k)", r#"["a","b"]"#);
    gives("list.exists_one(x, x == 2) && list.all(i, v, i < 3 && v > 0)", true);
    gives_json("list.transformList(i, v, i > 0, v + i)", "[2,4]");
    gives_json("{'a': 1}.transformMap(k, v, v + 1)", r#"{"a":2}"#);
    gives_json("list.transformMapEntry(i, v, {string(v): i})", r#"{"1":1,"2":2,"3":0}"#);
    gives_json("[{'n': 2}, {'n': 1}].sortBy(x, x.n)", r#"[{"n":1},{"n":2}]"#);
    gives_json("[1, 2].map(x, [3].map(y, x * y + port))", "[[83],[86]]");
    assert_eq!(fails("port.map(x, x)").0, "expected a list or a map, found the integer 80");
    assert_eq!(fails("list.map(1, x)").0, "`map` takes a new name here, for the elements");
    assert_eq!(fails("list.map(x, x) == [x]").0, "unknown name `x`");
}

#[test]
fn texts_have_the_usual_functions() {
    gives("'tacocat'.charAt(3) + 'ü'.upperAscii() + 'ABC'.lowerAscii()", "oüabc");
    gives("'hello mellow'.indexOf('ello', 2)", 7);
    gives("'hello mellow'.lastIndexOf('ello')", 7);
    gives("'üüxü'.lastIndexOf('ü') * 10 + 'üüxü'.lastIndexOf('ü', 1)", 31);
    gives("'hello'.lastIndexOf('') * 10 + 'aab'.lastIndexOf('aü')", 49);
    gives("'hello'.indexOf('z') + 'hello'.lastIndexOf('z')", -2);
    gives("'hello hello'.replace('he', 'we', 1)", "wello hello");
    gives_json("'a,b,c'.split(',', 2) + ''.split(',')", r#"["a","b,c",""]"#);
    gives("['x', 1, true].join('-') + [].join()", "x-1-true");
    gives("'tacocat'.substring(4) + 'tacocat'.substring(0, 4)", "cattaco");
    gives("'  x '.trim() + 'abc'.reverse()", "xcba");
    gives("'%s %d %.2f %x %%'.format(['a', 2, 1.5, 255])", "a 2 1.50 ff %");
    gives(r#"'a"b'.quote()"#, r#""a\"b""#);
    gives("'web12'.matches('^web[0-9]+$') && 'web'.contains('e') && size('üx') == 2", true);
    gives(r#"r'\d' + "\u00fc\x41\n" + '''a'b''' "#, "\\düA\na'b");
}

#[test]
fn lists_maps_and_numbers_have_the_usual_functions() {
    gives_json("[1, 2, 3, 4].slice(1, 3)", "[2,3]");
    gives_json("[1, [2, [3]]].flatten() + [[[1]]].flatten(2)", "[1,2,[3],1]");
    gives_json("[1, 1.0, 'a', 'a'].distinct()", r#"[1,"a"]"#);
    gives_json("list.sort() + lists.range(2) + list.reverse()", "[1,2,3,0,1,2,1,3]");
    gives_json("keys(facts.os) + values({'b': 2, 'a': 1})", r#"["family","release",1,2]"#);
    gives("math.greatest(1, 2.5, 2) == 2.5 && math.least([3, 1]) == 1 && math.abs(-3) == 3", true);
    gives("math.ceil(1.2) + math.floor(1.8) + math.round(0.5) + math.trunc(-1.9)", 3.0);
    gives("math.bitAnd(6, 3) + math.bitShiftLeft(1, 4) + math.bitNot(0)", 17);
    gives("int('42') + int(2.9) + size([1]) + int(double('1.5'))", 46);
    gives("string(80) + string(true) + type(1.0) + type([])", "80truedoublelist");
    gives("sha256('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    gives("base64.decode(base64.encode('hü')) + json({'b': [1, 'x']})", r#"hü{"b":[1,"x"]}"#);
    gives("default(facts.none, 'x')", "x");
    assert_eq!(fails("int('4x')").0, "`int` cannot make an integer from the string \"4x\"");
    assert_eq!(fails("[1, 'a'].sort()").0, "these elements cannot be compared with each other");
    assert_eq!(fails("size(1)").0, "`size` takes a string, a list or a map, not the integer 1");
}

#[test]
fn unknown_functions_and_wrong_counts_are_found_before_evaluating() {
    let (message, at, help) = fails("'a'.startWith('b')");
    assert_eq!((&*message, &*at), ("unknown function `startWith`", "startWith"));
    assert_eq!(help, "did you mean `startsWith`?");
    assert_eq!(fails("'a'.startsWith()").2, "it is text.startsWith(part)");
    assert_eq!(fails("lookpu('x')").2, "did you mean `lookup`?");
    gives_json("lookup('a.b')[0]", "\"found\"");
}

#[test]
fn syntax_errors_say_what_was_expected() {
    assert_eq!(fails("port = 1").2, "`==` compares");
    assert_eq!(fails("port > 1 and true").2, "`&&` is and");
    assert_eq!(fails("(port").0, "this is not closed with `)`");
    assert_eq!(fails("[1, 2").1, "[");
    assert_eq!(fails("1 +").0, "expected a value, found the end");
    assert_eq!(fails("'abc").0, "the string is not closed");
    assert_eq!(fails(r"'\q'").1, r"\q");
    assert_eq!(fails("9223372036854775808").0, "the integer does not fit in a signed 64-bit integer");
    assert_eq!(fails("12abc").0, "`12abc` is not a number of 64 bits");
}

#[test]
fn only_what_is_used_is_asked_for_and_every_read_is_told() {
    let scope = scope();
    let run = |source: &str| {
        let value = Expression::parse(source).unwrap().evaluate(&scope);
        (value, scope.resolved.take(), scope.reads.take())
    };
    let (value, resolved, reads) = run("facts.os.family == 'debian' ? port : broken");
    assert_eq!(value.unwrap(), 80.into());
    assert_eq!(resolved, ["facts", "port"]);
    assert_eq!(reads, ["facts.os.family", "port"]);
    let (_, _, reads) =
        run("has(facts.cloud) || facts.?x.y.hasValue() || [1].exists(v, v == facts['memory'])");
    assert_eq!(reads, ["facts.cloud?", "facts.x.y?", "facts"]);
    let (value, _, reads) = run("facts.oss.family");
    assert_eq!((value.unwrap_err().code, reads), (Code::MissingKey, vec!["facts.oss.family?".to_owned()]));
    assert_eq!(run("1 + broken").0.unwrap_err().span, 4..10);
}

#[test]
fn uses_are_known_without_evaluating() {
    let expression =
        Expression::parse("facts.os.family + list.map(x, x.y + port)[0] + lookup('a.b') + size(z)").unwrap();
    let paths: Vec<&str> = expression.uses().paths.iter().map(|named| &*named.path).collect();
    assert_eq!(paths, ["facts.os.family", "list", "port", "z"]);
    assert_eq!(expression.uses().functions[0].text.as_deref(), Some("a.b"));
    let unknown = expression.unknown(&scope());
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].message, "unknown name `z`");
}

#[test]
fn hostile_expressions_end() {
    let code = |source: &str| evaluate(source).expect_err("it is hostile").code;
    assert_eq!(code(&format!("{}1{}", "(".repeat(5000), ")".repeat(5000))), Code::Limit);
    assert_eq!(code(&"-".repeat(5000)), Code::Limit);
    assert_eq!(code(&vec!["1"; 5000].join("+")), Code::Limit);
    assert_eq!(code(&format!("facts{}", ".a".repeat(5000))), Code::Limit);
    let loops = "lists.range(1000).all(a, lists.range(1000).all(b, lists.range(1000).all(c, true)))";
    assert_eq!(code(loops), Code::Limit);
    let doubling = format!("[[1, 1]]{}", ".map(x, [x, x])".repeat(40));
    assert_eq!(code(&doubling), Code::Limit);
    let longer = format!("['0123456789']{}", ".map(x, x.replace('', x))".repeat(12));
    assert_eq!(code(&longer), Code::Limit);
    assert_eq!(code("lists.range(1000000)"), Code::Limit);
    let patterns = |many: &str| format!("lists.range({many}).all(i, !'x'.matches('a' + string(i)))");
    assert_eq!(code(&patterns("65")), Code::Limit);
    gives(&patterns("64"), true);
    gives("lists.range(1000).all(i, string(i).matches('^[0-9]+$'))", true);
    assert_eq!(evaluate("'x'.matches('(a{1000}){1000}')").unwrap_err().code, Code::BadValue);
}

/// Each call costs what it walks through: a text of 32 kB in a loop of 2,000 is 64 MB, whatever is asked of it.
#[test]
fn a26_what_walks_a_long_text_or_a_long_list_costs_as_much() {
    let long = "x".repeat(32 * 1024);
    let list = Value::from(vec![Value::from(&*long); 100]);
    let map = Value::from([(&*long, Value::from(1))]);
    let keys: Map = (0..2_000).map(|n| (Arc::from(format!("k{n}")), Value::from(n))).collect();
    let names = [("text", Value::from(&*long)), ("other", (&*long).into()), ("secret", secret(&long))];
    let more =
        [("list", list), ("map", map), ("keys", keys.into()), ("rounds", vec![1.into(); 2_000].into())];
    let names = names.into_iter().chain(more).map(|(name, value)| (Arc::from(name), value)).collect();
    let scope = Recording { names, ..Recording::default() };
    for inner in [
        "size(text) > 0",
        "size(secret) > 0 || true",
        "text == other",
        "text <= other",
        "secret == text || true",
        "text in [other]",
        "text in map",
        "map[text] == 1",
        "text.startsWith(other)",
        "text.contains('y') || true",
        "text.upperAscii() != ''",
        "text.reverse() != ''",
        "text.replace('y', '') != ''",
        "[text].join() != ''",
        "default(null, text) == other",
        "'%s'.format([text]) != ''",
        "sha256(text) != ''",
        "list == list",
        "[[list]].flatten(2).size() > 0",
        "list.distinct().size() > 0",
        "list.sort().size() > 0",
        "list.sortBy(y, y).size() > 0",
        "keys.exists(k, true)",
        "keys.keys().size() > 0",
        "keys['kk'] == 1 || true",
        "keys.kk == 1 || true",
    ] {
        let source = format!("rounds.all(x, {inner})");
        let fault = Expression::parse(&source).unwrap().evaluate(&scope).expect_err(inner);
        assert_eq!(fault.code, Code::Limit, "{inner}: {fault:?}");
    }
}

#[test]
fn origins_survive_selection_and_passing_through() {
    let origin = Arc::new(holdfast_catalog::origin::Origin::locate(&"a.toml".into(), "x", 0..1));
    let inner = Value::from(1).at(origin.clone());
    let names = Map::from([("data".into(), Value::from([("list", vec![inner].into())]))]);
    let origin_of = |source: &str| Expression::parse(source).unwrap().evaluate(&names).unwrap().origin;
    for source in
        ["data.list[0]", "true ? data.?list[0] : 1", "data.list.filter(x, true)[0]", "data.list.first()"]
    {
        assert_eq!(origin_of(source), Some(origin.clone()), "{source}");
    }
    assert_eq!(origin_of("data.list[0] + 1"), None);
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(source in "\\PC{0,40}") {
        let _ = evaluate(&source);
    }

    #[test]
    fn arbitrary_tokens_never_panic(tokens in prop::collection::vec(prop::sample::select(&[
        "1", "0", "-", "+", "*", "/", "(", ")", "[", "]", "{", "}", ".", "?", ":", ",", "'a'", "secret", "list",
        "facts", "x", "map", "all", "size", "format", "split", "in", "==", "&&", "||", "!", "has", "orValue",
        "replace", "substring", "charAt", "1.5", "'%s'", "transformMap", "sortBy", "optMap", " ",
    ][..]), 0..24)) {
        if let Err(fault) = evaluate(&tokens.concat()) {
            prop_assert!(!fault.message.contains("hunter2"), "{}", fault.message);
        }
    }
}

/// A scope whose evaluations share an allowance.
struct Shared(SharedBudget);

impl Scope for Shared {
    fn resolve(&self, _: &str) -> Result<Option<Value>, Fault> {
        Ok(None)
    }
    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
    fn allowance(&self) -> SharedBudget {
        self.0.clone()
    }
}

#[test]
fn expressions_that_are_each_small_end_together() {
    let scope = Shared(SharedBudget::of(1_000));
    let expression = Expression::parse("[1, 2, 3].map(x, x * 2).size()").unwrap();
    let done = (0..1_000).take_while(|_| expression.evaluate(&scope).is_ok()).count();
    assert!((10..500).contains(&done), "{done}");
    let fault = expression.evaluate(&scope).unwrap_err();
    assert_eq!(fault.code, Code::Limit);
    assert!(fault.message.contains("together"), "{fault:?}");
}

#[test]
fn an_unknown_name_is_told_with_what_may_be_meant() {
    let scope: Map = [("node", Value::from(1)), ("port", Value::from(80))].map(|(k, v)| (k.into(), v)).into();
    for (source, help) in [
        ("HOME", "for a shell variable, write `$${HOME}`, which stays `${HOME}`"),
        ("PORT", "did you mean `port`?"),
        ("customer", "did you mean `node.customer`?"),
        ("pport", "did you mean `port`?"),
        ("nginx", "the names here are `node` and `port`; write a string in quotes: 'text'"),
        ("size", "it is a function: size(x)"),
    ] {
        let fault = Expression::parse(source).unwrap().evaluate(&scope).unwrap_err();
        assert_eq!(fault.help.as_deref(), Some(help), "{source}");
    }
}
