//! Tests of templates by example.

use std::sync::Arc;

use holdfast_catalog::value::{Kind, Map, Sensitive, Value};
use proptest::prelude::*;

use crate::diagnostic::Diagnostic;

use super::{Partials, Template, Templates};

/// Partials, by name.
struct PartialTexts(Vec<(&'static str, &'static str)>);

impl Partials for PartialTexts {
    fn find(&self, name: &str, _: &str) -> Result<Option<Arc<Template>>, Diagnostic> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(name, text)| compile(&format!("_{name}.hbs"), text).map(Arc::new)).transpose()
    }

    fn names(&self, _: &str) -> Vec<String> {
        self.0.iter().map(|(name, _)| (*name).to_owned()).collect()
    }
}

fn compile(file: &str, source: &str) -> Result<Template, Diagnostic> {
    Template::compile(&file.into(), &source.into())
}

fn scope() -> Map {
    let secret = |text: &str| Value::from(Kind::Sensitive(Sensitive::text(text)));
    let users: Value = vec![
        [("name", "ann".into()), ("admin", true.into()), ("password", secret("hunter2"))].into(),
        [("name", "bob".into()), ("admin", false.into()), ("password", secret("swordfish"))].into(),
    ]
    .into();
    let names: [(&str, Value); 10] = [
        ("port", 80.into()),
        ("tls", true.into()),
        ("off", false.into()),
        ("none", Value::NULL),
        ("title", "shop <&>".into()),
        ("users", users),
        ("empty", Vec::new().into()),
        (
            "sites",
            [("a.example", [("root", "/a".into())].into()), ("b", [("root", "/b".into())].into())].into(),
        ),
        ("facts", [("os", [("family", "debian".into())].into())].into()),
        ("secret", secret("hunter2")),
    ];
    names.into_iter().map(|(k, v)| (k.into(), v)).collect()
}

fn render(source: &str) -> Result<Value, Vec<Diagnostic>> {
    render_with(source, &PartialTexts(Vec::new()))
}

fn render_with(source: &str, partials: &dyn Partials) -> Result<Value, Vec<Diagnostic>> {
    compile("a.hbs", source).map_err(|diagnostic| vec![diagnostic])?.render(&scope(), partials)
}

#[track_caller]
fn gives(source: &str, text: &str) {
    let value = render(source).unwrap_or_else(|errors| panic!("{source}: {errors:#?}"));
    assert_eq!(value.shown(), Value::from(text).shown(), "{source}");
}

/// The only error with its place: `line:column message (help)`.
#[track_caller]
fn fails(source: &str) -> String {
    let errors = render(source).expect_err(source);
    assert_eq!(errors.len(), 1, "{source}: {errors:#?}");
    errors[0].to_string().trim_start_matches("a.hbs:").to_owned()
}

#[test]
fn values_are_written_without_escaping() {
    gives(
        "listen {{port}} {{{title}}} {{&title}} {{ facts.os.family }}",
        "listen 80 shop <&> shop <&> debian",
    );
    gives("{{sites.[a.example].root}}{{users.1.name}}{{'x'}}${x}", "/abobx${x}");
    gives(r"\{{port}} \\{{port}} {{{{raw}}}}{{port}}{{{{/raw}}}}", r"{{port}} \80 {{port}}");
    gives("a{{! comment }}b{{!-- }} --}}c", "abc");
}

#[test]
fn blocks_decide_and_repeat() {
    gives("{{#if tls}}on{{else}}off{{/if}} {{#unless tls}}on{{else}}off{{/unless}}", "on off");
    gives("{{#if none}}a{{else if off}}b{{else if tls}}c{{else}}d{{/if}}", "c");
    gives("{{#each users}}{{@index}}{{name}}{{#unless @last}}, {{/unless}}{{/each}}", "0ann, 1bob");
    gives(
        "{{#each sites as |site name|}}{{name}}={{site.root}}:{{port}} {{/each}}",
        "a.example=/a:80 b=/b:80 ",
    );
    gives("{{#each sites}}{{@key}}{{#if @first}}!{{/if}}{{/each}}", "a.example!b");
    gives("{{#each empty}}x{{else}}nobody{{/each}}{{#each none}}x{{/each}}", "nobody");
    gives("{{#with facts.os}}{{family}} {{port}} {{../port}} {{@root.port}}{{/with}}", "debian 80 80 80");
    gives(
        "{{#each users}}{{#each ../sites}}{{../name}}{{this.root}} {{/each}}{{/each}}",
        "ann/a ann/b bob/a bob/b ",
    );
    gives("{{^if tls}}a{{else}}b{{/if}}", "b");
}

