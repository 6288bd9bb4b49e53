//! Evaluates the same expressions here and with the crate `cel`: what both support must give the same results.
//!
//! Expressions are generated from random bytes, mostly well typed, so that few of them fail early. Left out are:
//! deliberate deviations (`docs/decisions/0001-expressions.md`); extensions that the crate lacks (tested by example); a
//! list plus a map, which the crate joins against the specification; and integers near 2^63 compared with floats, which
//! the crate rounds and we do not.

use std::sync::Arc;

use holdfast_catalog::value::{Map, Value};
use proptest::prelude::*;

use super::Expression;

/// The type of a generated expression.
#[derive(Clone, Copy)]
enum GrownKind {
    Int,
    Float,
    Bool,
    Text,
    List,
    Any,
}

/// Generates expressions from bytes; without bytes, the smallest ones.
struct Grower<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl Grower<'_> {
    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[usize::from(*self.bytes.next().unwrap_or(&0)) % of.len()]
    }

    fn grow(&mut self, kind: GrownKind, depth: u8) -> String {
        let shapes: &[&str] = match kind {
            GrownKind::Int if depth == 0 => &["1", "0", "7", "-3", "n", "9223372036854775807", "data.port"],
            GrownKind::Int => &[
                "(I + I)",
                "(I - I)",
                "(I * I)",
                "(I / I)",
                "(I % I)",
                "-(I)",
                "size(L)",
                "size(T)",
                "(B ? I : I)",
                "L[I]",
                "[I, I][0]",
                "{'a': I}.a",
                "{'a': I}['a']",
            ],
            GrownKind::Float if depth == 0 => &["1.0", "0.5", "-2.25", "1e3", "x"],
            GrownKind::Float => {
                &["(F + F)", "(F - F)", "(F * F)", "-(F)", "double(n)", "double(7)", "(B ? F : F)"]
            }
            GrownKind::Bool if depth == 0 => &["true", "false", "b"],
            GrownKind::Bool => &[
                "(B && B)",
                "(B || B)",
                "!(B)",
                "(I < I)",
                "(I >= I)",
                "(I == I)",
                "(T == T)",
                "(T < T)",
                "(F <= F)",
                "(I < F)",
                "(F > I)",
                "(A == A)",
                "(A != A)",
                "(I in L)",
                "('a' in {'a': A})",
                "T.startsWith(T)",
                "T.endsWith(T)",
                "T.contains(T)",
                "L.all(v, v > I)",
                "L.exists(v, v == I)",
                "L.exists_one(v, v == I)",
                "(B ? B : B)",
                "has(data.port)",
                "has(data.nope)",
                "T.matches('^a+b?$')",
                "(A && B)",
                "(A || B)",
            ],
            GrownKind::Text if depth == 0 => {
                &["''", "'a'", "\"ab\"", "'ü'", "s", r"r'a\d'", "'a\\tb'", "data.name"]
            }
            GrownKind::Text => &["(T + T)", "string(I)", "(B ? T : T)", "string(B)"],
            GrownKind::List if depth == 0 => &["[]", "[1, 2, 3]", "l"],
            GrownKind::List => &[
                "[I, I]",
                "(L + L)",
                "L.map(v, v + I)",
                "L.filter(v, v < I)",
                "L.map(v, v > I, v * 2)",
                "(B ? L : L)",
            ],
            GrownKind::Any if depth == 0 => {
                &["null", "1", "1.0", "'1'", "true", "[]", "{}", "data", "nope", "data.nope"]
            }
            GrownKind::Any => &[
                "I",
                "F",
                "B",
                "T",
                "L",
                "[A, A]",
                "{'a': A, 'b': A}",
                "(I + F)",
                "(T + I)",
                "(B < I)",
                "(A - A)",
            ],
        };
        let shape = self.pick(shapes);
        let deeper = depth.saturating_sub(1);
        let mut grown = String::new();
        for c in shape.chars() {
            match c {
                'I' => grown.push_str(&self.grow(GrownKind::Int, deeper)),
                'F' => grown.push_str(&self.grow(GrownKind::Float, deeper)),
                'B' => grown.push_str(&self.grow(GrownKind::Bool, deeper)),
                'T' => grown.push_str(&self.grow(GrownKind::Text, deeper)),
                'L' => grown.push_str(&self.grow(GrownKind::List, deeper)),
                'A' => grown.push_str(&self.grow(GrownKind::Any, deeper)),
                c => grown.push(c),
            }
        }
        grown
    }
}

fn names() -> Map {
    let names: [(&str, Value); 6] = [
        ("n", 42.into()),
        ("x", 1.5.into()),
        ("b", true.into()),
        ("s", "aab".into()),
        ("l", vec![3.into(), 1.into()].into()),
        ("data", [("port", 80.into()), ("name", "web".into())].into()),
    ];
    names.into_iter().map(|(key, value)| (Arc::from(key), value)).collect()
}

/// The result as JSON; `None` for an error.
fn ours(source: &str) -> Option<serde_json::Value> {
    Some(Expression::parse(source).ok()?.evaluate(&names()).ok()?.to_json_masked())
}

fn theirs(source: &str) -> Option<serde_json::Value> {
    let mut context = cel::Context::default();
    for (name, value) in names() {
        // Through serde, not through JSON, which would make the numbers unsigned.
        context.add_variable_from_value(name.to_string(), cel::to_value(&value).ok()?);
    }
    cel::Program::compile(source).ok()?.execute(&context).ok()?.json().ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn both_come_to_the_same(bytes in prop::collection::vec(any::<u8>(), 1..80), depth in 0_u8..5) {
        let source = Grower { bytes: bytes.iter() }.grow(GrownKind::Any, depth);
        prop_assert_eq!(ours(&source), theirs(&source), "{}", source);
    }
}
