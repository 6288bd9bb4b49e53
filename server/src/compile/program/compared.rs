//! Finds comparisons that are never true, from the manifests alone: a parameter is compared with a literal that its
//! type does not allow, such as an integer with a string, or with a word that is not in its `Enum`. In CEL they are
//! false without an error.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Value};

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::inventory::Stage;
use crate::language::expression::ComparisonUse;
use crate::language::manifest::Manifest;
use crate::language::{Fault, Formula, Interpolation, Type};

use super::Program;

/// The warnings about a manifest.
pub(super) fn check(program: &Program, manifest: &Manifest) -> Vec<Diagnostic> {
    let texts = manifest.formulas().into_iter().flat_map(Formula::texts);
    let told = |(text, origin): (&Interpolation, Option<&Arc<Origin>>)| {
        let expressions = text.expressions();
        let of_one = |(compared, offset): (ComparisonUse, usize)| {
            let of = type_of(manifest, &compared.path)?;
            let problem = never(program, &of, &compared)?;
            let fault = Fault::new(Code::WrongType, problem.message, compared.span);
            let placed = fault.shifted(offset).within(origin).diagnostic(Some(&manifest.text));
            let (code, severity) = (Code::NeverTrue, Severity::Warning);
            Some(Diagnostic { code, severity, help: problem.help, ..placed })
        };
        let all = expressions.flat_map(|(expression, offset)| {
            expression.uses().compared.iter().map(move |compared| (compared.clone(), offset))
        });
        all.filter_map(of_one).collect::<Vec<_>>()
    };
    texts.flat_map(told).collect()
}

/// The type of a name, if it is known without any values.
fn type_of(manifest: &Manifest, path: &str) -> Option<Type> {
    match path {
        "node.stage" => Some(Type::Enum(Stage::NAMES.iter().map(|name| Arc::from(*name)).collect())),
        _ => manifest.parameter(path).map(|parameter| parameter.of.clone()),
    }
}

/// The warning that no value of a type equals a literal, without a place; `None` if one may.
fn never(program: &Program, of: &Type, compared: &ComparisonUse) -> Option<Diagnostic> {
    let literal = &compared.value;
    // comparing with null is allowed even if null is not; the type of a secret says nothing about its text
    if literal.is_null() || of.names_secrets() {
        return None;
    }
    let fits = |value: &Value| of.check(value, program.modules()).is_empty();
    // numbers are equal by value, whatever their types
    let other = match literal.kind {
        Kind::Float(float) if float.fract() == 0.0 => Some(Value::from(float as i64)),
        Kind::Int(int) => Some(Value::from(int as f64)),
        _ => None,
    };
    if fits(literal) || other.as_ref().is_some_and(fits) {
        return None;
    }
    let (path, shown) = (&compared.path, literal.shown());
    let message = format!("`{path}` is of the type {of}, so it never equals {shown}");
    let problem = Diagnostic::warning(Code::NeverTrue, message, None);
    let number =
        literal.as_str().and_then(|text| text.parse::<i64>().ok()).filter(|number| fits(&(*number).into()));
    match (number, of, literal.as_str()) {
        (Some(number), ..) => Some(problem.help(format!("write a number without quotes: {number}"))),
        (None, Type::Enum(words), Some(text)) => {
            Some(problem.did_you_mean(text, words.iter().map(|word| &**word)))
        }
        _ => Some(problem),
    }
}