#[test]
fn lines_that_hold_a_tag_alone_disappear() {
    gives("a\n{{#if tls}}\n  b\n{{else}}\n  c\n{{/if}}\nd\n", "a\n  b\nd\n");
    gives("a\n  {{#each users}}\n- {{name}}\n  {{/each}}", "a\n- ann\n- bob\n");
    gives("{{! head }}\na\n{{port}}\n", "a\n80\n");
    gives("a  {{~port~}}  b {{#if tls ~}} x {{~/if}} y", "a80b x y");
    gives("{{#if tls}}\r\nb\r\n{{/if}}\r\n", "b\r\n");
}

#[test]
fn helpers_are_the_functions_and_a_few_operators() {
    gives(
        "{{upper facts.os.family}} {{size users}} {{json sites}}",
        r#"DEBIAN 2 {"a.example":{"root":"/a"},"b":{"root":"/b"}}"#,
    );
    gives("{{#if (and tls (not off) (eq port 80) (gt (size users) 1))}}y{{/if}}", "y");
    gives("{{#if (or off none (ne facts.os.family 'debian'))}}y{{else}}n{{/if}}", "n");
    gives("{{default none 'x'}}{{default facts.cloud.region 'y'}}{{default port 1}}", "xy80");
    gives("{{#if (has facts.os)}}y{{/if}}{{#if (has facts.cloud)}}n{{/if}}", "y");
    gives("{{#if (has title)}}y{{/if}}{{#if (has none)}}n{{/if}}", "y"); // null counts as no value
    gives("{{get sites.b 'root'}} {{math.greatest port 90}} {{add port 1}}", "/b 90 81");
}

#[test]
fn what_is_unknown_is_an_error_wherever_it_stands() {
    assert_eq!(fails("a\n  {{prot}}"), "2:5: unknown name `prot` (did you mean `port`?)");
    assert_eq!(fails("{{#if prot}}{{/if}}"), "1:7: unknown name `prot` (did you mean `port`?)");
    assert_eq!(
        fails("{{#unless (not prot)}}{{/unless}}"),
        "1:16: unknown name `prot` (did you mean `port`?)"
    );
    assert_eq!(fails("{{facts.os.famly}}"), "1:12: there is no key `famly` (did you mean `family`?)");
    assert_eq!(fails("{{#each users}}{{nam}}{{/each}}"), "1:18: unknown name `nam` (did you mean `name`?)");
    assert_eq!(fails("{{uper title}}"), "1:3: unknown helper `uper` (did you mean `upper`?)");
    assert_eq!(
        fails("{{lookup 'x'}}"),
        "1:3: unknown helper `lookup` (`lookup` is for `[let]` in the manifest)"
    );
    assert_eq!(fails("{{#iff tls}}{{/iff}}"), "1:4: unknown block `iff` (did you mean `if`?)");
    assert!(fails("{{this}}").contains("no such context"));
    assert_eq!(render("{{a1}}{{b1}}").unwrap_err().len(), 2);
}

#[test]
fn an_operator_between_two_values_is_met_with_the_helper_that_does_the_same() {
    for (source, cure) in [
        ("{{#if title != null}}{{/if}}", "{{#if (has title)}}"),
        ("{{#if title == null}}{{/if}}", "{{#if (not (has title))}}"),
        ("{{#if port <= 80}}{{/if}}", "{{#if (le port 80)}}"),
        ("{{#if tls && off}}{{/if}}", "{{#if (and tls off)}}"),
    ] {
        assert!(fails(source).contains(cure), "{}", fails(source));
        let cured = format!("{cure}y{{{{else}}}}n{{{{/if}}}}");
        assert!(render(&cured).is_ok(), "the cure does not work: {cured}");
    }
    assert!(fails("{{#if title == \"x\"}}{{/if}}").contains("{{#if (eq title \"x\")}}"));
    let several = fails("{{#if port == 80 && tls}}{{/if}}");
    assert!(several.contains("use a helper, such as (eq port …)"), "{several}");
    assert!(fails("{{#if not tls}}{{/if}}").contains("a helper goes in parentheses: {{#if (not tls)}}"));
}

