//! Whether something exists: the `ensure` of every type that has no other states.

use super::keywords;

keywords! {
    /// Whether something exists.
    Presence {
        /// It exists.
        Present = "present",
        /// It does not exist.
        Absent = "absent",
    }
}
