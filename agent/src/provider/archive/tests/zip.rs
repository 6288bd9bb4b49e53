//! What is particular to archives of zip.

use super::{APP, add, bench, fails, succeeds};

#[test]
fn a_zip_that_unzip_unpacks_with_a_warning_is_unpacked() {
    if !crate::skip::has(&["unzip", "python3"]) {
        return;
    }
    let backslashes = r#"python3 -c "
import zipfile
z = zipfile.ZipFile('a.zip', 'w')
i = zipfile.ZipInfo('x'); i.filename = 'app-1\\\\bin\\\\app'; i.create_system = 0
z.writestr(i, 'one')
z.close()
""#;
    for pack in [backslashes, "python3 -m zipfile -c b.zip app-1; { echo '#!/bin/sh'; cat b.zip; } >a.zip"] {
        let mut bench = bench(&format!("{APP}; {pack}"));
        add(&mut bench, "a.zip", &[("strip", 1.into()), ("creates", "bin/app".into())]);
        succeeds(&mut bench);
        assert_eq!(bench.read("app/bin/app").as_deref().map(str::trim_end), Some("one"), "{pack}");
    }
}

#[test]
fn a_zip_with_absolute_names_or_a_method_that_unzip_does_not_know_is_refused() {
    if !crate::skip::has(&["unzip", "python3"]) {
        return;
    }
    let zip = |more: &str| {
        format!("{APP}; python3 -c \"import zipfile; z = zipfile.ZipFile('a.zip', 'w'{more}; z.close()\"")
    };
    for (pack, words) in [
        ("); i = zipfile.ZipInfo('x'); i.filename = '/app-1/evil'; z.writestr(i, 'x')", "absolute"),
        ("); z.writestr('app-1/../../evil', 'x')", "holds `app-1/../../evil`, which leads out"),
        (", zipfile.ZIP_LZMA); z.write('README')", "cannot unpack"),
    ] {
        let mut bench = bench(&zip(pack));
        add(&mut bench, "a.zip", &[]);
        fails(&mut bench, words);
    }
}
