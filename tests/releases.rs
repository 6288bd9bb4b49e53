//! The archives of Birch that the estate's module `application` ships must match the sources beside this file.

use std::path::Path;
use std::process::Command;

use harness::binaries::workspace;
use harness::process;

#[test]
fn an_archive_of_a_release_holds_its_sources_and_nothing_else() {
    let packed = tempfile::tempdir().unwrap();
    process::run(Command::new(workspace().join("tests/storefront/pack.sh")).arg(packed.path())).unwrap();
    let shipped = workspace().join("modules/application/files/releases/birch");
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    };
    assert_eq!(names(packed.path()), names(&shipped), "tests/storefront/pack.sh packs them");
    for name in names(&shipped) {
        // Compression may differ from machine to machine; the content may not.
        let unpacked = |folder: &Path| {
            process::run(Command::new("gzip").args(["--decompress", "--stdout"]).arg(folder.join(&name)))
                .unwrap()
        };
        assert!(unpacked(packed.path()) == unpacked(&shipped), "{name:?} is not what its sources say");
    }
}
