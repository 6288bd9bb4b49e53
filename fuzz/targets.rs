//! What the parsers of outside text must bear: any bytes, without a panic, with errors that point into the text, and the
//! same answer twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::facts::Facts;
use holdfast_catalog::join::JoinString;
use holdfast_catalog::report::Report;
use holdfast_catalog::value::Map;
use holdfast_catalog::wire::{
    CatalogAnswer, CatalogRequest, EnrollRequest, Refusal, RenewRequest, ReportAnswer,
};
use holdfast_server::{
    Diagnostic, Document, Expression, Fault, Inventory, Manifest, ManifestName, Partials, Snapshot, Template,
    Type,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A parser, given any bytes.
pub type Target = fn(&[u8]);

/// All of them by name: each is a fuzz target, and a part of the tests.
pub const TARGETS: [(&str, Target); 9] = [
    ("data", data),
    ("expression", expression),
    ("facts", facts),
    ("inventory", inventory),
    ("join", join),
    ("manifest", manifest),
    ("template", template),
    ("type", type_expression),
    ("wire", wire),
];

/// A file of a module.
pub fn manifest(bytes: &[u8]) {
    let read = || {
        let name = ManifestName::parse("web").expect("it is a name");
        Manifest::parse(name, &"modules/web/manifests/init.toml".into(), bytes).1
    };
    point_into(bytes, &read());
    assert_eq!(read(), read());
}

/// A file of data.
pub fn data(bytes: &[u8]) {
    let read = || Document::parse(&"hieradata/common.toml".into(), bytes, Some(&"common".into()));
    let (document, problems) = read();
    point_into(bytes, &problems);
    assert_eq!((document.root.to_map(), problems), (read().0.root.to_map(), read().1));
}

/// A customer's machines.
pub fn inventory(bytes: &[u8]) {
    let snapshot = Snapshot::of_files([("inventory/example/acme.toml", bytes.to_vec())]);
    let labels = BTreeSet::from([Arc::from("site")]);
    let (read, problems) = Inventory::read(&snapshot, &labels);
    point_into(bytes, &problems);
    assert!(read.nodes().all(|node| node.customer.as_str() == "acme" && node.reseller.as_str() == "example"));
}

/// What is between `${` and `}`.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let nothing = Map::default();
    match Expression::parse(text) {
        Ok(parsed) => {
            parsed.unknown(&nothing).iter().for_each(|fault| is_within(text, fault));
            let _ = parsed.evaluate(&nothing).map_err(|fault| is_within(text, &fault));
        }
        Err(fault) => is_within(text, &fault),
    }
}

/// A type expression.
pub fn type_expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Type::parse(text) {
        Ok(parsed) => {
            let written = parsed.to_string();
            let again = Type::parse(&written).map(|again| again.to_string());
            assert_eq!(again.as_deref(), Ok(&*written), "a type is read as it is written");
        }
        Err(fault) => is_within(text, &fault),
    }
}

/// No partials.
struct NoPartials;

impl Partials for NoPartials {
    fn find(&self, _: &str, _: &str) -> Result<Option<Arc<Template>>, Diagnostic> {
        Ok(None)
    }

    fn names(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// A template, rendered with nothing.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Template::compile(&"modules/web/templates/a.hbs".into(), &text.into()) {
        Ok(compiled) => {
            if let Err(problems) = compiled.render(&Map::default(), &NoPartials) {
                point_into(bytes, &problems);
            }
        }
        Err(problem) => point_into(bytes, &[problem]),
    }
}

/// What comes over the network, from either side.
pub fn wire(bytes: &[u8]) {
    there_and_back::<CatalogRequest>(bytes);
    there_and_back::<CatalogAnswer>(bytes);
    there_and_back::<EnrollRequest>(bytes);
    there_and_back::<RenewRequest>(bytes);
    there_and_back::<Report>(bytes);
    there_and_back::<ReportAnswer>(bytes);
    there_and_back::<Refusal>(bytes);
}

/// What a machine says about itself.
pub fn facts(bytes: &[u8]) {
    there_and_back::<Facts>(bytes);
}

/// What a new machine is given.
pub fn join(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<JoinString>() {
        Ok(parsed) => assert_eq!(&*parsed.reveal(), text.trim()),
        Err(error) => {
            assert!(text.len() < 8 || !error.to_string().contains(text), "an error repeats a secret");
        }
    }
}

/// What is read is written and read again as the same.
fn there_and_back<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_vec(&again).expect("it was before"), written);
}

fn is_within(text: &str, fault: &Fault) {
    let Fault { span, message, .. } = fault;
    assert!(text.get(span.clone()).is_some(), "`{message}` is at {span:?} of {} bytes", text.len());
}

/// Each place is one of the text, on the line that it says.
fn point_into(bytes: &[u8], problems: &[Diagnostic]) {
    for problem in problems {
        assert!(!problem.message.is_empty() && !problem.code.to_string().is_empty());
        for origin in problem.origin.iter().chain(problem.related.iter().map(|(origin, _)| origin)) {
            let (start, end) = (origin.start as usize, origin.end as usize);
            assert!(start <= end && end <= bytes.len(), "{problem:?}");
            let line = 1 + bytes[..start].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(origin.line as usize, line, "{problem:?}");
        }
    }
}
