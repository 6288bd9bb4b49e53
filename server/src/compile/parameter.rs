//! Where the value of a parameter or a `let` comes from: what is given where the class or define is declared, else the
//! data (for classes), else the default, else null. Also checks that it has the declared type.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::Fault;
use crate::language::manifest::{ManifestKind, Parameter};
use crate::language::sample::sample;

use super::pass::Pass;
use super::scope::Frame;
use super::unit::{ManifestInstance, TracedValue, UnitName, ValueState};

/// How many names may depend on each other in a chain.
const MAX_DEPTH: usize = 64;

impl<'a> Pass<'a> {
    /// The value of a parameter or a `let`, computed when it is first needed.
    ///
    /// # Errors
    /// Returns an error if it has no value; the reason has been reported, or is that it depends on itself.
    pub(super) fn value_of(
        &self,
        unit: &ManifestInstance<'a>,
        at: usize,
        named: UnitName<'a>,
    ) -> Result<TracedValue, Fault> {
        match unit.slot(at) {
            ValueState::Ready(traced) => return Ok(traced),
            ValueState::Failed(why) => return Err(Fault::caused_by(*why)),
            ValueState::Running => return Err(Fault::caused_by(self.circle(named))),
            ValueState::Waiting => {}
        }
        if self.running.borrow().len() >= MAX_DEPTH {
            return Err(Fault::of_scope(
                Code::Limit,
                format!("more than {MAX_DEPTH} names depend on each other in a row"),
            ));
        }
        unit.settle(at, ValueState::Running);
        self.running.borrow_mut().push(named);
        let before = self.problems_so_far();
        let computed = match named {
            UnitName::Parameter(parameter) => self.parameter(unit, parameter),
            UnitName::Let(binding) => Frame::new(self, unit, None).evaluate(&binding.value),
        };
        self.running.borrow_mut().pop();
        match computed {
            Some(traced) => {
                unit.settle(at, ValueState::Ready(traced.clone()));
                Ok(traced)
            }
            None => {
                let why = Box::new(self.why_since(before));
                unit.settle(at, ValueState::Failed(why.clone()));
                Err(Fault::caused_by(*why))
            }
        }
    }

    fn circle(&self, named: UnitName<'a>) -> Diagnostic {
        let running = self.running.borrow();
        let start = running.iter().position(|other| Arc::ptr_eq(other.origin(), named.origin())).unwrap_or(0);
        let names: Vec<_> =
            running[start..].iter().chain([&named]).map(|n| format!("`{}`", n.name())).collect();
        let origin = Origin::clone(running[start].origin());
        let mut problem =
            Diagnostic::error(Code::Cycle, format!("{} depend on each other", names.join(" -> ")), origin)
                .label("depends on itself")
                .help("give one of them a value that does not depend on the others");
        for other in &running[start + 1..] {
            problem = problem.related(Origin::clone(other.origin()), "through this");
        }
        problem
    }

    fn parameter(&self, unit: &ManifestInstance<'a>, parameter: &'a Parameter) -> Option<TracedValue> {
        let given = unit.given.borrow().get(&parameter.name).cloned();
        let mut null = None;
        if let Some(given) = given {
            let mut traced = given.traced?;
            if traced.sources.is_empty()
                && traced.value.origin.as_ref().is_none_or(|origin| origin.level.is_none())
            {
                traced.sources.push(given.origin.clone());
            }
            if !traced.value.is_null() {
                return self.fits(unit, parameter, traced, &given.origin);
            }
            null = (unit.manifest.kind == ManifestKind::Define).then_some(given.origin);
        }
        if unit.manifest.kind == ManifestKind::Class {
            match self.parameter_from_data(unit, parameter) {
                Err(problems) => {
                    problems.into_iter().for_each(|problem| self.report(problem));
                    return None;
                }
                Ok(Some(value)) if !value.is_null() => {
                    let traced = TracedValue { value, sources: Vec::new() };
                    return self.fits(unit, parameter, traced, &parameter.origin);
                }
                Ok(value) => null = value.and_then(|value| value.origin),
            }
        }
        if let Some(default) = &parameter.default {
            let traced = Frame::new(self, unit, None).evaluate(default)?;
            return self.fits(unit, parameter, traced, &parameter.origin);
        }
        if parameter.of.takes_null() {
            return Some(TracedValue { value: Value::NULL, sources: Vec::new() });
        }
        if let Some(value) = self.sampled(unit, parameter) {
            let traced = TracedValue { value, sources: Vec::new() };
            return self.fits(unit, parameter, traced, &parameter.origin);
        }
        self.report(missing(unit, parameter, null.as_ref()));
        None
    }

