//! Text files that resources own as a whole or in part, for the types that do.

pub mod boot_files; // files from several directories, in the order in which the boot reads them
pub mod deb822; // stanzas of fields
pub mod edit; // a part of a file
pub mod whole_file; // a whole file at a path that the type knows
