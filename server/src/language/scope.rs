//! What names mean where an expression or a template stands.

use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::budget::Allowance;
use super::fault::Fault;

/// The names and functions that an expression or a template sees. Asked lazily, name by name: what is not used
/// is never evaluated. Interior mutability is the implementer's affair (memoising a `let`, recording reads).
pub trait Scope {
    /// The value of a root name such as `facts`, a parameter or a `let`; `None` where there is no such name.
    ///
    /// # Errors
    /// The name is known, but its own value cannot be had: [`Fault::caused_by`] or [`Fault::of_scope`].
    fn resolve(&self, name: &str) -> Result<Option<Value>, Fault>;

    /// Calls a function that only this scope has, such as `lookup` or `template`; `None` where there is none. The
    /// built-in functions come first and are not asked for here.
    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, Fault>> {
        let _ = (name, arguments);
        None
    }

    /// All root names, for `did you mean` and for checks that evaluate nothing.
    fn names(&self) -> Vec<Arc<str>>;

    /// The names of the functions that [`Scope::call`] knows.
    fn functions(&self) -> &[&str] {
        &[]
    }

    /// What all evaluations of one compile share; by default, each evaluation is for itself.
    fn allowance(&self) -> Allowance {
        Allowance::default()
    }

    /// Told of every read of a name that came from [`Scope::resolve`], by its dotted path, as long as it is
    /// written: `facts.os.family`. `None` where nothing is there. The value has its origin. For recording alone.
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
