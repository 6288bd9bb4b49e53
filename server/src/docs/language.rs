//! The pages of the language: functions, helpers of templates, types of parameters, and keys of files.

use std::fmt::Write as _;

use holdfast_catalog::manifest_words::{Keyword, ON_EVERY_RESOURCE, RESERVED};

use super::markdown::{code, sentence, table};
use crate::language::{Chapter, Word, expression, keyword, merge, template, types};
use crate::lookup::{KEY_WORDS, POLICY_WORDS, hierarchy};
use crate::{compile, inventory};

/// The page of everything that can be in `${…}`.
pub fn functions() -> String {
    let mut page = String::from(
        "# Operators and functions\n\nMade from their definitions. `${…}` contains a CEL expression. A function \
         can be written before or after its first argument: `size(x)` is `x.size()`. The tests run the examples; \
         results are written as JSON.\n\n## In manifests\n\nAn expression also sees names: the manifest's \
         parameters, `let`, `facts`, `node`, and in some places `title` and `each`.\n\n",
    );
    let row = |word: &Word| [code(word.usage), word.doc.to_owned(), code(word.example)];
    page.push_str(&table(["function", "what it does", "example"], compile::WORDS.iter().map(row)));
    for chapter in expression::chapters() {
        page.push_str(&words(&chapter, ["written", "what it does", "example", "gives"]));
    }
    page
}

/// The page of everything that can be in a template.
pub fn templates() -> String {
    let mut page = String::from(
        "# Blocks and helpers of templates\n\nMade from their definitions. The tests run the examples; in them, `site` \
         is a map that contains only `name = \"shop\"`. [All functions](functions.md) are also helpers, with their name \
         first: `(split text ' ')`.\n",
    );
    for chapter in template::chapters() {
        page.push_str(&words(&chapter, ["written", "what it does", "example", "gives"]));
    }
    page
}

/// The page of the types of parameters and keys.
pub fn parameters() -> String {
    let mut page = String::from(
        "# Types of parameters\n\nMade from their definitions. The notation is Puppet's. Bounds can be left out, and \
         `default` stands for a missing bound: `Integer[default, 10]`. A define's name is also a type: a map of its \
         parameters, checked where the data is. The tests check each example value against its type.\n",
    );
    for chapter in types::chapters() {
        page.push_str(&words(&chapter, ["type", "what it takes", "such as", "takes"]));
    }
    page.push_str(&keywords("Ways to merge", "Values of `merge`.", merge::STRATEGY_WORDS));
    page.push_str(&keywords(
        "A merge with options",
        "`merge = { strategy = \"deep\", knockout_prefix = \"--\" }`",
        merge::OPTION_WORDS,
    ));
    page
}

/// The page of the keys of files.
pub fn keys() -> String {
    let mut page =
        String::from("# Keys of the files\n\nMade from their definitions. Any other key is an error.\n");
    let mut add = |title: &str, says: &str, of: &[Keyword]| page.push_str(&keywords(title, says, of));
    add(
        "A manifest",
        "`modules/M/manifests/*.toml`. Any other key is a resource type or a define.",
        keyword::TOP,
    );
    add("A parameter", "`[parameters]` of a manifest, each `name = { … }`.", keyword::PARAMETER);
    add(
        "On every resource",
        "Metaparameters: attributes and parameters cannot have these names.",
        ON_EVERY_RESOURCE,
    );
    add("A machine", "`inventory/RESELLER/CUSTOMER.toml`, a table for each machine.", inventory::WORDS);
    add("The repository", "`holdfast.toml`.", hierarchy::WORDS);
    add("A level of the hierarchy", "`[[hierarchy]]` in `holdfast.toml`.", hierarchy::LEVEL_WORDS);
    add("A declared key", "`hieradata/keys.toml`, each `name = { … }`.", KEY_WORDS);
    add("Policies", "`[holdfast]` in any file of `hieradata/`.", POLICY_WORDS);
    let reserved: Vec<String> = RESERVED.iter().map(|word| code(word)).collect();
    let _ = write!(
        page,
        "\n## Reserved words\n\nParameters and `let` cannot have these names: {}.\n\n## The default hierarchy\n\n\
         Without `[[hierarchy]]` in `holdfast.toml`, it is:\n\n```toml\n# holdfast.toml\n{}```\n",
        reserved.join(", "),
        hierarchy::DEFAULT.split_once("\n\n").map_or("", |(_, levels)| levels),
    );
    page
}

