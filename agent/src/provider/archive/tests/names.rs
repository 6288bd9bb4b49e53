//! Names that are not UTF-8.

use super::*;

#[test]
fn a_member_with_a_name_that_is_not_utf_8_is_known_and_corrected_as_any_other() {
    let odd = "odd=\"$(printf 'caf\\351')\"";
    let mut bench = bench(&format!(
        "{APP}; {odd}; echo o >\"app-1/bin/$odd\"; ln -s \"$odd\" app-1/bin/link; \
         touch -d '2001-01-01' app-1/bin/*; tar -czf a.tgz app-1"
    ));
    add(&mut bench, "a.tgz", &[("strip", 1.into())]);
    succeeds(&mut bench);
    for (spoil, property, words) in [
        ("echo evil >\"app/bin/$odd\"", "sha256", r"bin/caf\xe9 differs"),
        ("chmod 4777 \"app/bin/$odd\"", "mode", r"of bin/caf\xe9"),
        ("ln -sf elsewhere app/bin/link", "sha256", "bin/link differs"),
    ] {
        sh(&bench, &format!("{odd}; {spoil}"));
        assert_eq!(said(&mut bench), [(property.to_owned(), words.to_owned())], "{spoil}");
        let right = "test \"$(cat app/bin/link)\" = o; test \"$(stat -c %a \"app/bin/$odd\")\" = 644";
        sh(&bench, &format!("{odd}; {right}"));
    }
    sh(&bench, "touch -d '2001-01-01' app/bin/*");
    let bin = path(&bench, "app/bin").to_str().unwrap().to_owned();
    bench.add("tidy", &bin, &[("age", "1d".into())].into());
    assert_eq!(bench.run(Mode::Enforce).events, [], "it was unpacked");
}
