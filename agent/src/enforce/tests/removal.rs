//! A directory is not removed with what another resource wants in it. If only the machine reveals that, both fail.

use super::claims::{link, machine};
use super::*;

type Said = (&'static str, &'static str, Vec<(&'static str, Value)>);

fn gone(type_name: &'static str, title: &'static str, more: &[(&'static str, Value)]) -> Said {
    let absent = [("ensure", Value::from("absent"))];
    (type_name, title, absent.into_iter().chain(more.iter().cloned()).collect())
}

fn file(title: &'static str, attributes: &[(&'static str, Value)]) -> Said {
    ("file", title, attributes.to_vec())
}

/// The resource that removes, the one that wants something in the directory, and why that is there.
fn pairs() -> Vec<(Said, Said, &'static str)> {
    let force = ("force", Value::from(true));
    let mode = ("mode", Value::from("0600"));
    let home = [("home", Value::from("/srv/l/t1")), ("manage_home", true.into())];
    vec![
        (
            gone("file", "/data/app", std::slice::from_ref(&force)),
            file("/srv/app/conf", std::slice::from_ref(&mode)),
            "`/srv/app` leads to `/data/app`",
        ),
        (
            gone("archive", "/data/app", std::slice::from_ref(&force)),
            file("/srv/app/conf", std::slice::from_ref(&mode)),
            "`/srv/app` leads to `/data/app`",
        ),
        (
            file("/data/app", &[("target", "/elsewhere".into()), force.clone()]),
            file("/data/app/conf", std::slice::from_ref(&mode)),
            "needs `/data/app/conf` there;",
        ),
        (
            file("/data/app", &[("content", "x".into()), force.clone()]),
            file("/srv/app/conf", &[("content", "0".into())]),
            "needs `/srv/app/conf` there, since",
        ),
        (gone("file", "/data", &[force]), ("user", "t1", home.to_vec()), "`/srv/l` leads to `/data`"),
        (
            gone("user", "dave", &[("manage_home", true.into())]),
            file("/srv/d/.ssh/authorized_keys", &[mode]),
            "would remove `/srv/d`",
        ),
    ]
}

#[test]
fn nothing_is_removed_that_another_resource_wants() {
    for (remover, other, why) in pairs() {
        for (first, second) in [(&remover, &other), (&other, &remover)] {
            let double = machine();
            link(&double, "/srv/l", "/data");
            std::fs::create_dir_all(double.root.path().join("data/t1")).unwrap();
            let passwd = double.root.path().join("etc/passwd");
            let text = std::fs::read_to_string(&passwd).unwrap();
            std::fs::write(passwd, format!("{text}t1:x:1002:1002::/srv/l/t1:/bin/sh\n")).unwrap();
            let mut bench = Bench::double(double);
            for (type_name, title, attributes) in [first, second] {
                let index = bench.add(type_name, title, &Value::from([]));
                attributes.iter().for_each(|(name, value)| bench.set(index, name, value.clone()));
            }
            let findings = bench.run(Mode::Enforce);
            let pair = format!("{first:?} | {second:?}");
            assert_eq!(
                (findings.counts.failed, findings.counts.changed),
                (2, 0),
                "{pair}: {:#?}",
                findings.events
            );
            let told = |one: &Said| {
                let name = format!("{}[{}]", one.0, one.1);
                event(&findings, &name, Status::Failed).reason.clone().unwrap()
            };
            assert!(
                told(&remover).contains(why) || told(&other).contains(why),
                "{pair}: {:#?}",
                findings.events
            );
            for path in ["data/app/conf", "srv/d/.ssh/authorized_keys", "data/t1"] {
                assert!(bench.root().join(path).exists(), "{pair}: {path} is gone");
            }
        }
    }
}