fn words(chapter: &Chapter, heading: [&str; 4]) -> String {
    let row = |word: &Word| [code(word.usage), begun(word.doc), code(word.example), code(word.gives)];
    format!("\n## {}\n\n{}", chapter.title, table(heading, chapter.words.iter().map(row)))
}

/// Makes a sentence of a text that error messages have in the middle of one.
fn begun(doc: &str) -> String {
    let mut letters = doc.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    sentence(&format!("{first}{}", letters.as_str()))
}

fn keywords(title: &str, says: &str, of: &[Keyword]) -> String {
    let row = |word: &Keyword| [code(word.name), word.takes.to_owned(), word.doc.to_owned()];
    format!("\n## {title}\n\n{says}\n\n{}", table(["key", "takes", "what it does"], of.iter().map(row)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use holdfast_catalog::value::{Map, Value};

    use super::*;
    use crate::diagnostic::Diagnostic;
    use crate::language::{Expression, Partials, Template, Type};

    fn value(expression: &str) -> Value {
        let parsed = Expression::parse(expression).unwrap_or_else(|fault| panic!("{expression}: {fault:?}"));
        parsed.evaluate(&Map::new()).unwrap_or_else(|fault| panic!("{expression}: {fault:?}"))
    }

    fn all(chapters: Vec<Chapter>) -> impl Iterator<Item = Word> {
        chapters.into_iter().flat_map(|chapter| chapter.words)
    }

    #[test]
    fn every_definition_says_what_it_does() {
        let words =
            all(expression::chapters()).chain(all(template::chapters())).chain(all(types::chapters()));
        for word in words.chain(compile::WORDS.iter().copied()) {
            let said = [word.usage, word.doc, word.example];
            assert!(said.iter().all(|text| !text.is_empty()), "{word:?} says too little");
        }
    }

    #[test]
    fn every_example_of_a_function_gives_what_is_said() {
        let mut wrong = Vec::new();
        for word in all(expression::chapters()) {
            let given = value(word.example).to_json_masked().to_string();
            if given != word.gives {
                wrong.push(format!("{}: {} gives {given}, not {}", word.name, word.example, word.gives));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    struct NoPartials;

    impl Partials for NoPartials {
        fn find(&self, _: &str, _: &str) -> Result<Option<Arc<Template>>, Diagnostic> {
            Ok(None)
        }

        fn names(&self, _: &str) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn every_example_of_a_template_gives_what_is_said() {
        let scope = Map::from([("site".into(), [("name", "shop".into())].into())]);
        for word in all(template::chapters()) {
            let template = Template::compile(&"example.hbs".into(), &word.example.into());
            let template = template.unwrap_or_else(|problem| panic!("{}: {problem}", word.example));
            let given =
                template.render(&scope, &NoPartials).unwrap_or_else(|p| panic!("{}: {p:?}", word.example));
            assert_eq!(given.as_str(), Some(word.gives), "{}", word.example);
        }
    }

    #[test]
    fn every_example_of_a_type_takes_the_value_that_is_said() {
        for word in all(types::chapters()) {
            let of = Type::parse(word.example).unwrap_or_else(|fault| panic!("{}: {fault:?}", word.example));
            assert_eq!(of.check(&value(word.gives), &()), [], "{} {}", word.example, word.gives);
        }
    }
}