#[test]
fn only_booleans_decide_and_only_scalars_are_text() {
    assert!(fails("{{#if port}}x{{/if}}").starts_with("1:7: `if` takes a boolean, but `port` is an integer"));
    assert!(fails("{{#if users}}x{{/if}}").ends_with("(write (gt (size users) 0))"));
    assert!(fails("{{users}}").starts_with("1:3: `users` is a list, which is not text"));
    assert!(fails("{{sites}}").contains("is a map"));
    assert!(fails("{{none}}").contains("is null"));
    assert!(fails("{{#each port}}x{{/each}}").contains("takes a list or a map, not an integer"));
}

#[test]
fn syntax_errors_point_at_what_is_open() {
    assert_eq!(fails("a\n{{#if tls}}\nb"), "2:1: `{{#if}}` is not closed (it ends with {{/if}})");
    assert_eq!(fails("{{#if tls}}{{/each}}"), "1:1: `{{/each}}` closes `{{#if}}` (it ends with {{/if}})");
    assert_eq!(fails("x{{/if}}"), "1:2: `{{/if}}` closes nothing");
    assert_eq!(fails("a {{port"), "1:3: this is not closed with `}}`");
    assert_eq!(fails("a {{port\n{{title}}"), "1:3: this is not closed with `}}`");
    assert_eq!(fails("{{else}}"), "1:1: `{{else}}` is not in a block");
    assert!(
        fails("{{#if eq port 80}}{{/if}}").ends_with("(a helper goes in parentheses: {{#if (eq port 80)}})")
    );
    assert_eq!(fails("{{upper title title}}"), "1:3: `upper` does not take 2 arguments");
    assert_eq!(fails("{{}}"), "1:3: expected a name, found the end of the tag");
}

