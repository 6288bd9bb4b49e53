//! Logs over TLS: both machines have certificates from one authority, and clients without a certificate are refused.

use harness::lab::Host;

use super::{Cast, OPS, SOON, WEB};

/// Makes an authority and a certificate for each of the two machines, as an operator would elsewhere.
const PKI: &str = r#"
mkdir -p /root/pki && cd /root/pki
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $key -keyout ca.key -out ca.pem -days 30 -subj /CN=logs
for name in ops1.nordops.example web1.acme.example; do
    openssl req $key -keyout "$name.key" -out "$name.csr" -subj "/CN=$name"
    echo "subjectAltName=DNS:$name" >extensions
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out "$name.pem"
done"#;

/// Where rsyslog finds the certificates.
const FILES: &str = r#"
[rsyslog]
ca_file   = "/etc/rsyslog.tls/ca.pem"
cert_file = "/etc/rsyslog.tls/cert.pem"
key_file  = "/etc/rsyslog.tls/key.pem"
"#;

const SERVER: &str = "
[profile.log_server]
port = 6514

[rsyslog.server]
tls = true
";

/// The clients that the server then accepts, among those with a certificate.
const PEERS: &str = "peers = [\"*.acme.example\"]\n";

const CLIENT: &str = "
[rsyslog.forward]
tls  = true
port = 6514

[rsyslog.forward.leave_out.noise]
program = \"noise\"
";

/// What arrives from clients, in a file for each.
const ARRIVED: &str = "/var/log/remote/*/messages.log";

/// Makes both machines use TLS from now on, and checks what arrives.
pub(super) fn are_heard_by_certificate_alone(cast: &Cast) {
    let (server, client) = (cast.host(OPS), cast.host(WEB));
    server.sh(PKI).unwrap();
    for (host, part) in [(server, SERVER), (client, CLIENT)] {
        hand_over(server, host);
        cast.estate.give(host.certname(), &format!("{FILES}{part}")).unwrap();
    }
    cast.converge("with certificates");
    client.sh("logger --tag noise 'not to be sent'").unwrap();
    hears(server, client, "sent by tls");
    // As a line of the program itself: the machine also logs that the script was run.
    server.sh(&format!("! grep 'noise not to be sent' {ARRIVED}")).unwrap();
    let intruder = "printf '<13>1 2026-01-01T00:00:00Z intruder x - - - in the clear\\n' | nc -q 2 ops1.nordops.example 6514";
    cast.host(super::DB).sh(&format!("{intruder} || true")).unwrap();
    hears(server, client, "after the intruder");
    server.sh(&format!("! grep 'intruder x in the clear' {ARRIVED}")).unwrap();
    cast.estate.give(server.certname(), &format!("{FILES}{SERVER}{PEERS}")).unwrap();
    cast.converge("for clients of some names");
    hears(server, client, "by its name");
}

/// Checks that a line that the client logs arrives.
fn hears(server: &Host, client: &Host, line: &str) {
    client.sh(&format!("logger --tag sealed '{line}'")).unwrap();
    let arrives = |host: &Host| host.sh(&format!("grep 'sealed {line}' {ARRIVED}"));
    server.wait_for(&format!("a line by TLS, {line}, arrives"), SOON, arrives).unwrap();
}

/// Copies a machine's certificate and key to where it keeps them.
fn hand_over(from: &Host, to: &Host) {
    for (source, target) in [
        ("ca.pem", "ca.pem"),
        (&format!("{}.pem", to.certname()), "cert.pem"),
        (&format!("{}.key", to.certname()), "key.pem"),
    ] {
        let bytes = from.read(&format!("/root/pki/{source}")).unwrap();
        to.write(&format!("/etc/rsyslog.tls/{target}"), bytes).unwrap();
    }
    to.sh("chmod 600 /etc/rsyslog.tls/key.pem").unwrap();
}