    /// A sample in place of a value from the data, if the program is only tried with samples.
    fn sampled(&self, unit: &ManifestInstance<'a>, parameter: &Parameter) -> Option<Value> {
        let may_be = self.program.is_sampled && unit.manifest.kind == ManifestKind::Class;
        let value = || sample(&parameter.of, &parameter.name, &self.program.modules);
        if may_be { value() } else { None }
    }

    fn fits(
        &self,
        unit: &ManifestInstance<'a>,
        parameter: &Parameter,
        mut traced: TracedValue,
        fallback: &Arc<Origin>,
    ) -> Option<TracedValue> {
        traced.value = parameter.of.sealed(&traced.value, &self.program.modules);
        let misfits = parameter.of.check(&traced.value, &self.program.modules);
        if misfits.is_empty() {
            return Some(traced);
        }
        let subject = format!("parameter `{}` of `{}`", parameter.name, unit.manifest.name);
        for misfit in misfits {
            let texts = |file: &str| self.program.snapshot.text(file);
            let problem = misfit.diagnostic(&subject, Some(fallback), &texts);
            if self.has_problem_at(problem.origin.as_ref()) {
                continue; // such as a number beyond 64 bits, which was replaced by another value
            }
            let elsewhere = problem.origin.as_ref() != Some(&*parameter.origin);
            self.report(match elsewhere {
                true => problem.related(
                    Origin::clone(&parameter.origin),
                    format!("its type is {}", parameter.type_text),
                ),
                false => problem,
            });
        }
        None
    }
}

/// The error for a parameter without a value; `null` is the place that gives it null.
fn missing(unit: &ManifestInstance<'_>, parameter: &Parameter, null: Option<&Arc<Origin>>) -> Diagnostic {
    let name = &unit.manifest.name;
    let (place, help) = match unit.manifest.kind {
        ManifestKind::Class => {
            let table = name.as_str().replace("::", ".");
            let help = format!(
                "give it in the data: `{} = …` under `[{table}]`, or give it a default",
                parameter.name
            );
            (&parameter.origin, help)
        }
        ManifestKind::Define => {
            (&unit.origin, format!("give `{} = …` here, or give it a default", parameter.name))
        }
    };
    let message = format!("parameter `{}` of `{}` has no value", parameter.name, unit.name());
    if let Some(null) = null {
        return Diagnostic::error(
            Code::MissingParameter,
            format!("{message}: it is null here"),
            Origin::clone(null),
        )
        .label("null is not a value")
        .help(match unit.manifest.kind {
            ManifestKind::Class => {
                "less specific levels are not read after a null: give a value here, or remove the line"
            }
            ManifestKind::Define => "give a value, or give the parameter a default",
        })
        .related(Origin::clone(&parameter.origin), format!("its type is {}", parameter.type_text));
    }
    let problem = Diagnostic::error(Code::MissingParameter, message, Origin::clone(place)).help(help);
    match unit.manifest.kind {
        ManifestKind::Class => problem.related(Origin::clone(&unit.origin), "declared here"),
        ManifestKind::Define => {
            problem.related(Origin::clone(&parameter.origin), format!("its type is {}", parameter.type_text))
        }
    }
}