#[test]
fn what_the_crate_reads_otherwise_is_as_we_write_it() {
    gives(r"{{size '\d{{}}'}} {{upper '\'}}", r"6 \");
    gives("{{#each users}}{{#with .}}{{../name}}{{/with}}{{/each}}", "annbob");
    gives("{{#each (split 'a b' ' ')}}{{upper .}}{{.}}{{/each}}", "AaBb");
    gives("{{#each users}}{{#with name}}{{#with ..}}{{name}}{{/with}}{{/with}}{{/each}}", "annbob");
    gives("{{math.abs (math.least -3 port)}} {{add 1.5 -1e3}}", "3 -998.5");
    gives("{{#each users as |as else|}}{{#if off}}{{else.x}}{{elsewhere}}{{/if}}{{/each}}", "");
    gives(
        "{{#each users as |as at|}}{{as.name}}{{upper as.name}}{{#with as as |a|}}{{/with}}{{/each}}",
        "annANNbobBOB",
    );
    gives("{{#with (get sites 'b')}}{{[root]}}{{/with}}{{sites.[a.example].[root]}}", "/b/a");
    gives("{{\u{a0}port }}{{upper\ttitle\u{2003}}}", "80SHOP <&>");
    assert!(fails("{{upper [1, 2]}}").starts_with("1:9: unknown name `1, 2`"));
    assert_eq!(fails("{{a/b}}"), "1:3: `a/b` is not a name");
}

#[test]
fn a_tag_is_refused_with_what_to_write() {
    for (source, refusal) in [
        ("{{upper title x=1}}", "1:3: `upper` takes no named arguments"),
        ("{{upper (lower title}}", "1:9: this is not closed with `)`"),
        ("{{upper {\"a\":1}}}", "1:9: expected a name, found `{`"),
        ("{{(upper title) title}}", "1:17: unexpected text after the expression"),
        ("{{'x' title}}", "1:7: unexpected text after the expression"),
        ("{{upper 192.0.2.1}}", "1:3: this is not a Handlebars tag"),
        ("{{> (upper title)}}", "1:5: expected a name, found `(`"),
        ("{{> a b c}}", "1:9: expected name=value"),
        ("{{> a b=1 b=2}}", "1:11: `b` is given twice"),
        (
            "{{#if tls ~ }}{{/if}}",
            "1:7: `if` takes one value (a helper goes in parentheses: {{#if (tls ~)}})",
        ),
        ("{{upper title ~ }}", "1:15: `~` is not a name"),
        ("{{* a}}", "1:3: unknown helper `*`"),
        ("{{#*inline 'a'}}{{/inline}}", "1:4: unknown block `*inline` (there are if, unless, each, with)"),
        ("{{#> a}}{{/a}}", "1:4: unknown block `>` (there are if, unless, each, with)"),
        ("{{#if}}{{/if}}", "1:4: `if` takes a value"),
        ("{{#if tls}}{{/if tls}}", "1:18: unexpected text after the expression"),
        (
            "{{#each users as |a b c|}}{{/each}}",
            "1:18: expected one or two names between bars (such as {{#each map as |value key|}})",
        ),
        ("{{#if (port == 80)}}{{/if}}", "1:8: templates have no operators (use a helper: {{eq port …}})"),
    ] {
        assert_eq!(fails(source), refusal, "{source}");
    }
}

/// Given one of these as a whole, the crate would take quadratic time or overflow its stack.
#[test]
fn hostile_templates_are_read_in_bounds() {
    let many = 20_000;
    for accepted in [
        "{{port}}",
        "{{#if off}}{{/if}}",
        "{{!-- a --}}",
        "{{! a }}",
        "\\",
        "\\{{",
        "{{#if off}}{{> [a]}}{{/if}}",
    ] {
        assert!(compile("a.hbs", &accepted.repeat(many)).is_ok(), "{accepted}");
    }
    let nested = |open: &str, close: &str, times: usize| open.repeat(times) + "port" + &close.repeat(times);
    assert!(compile("a.hbs", &format!("{{{{json {}}}}}", nested("(math.abs ", ")", 32))).is_ok());
    for (refused, message) in [
        (nested("{{#if off}}", "{{/if}}", many), "blocks are nested deeper than 32 levels"),
        ("{{#if off}}".repeat(many), "blocks are nested deeper than 32 levels"),
        (
            format!("{{{{json {}}}}}", nested("(math.abs ", ")", many)),
            "sub-expressions are nested deeper than 32",
        ),
        (format!("{{{{json {}", "(a b=".repeat(many)), "this is not closed with `}}`"),
        (format!("{{{{json {}}}}}", "(a b=".repeat(many)), "sub-expressions are nested deeper than 32"),
        (format!("{{{{json {}}}}}", nested("[", "]", many)), "is not a name"),
        (format!("{{{{json {}", "{\"a\":".repeat(many)), "this is not closed with `}}`"),
        (format!("{{{{json {}}}}}", "port ".repeat(many)), "a tag has more than 4096 words and signs"),
        ("{{!-- a }}".repeat(many), "this is not closed with `--}}`"),
    ] {
        let error = compile("a.hbs", &refused).unwrap_err();
        assert!(error.message.contains(message), "{}: {error}", &refused[..40]);
    }
}

#[test]
fn partials_see_the_same_names_and_keep_their_indent() {
    let partials = PartialTexts(vec![
        ("user", "user {{name}}\nport {{port}}\n"),
        ("pair", "{{key}}={{value}}"),
        ("loop", "{{> loop}}"),
        ("bad", "\n{{nope}}"),
    ]);
    let shown = |source: &str| render_with(source, &partials).unwrap().as_str().unwrap().to_owned();
    assert_eq!(
        shown("{{#each users}}\n  {{> user}}\n{{/each}}\nend"),
        "  user ann\n  port 80\n  user bob\n  port 80\nend"
    );
    assert_eq!(shown("[{{> pair key='a' value=port}}]"), "[a=80]");
    assert_eq!(shown("{{> user users.1}}"), "user bob\nport 80\n");
    let error = |source: &str| render_with(source, &partials).unwrap_err()[0].to_string();
    assert_eq!(error("{{> bad}}"), "_bad.hbs:2:3: unknown name `nope` (did you mean `none`?)");
    assert!(error("{{> loop}}").contains("more than 16 levels deep"));
    assert_eq!(error("{{> usr}}"), "a.hbs:1:5: unknown partial `usr` (did you mean `user`?)");
}

#[test]
fn secrets_stay_stretches_of_the_text() {
    assert_eq!(render("{{secret}}").unwrap().shown(), "[sensitive]");
    for refused in [
        "{{size (split secret '')}}",
        "{{#if (gt (size (split secret '')) 3)}}x{{/if}}",
        "{{json (split secret '')}}",
    ] {
        let problems = render(refused).unwrap_err();
        assert!(problems[0].message.contains("would show"), "{refused}: {problems:?}");
    }
    // The number of parts that it was split into does not show.
    for separator in ["t", "n", "nobody"] {
        let looped = format!("a {{{{#each (split secret '{separator}')}}}}<{{{{this}}}}>{{{{/each}}}} z");
        assert_eq!(render(&looped).unwrap().shown(), "a [sensitive] z", "{separator}");
    }
    let value = render("db={{secret}};\n{{#each users}}{{name}}:{{password}}\n{{/each}}").unwrap();
    assert_eq!(value.shown(), "db=[sensitive];\nann:[sensitive]\nbob:[sensitive]\n");
    let Kind::Sensitive(text) = &value.kind else { panic!("{value:?}") };
    assert_eq!(text.expose(), "db=hunter2;\nann:hunter2\nbob:swordfish\n".into());
    for source in [
        "{{#if (eq secret 'x')}}yes{{else}}no{{/if}}",
        "{{sha256 secret}}",
        "{{upper secret}}",
        "{{size secret}}",
        "{{json users}}",
        "{{default secret 'x'}}",
    ] {
        assert_eq!(render(source).unwrap().shown(), "[sensitive]", "{source}");
    }
    for source in [
        "{{#if secret}}{{/if}}",
        "{{secret.x}}",
        "{{get sites secret}}",
        "{{int secret}}",
        "{{#each secret}}{{/each}}",
    ] {
        let errors = format!("{:?}", render(source).unwrap_err());
        assert!(!errors.contains("hunter2"), "{errors}");
    }
}

#[test]
fn each_text_is_compiled_once() {
    let templates = Templates::default();
    let (file, source): (Arc<str>, Arc<str>) = ("a.hbs".into(), "{{port}}".into());
    let first = templates.compile(&file, &source).unwrap();
    assert!(Arc::ptr_eq(&first, &templates.compile(&file, &"{{port}}".into()).unwrap()));
    assert!(!Arc::ptr_eq(&first, &templates.compile(&file, &"{{tls}}".into()).unwrap()));
}

proptest! {
    #[test]
    fn arbitrary_templates_never_panic(parts in prop::collection::vec(prop::sample::select(&[
        "{{", "}}", "{{{", "}}}", "{{#if tls}}", "{{/if}}", "{{else}}", "{{#each users}}", "{{/each}}", "{{^", "~",
        "port", " ", "\n", "(", ")", "\\", "'", "{{> a}}", "{{!", "--", "ü", "@index", "../", "this", "|", "as", "=",
        "{{secret}}", "{{{{", "}}}}", "eq", "else if", "[", "]", ".", "/", "users.0",
    ][..]), 0..16)) {
        if let Err(errors) = render(&parts.concat()) {
            let shown = format!("{:?}", errors);
            prop_assert!(!shown.contains("hunter2"), "{}", shown);
        }
    }
}

#[test]
fn a_loop_without_end_is_named_with_what_it_goes_over() {
    use holdfast_catalog::origin::Origin;
    let place: Arc<Origin> =
        Origin::locate(&"hieradata/customers/acme.toml".into(), "limits = []", 9..11).into();
    let limits = Value::from(vec![Value::from(1); 400_000]).at(place);
    let few = Value::from(vec![Value::from(1); 3]);
    let scope: Map =
        [("limits", limits), ("few", few)].map(|(name, value)| (name.into(), value)).into_iter().collect();
    for source in [
        "{{! a comment }}\n{{#each limits}}{{this}} {{/each}}",
        "{{! a comment }}\n{{#each limits}}{{#each few}}{{this}} {{/each}}{{/each}}",
        "{{#each few}}\n{{#each limits}}{{this}} {{/each}}{{/each}}",
        "\n{{> part}}",
    ] {
        let part = PartialTexts(vec![("part", "\n{{#each limits}}{{this}} {{/each}}")]);
        let errors = compile("a.hbs", source).unwrap().render(&scope, &part).unwrap_err();
        let [error] = &errors[..] else { panic!("{errors:?}") };
        let origin = error.origin.as_ref().unwrap();
        assert_eq!((origin.line, origin.column), (2, 9), "{source}: {error}");
        assert!(
            error.message.starts_with(
                "`{{#each limits}}` over 400000 elements: this expression takes more than 1000000 steps"
            ),
            "{error}"
        );
        assert_eq!(&*error.related[0].0.file, "hieradata/customers/acme.toml");
    }
}
