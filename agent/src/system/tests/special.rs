//! FIFOs, sockets and devices, which are never opened.

use super::*;

#[test]
fn the_mode_of_a_fifo_is_set_and_a_link_in_its_place_is_not_followed() {
    let (dir, machine) = root();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o777),
        0,
    )
    .unwrap();
    machine.set_mode(Path::new("/fifo"), 0o640).unwrap();
    assert_eq!(std::fs::metadata(&fifo).unwrap().mode() & 0o7777, 0o640);
    symlink("fifo", dir.path().join("link")).unwrap();
    assert!(matches!(machine.set_mode(Path::new("/link"), 0o777), Err(Error::NotAFile(_))));
}
