//! Compares with the crate `handlebars`: what both understand, both render the same.

use handlebars::Handlebars;
use holdfast_catalog::value::{Map, Value};
use proptest::prelude::*;

use super::{Partials, Template};

struct None;

impl Partials for None {
    fn find(
        &self,
        _: &str,
        _: &str,
    ) -> Result<Option<std::sync::Arc<Template>>, crate::diagnostic::Diagnostic> {
        Ok(Option::None)
    }

    fn names(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

fn scope() -> Map {
    let names: [(&str, Value); 6] = [
        ("port", 80.into()),
        ("name", "shop <&>".into()),
        ("on", true.into()),
        ("off", false.into()),
        ("hosts", vec!["a".into(), "b".into(), "c".into()].into()),
        ("sites", [("x", [("root", "/x".into())].into()), ("y", [("root", "/y".into())].into())].into()),
    ];
    names.into_iter().map(|(k, v)| (k.into(), v)).collect()
}

fn ours(source: &str) -> String {
    let template =
        Template::compile(&"a.hbs".into(), &source.into()).unwrap_or_else(|e| panic!("{source:?}: {e}"));
    let value = template.render(&scope(), &None).unwrap_or_else(|e| panic!("{source:?}: {e:?}"));
    value.as_str().unwrap_or_default().to_owned()
}

fn theirs(source: &str) -> String {
    let mut handlebars = Handlebars::new();
    handlebars.register_escape_fn(handlebars::no_escape);
    let data: Value = scope().into();
    handlebars.render_template(source, &data.to_json_masked()).unwrap_or_else(|e| panic!("{source:?}: {e}"))
}

/// Pieces that both understand. What only one of them does is left out on purpose: strictness, escaping, our own
/// helpers, and white space control, where the crate removes more than Handlebars does.
fn piece() -> impl Strategy<Value = String> {
    let leaves = [
        "text ",
        "\n",
        "  indented\n",
        "{{@root.port}}",
        "{{{@root.name}}}",
        "{{@root.sites.x.root}}",
        "{{! a comment }}",
        "{{!-- {{port}} --}}\n",
    ];
    prop::sample::select(leaves.map(str::to_owned).to_vec()).prop_recursive(3, 24, 4, |inner| {
        let body = prop::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        prop_oneof![
            body.clone().prop_map(|b| format!("{{{{#if @root.on}}}}{b}{{{{/if}}}}")),
            body.clone().prop_map(|b| format!("{{{{#if @root.off}}}}\n{b}\n{{{{else}}}}\n{b}{{{{/if}}}}\n")),
            body.clone().prop_map(|b| format!("{{{{#unless @root.off}}}}\n{b}{{{{/unless}}}}\n")),
            body.prop_map(|b| format!(
                "{{{{#each @root.hosts}}}}{{{{@index}}}}={{{{this}}}}\n{b}{{{{/each}}}}"
            )),
        ]
    })
}

#[test]
fn maps_and_their_keys_come_in_one_order() {
    let source = "{{#each sites}}\n{{@key}} {{this.root}}{{#unless @last}},{{/unless}}\n{{/each}}\n";
    assert_eq!(ours(source), theirs(source));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn both_render_alike(pieces in prop::collection::vec(piece(), 0..6)) {
        let source = pieces.concat();
        prop_assert_eq!(ours(&source), theirs(&source), "{:?}", source);
    }
}
