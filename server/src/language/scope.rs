//! What names mean in an expression or a template.

use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::budget::SharedBudget;
use super::fault::Fault;

/// The names and functions that an expression or a template can use. It is asked lazily, name by name: what is not used
/// is never evaluated. Interior mutability is up to the implementation (to keep the value of a `let`, or to record
/// reads).
pub trait Scope {
    /// The value of a root name such as `facts`, a parameter or a `let`; `None` if there is no such name.
    ///
    /// # Errors
    /// Returns an error if the name is known, but its own value failed: [`Fault::caused_by`] or [`Fault::of_scope`].
    fn resolve(&self, name: &str) -> Result<Option<Value>, Fault>;

    /// Calls a function that only this scope has, such as `lookup` or `template`; `None` if there is no such function.
    /// Built-in functions take precedence and are not looked for here.
    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, Fault>> {
        let _ = (name, arguments);
        None
    }

    /// All root names, for `did you mean` and for checks that evaluate nothing.
    fn names(&self) -> Vec<Arc<str>>;

    /// The names of the functions that [`Scope::call`] has.
    fn functions(&self) -> &[&str] {
        &[]
    }

    /// The allowance that all evaluations of one compile share; by default, each evaluation has its own.
    fn allowance(&self) -> SharedBudget {
        SharedBudget::default()
    }

    /// Called for every read of a name from [`Scope::resolve`], with its dotted path as written, such as
    /// `facts.os.family`. `value` is `None` if nothing is there; otherwise it has its origin. Only for recording.
    fn read(&self, path: &str, value: Option<&Value>) {
        let _ = (path, value);
    }
}

/// A map as a scope, for tests and for paths of the hierarchy.
impl Scope for holdfast_catalog::value::Map {
    fn resolve(&self, name: &str) -> Result<Option<Value>, Fault> {
        Ok(self.get(name).cloned())
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.keys().cloned().collect()
    }
}
