//! Whether something is there: the `ensure` of every type that knows no other states.

use super::keywords;

keywords! {
    /// Whether something exists.
    Presence {
        /// It does.
        Present = "present",
        /// It does not.
        Absent = "absent",
    }
}
