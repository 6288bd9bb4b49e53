//! The probes of the customers' machines: shops behind a balancer, an application, mail, databases, names.

use super::{Cast, Probe, Scene, probe};

const LB: &str = "lb1.acme.example";
const WEB1: &str = "web1.acme.example";
const WEB2: &str = "web2.acme.example";

/// Acme's shops behind their balancer, which gets their addresses from the name server.
pub(super) const SHOP: Scene = Scene { nodes: &[LB, NS, WEB1, WEB2], probes: SHOP_PROBES };

const SHOP_PROBES: &[Probe] = &[
    probe(
        WEB1,
        "the shop answers by https at the balancer",
        "curl -sSfk --connect-to ::lb1.acme.example: https://shop.acme.example/ | grep 'Acme Climbing'",
    ),
    probe(
        WEB1,
        "anyone who comes without TLS is sent to https",
        "curl -sSI --connect-to ::lb1.acme.example: http://shop.acme.example/ | grep -i '^location: https://shop.acme.example/'",
    ),
    probe(
        LB,
        "the balancer finds both shops well",
        "curl -sSf 'http://127.0.0.1:8404/stats;csv' | grep '^shop,web1,.*,UP,' \
         && curl -sSf 'http://127.0.0.1:8404/stats;csv' | grep '^shop,web2,.*,UP,'",
    ),
    probe(
        LB,
        "it has figures for prometheus",
        "curl -sSf http://127.0.0.1:8404/metrics | grep -q '^haproxy_server_status'",
    ),
    probe(
        WEB1,
        "a client stays with its shop",
        "curl -sSfk -o /dev/null -D - --connect-to ::lb1.acme.example: https://shop.acme.example/ | grep -i '^set-cookie: shop=web'",
    ),
    probe(WEB1, "nobody else reaches a shop", "! nc -z -w 3 web2.acme.example 80"),
    probe(
        LB,
        "nginx names no version, and sends the site's headers",
        "curl -sSfI http://web2.acme.example/ | grep -ix 'server: nginx.' && curl -sSfI http://web2.acme.example/ | grep -i '^x-content-type-options: nosniff'",
    ),
    probe(WEB2, "one shop goes away", "systemctl stop nginx"),
    probe(
        LB,
        "the balancer sees it",
        "curl -sSf 'http://127.0.0.1:8404/stats;csv' | grep '^shop,web2,.*,DOWN,'",
    ),
    probe(
        WEB1,
        "the other goes on",
        "for i in 1 2 3 4; do curl -sSfk --connect-to ::lb1.acme.example: https://shop.acme.example/ | grep -q 'Acme Climbing' || exit 1; done",
    ),
    probe(WEB2, "it comes back", "systemctl start nginx"),
    probe(
        LB,
        "the balancer sees that, too",
        "curl -sSf 'http://127.0.0.1:8404/stats;csv' | grep '^shop,web2,.*,UP,'",
    ),
    probe(LB, "the application's port is for nobody else", "! nc -z -w 3 web1.acme.example 8000"),
];

const APP: &str = "app1.birch.example";
const NEXT: &str = "app2.birch.example";

/// Birch's storefront, and its next release.
pub(super) const STOREFRONT: Scene = Scene { nodes: &[APP, NEXT], probes: STOREFRONT_PROBES };

const STOREFRONT_PROBES: &[Probe] = &[
    probe(
        APP,
        "the release shows what PostgreSQL and Redis have",
        "page=$(curl -sSfk --connect-to ::127.0.0.1: https://store.birch.example/) && echo \"$page\" | grep '<h1>Birch Furniture</h1>' \
         && echo \"$page\" | grep 'Oak table: 420.00<' && echo \"$page\" | grep 'Release 1.2.0, [0-9]* visits, features: search<'",
    ),
    probe(
        NEXT,
        "the next release has what is new in it",
        "page=$(curl -sSfk --connect-to ::127.0.0.1: https://store.birch.example/) && echo \"$page\" | grep 'Stool: 45.00 (0 left)' \
         && echo \"$page\" | grep 'Release 1.3.0, [0-9]* visits, features: search, stock'",
    ),
    probe(
        NEXT,
        "anyone who comes without TLS is sent to https",
        "curl -sSI --connect-to ::app1.birch.example: http://store.birch.example/x | grep -i '^location: https://store.birch.example/x'",
    ),
    probe(
        NEXT,
        "how the application is, it tells its own machine alone",
        "[ \"$(curl -sSk -o /dev/null -w '%{http_code}' --connect-to ::app1.birch.example: https://store.birch.example/health)\" = 403 ]",
    ),
    probe(
        APP,
        "its own machine is told",
        "curl -sSfk --connect-to ::127.0.0.1: https://store.birch.example/health | grep -x '1.2.0 is well'",
    ),
    probe(
        APP,
        "its secrets are its own",
        "[ \"$(stat -c '%a %U %G' /srv/storefront/shared/config/secrets.env)\" = '640 root storefront' ] \
         && [ \"$(stat -c '%a %U' /etc/redis/password.conf)\" = '640 redis' ]",
    ),
    probe(APP, "Redis wants its password", "redis-cli ping | grep NOAUTH"),
    probe(APP, "PostgreSQL listens on its socket alone", "! ss -ltn | grep ':5432 '"),
    probe(
        APP,
        "the current release is a link, and shared things are linked",
        "[ \"$(readlink /srv/storefront/current)\" = releases/1.2.0 ] && [ -L /srv/storefront/current/config/features.json ]",
    ),
    probe(APP, "the application may do little", "systemd-analyze security --threshold=40 storefront.service"),
    probe(
        APP,
        "its database is dumped for the backup",
        "sh /etc/borg/before.d/postgresql && pg_restore --list /var/backups/postgresql/storefront.dump | grep products",
    ),
];

const RELAY: &str = "mail1.cedar.example";
const MX: &str = "mx1.cedar.example";

/// Cedar's newsletters, and the server with Cedar's mailboxes. The lab's smarthost is the mail host.
pub(super) const MAIL: Scene = Scene { nodes: &[RELAY, MX], probes: MAIL_PROBES };

const MAIL_PROBES: &[Probe] = &[
    probe(
        RELAY,
        "a letter is put into the folder of newsletters",
        "cd /srv/newsletter/letters && printf 'carla@cedar.example\\noffice@cedar.example\\n' >spring.to \
         && printf 'From: Cedar <bounces@cedar.example>\\nSubject: Spring\\n\\nIt is spring.\\n' >spring.eml \
         && systemctl start newsletter.service && [ -f ../sent/spring.eml ]",
    ),
    probe(
        MX,
        "it is in every mailbox",
        "for user in carla office; do doveadm search -u $user@cedar.example mailbox INBOX subject Spring | grep -q . || exit 1; done",
    ),
    probe(
        MX,
        "the relay relays for its own networks alone",
        "printf 'Subject: x\\n\\nx\\n' >/tmp/x && ! curl -sS smtp://mail1.cedar.example --mail-from a@b.example --mail-rcpt c@d.example -T /tmp/x 2>/tmp/said; grep -q 55 /tmp/said",
    ),
    probe(RELAY, "bounces are the newsletter's", "[ \"$(postalias -q bounces /etc/aliases)\" = newsletter ]"),
    probe(
        RELAY,
        "no mail is taken for a mailbox that is not there",
        "printf 'Subject: x\\n\\nx\\n' >/tmp/x && ! curl -sS smtp://mx1.cedar.example --mail-from a@b.example --mail-rcpt nobody@cedar.example -T /tmp/x 2>/tmp/said; grep -q 550 /tmp/said",
    ),
    probe(
        MX,
        "a user sends by password",
        "printf 'Subject: By password\\n\\nx\\n' >/tmp/x && curl -sSfk --ssl-reqd smtp://mx1.cedar.example:587 \
         --user \"carla@cedar.example:$(cat /root/mailboxes/carla@cedar.example)\" --mail-from carla.cedar@cedar.example \
         --mail-rcpt postmaster@cedar.example -T /tmp/x",
    ),
    probe(
        MX,
        "an alias gets it",
        "doveadm search -u office@cedar.example mailbox INBOX subject 'By password' | grep -q .",
    ),
    probe(
        MX,
        "nobody sends as somebody else",
        "! curl -sSfk --ssl-reqd smtp://mx1.cedar.example:587 --user \"carla@cedar.example:$(cat /root/mailboxes/carla@cedar.example)\" \
         --mail-from office@cedar.example --mail-rcpt office@cedar.example -T /tmp/x 2>/tmp/said; grep -q 553 /tmp/said",
    ),
    probe(
        RELAY,
        "nobody sends without a password",
        "! curl -sSfk --ssl-reqd smtp://mx1.cedar.example:587 --mail-from carla@cedar.example --mail-rcpt c@d.example -T /tmp/x 2>/tmp/said; grep -q 55 /tmp/said",
    ),
    probe(
        MX,
        "mail is read by IMAP over TLS",
        "curl -sSfk imaps://mx1.cedar.example/INBOX -X 'STATUS INBOX (MESSAGES)' \
         --user \"office@cedar.example:$(cat /root/mailboxes/office@cedar.example)\" | grep -x '.*MESSAGES [1-9].*'",
    ),
    probe(
        MX,
        "a wrong password opens nothing",
        "! curl -sSfk imaps://mx1.cedar.example/INBOX --user office@cedar.example:wrong",
    ),
    probe(MX, "a mailbox has its quota", "doveadm -f tab quota get -u carla@cedar.example | grep -w 5242880"),
];

/// One mailbox is removed, another is added, and mail for unknown addresses goes to Office from now on.
const OTHER_MAILBOXES: &str = r#"
[profile.mailhost.mailboxes]
"--carla@cedar.example" = true
"books@cedar.example"   = {}

[profile.mailhost.aliases]
"@cedar.example" = ["office@cedar.example"]
"#;

const OTHER_MAILBOX_PROBES: &[Probe] = &[
    probe(
        MX,
        "the password of a mailbox goes with it",
        "! [ -e /etc/dovecot/passwords/carla@cedar.example ]",
    ),
    probe(
        RELAY,
        "mail is handed in for a mailbox, and for a name that none has",
        "for name in books nobody; do printf 'Subject: For %s\n\nx\n' $name | curl -sSf smtp://mx1.cedar.example \
         --mail-from bounces@cedar.example --mail-rcpt $name@cedar.example -T - || exit 1; done",
    ),
    probe(
        MX,
        "the mailbox gets its own",
        "doveadm search -u books@cedar.example mailbox INBOX subject 'For books' | grep -q .",
    ),
    probe(
        MX,
        "anyone who gets the rest gets the rest alone",
        "doveadm search -u office@cedar.example mailbox INBOX subject 'For nobody' | grep -q . \
         && ! doveadm search -u office@cedar.example mailbox INBOX subject 'For books' | grep -q .",
    ),
];

/// Changes the mailboxes in the data, and checks the result.
pub(super) fn mailboxes_come_and_go(cast: &Cast) {
    cast.estate.give(MX, OTHER_MAILBOXES).unwrap();
    cast.converge("with other mailboxes");
    cast.ask("with other mailboxes", OTHER_MAILBOX_PROBES);
    cast.expect_nothing_to_do("with other mailboxes");
}

const DB: &str = "db1.acme.example";
const SQL: &str = "sql1.cedar.example";

/// Both database servers.
pub(super) const DATABASES: Scene = Scene { nodes: &[DB, SQL], probes: DATABASE_PROBES };

const DATABASE_PROBES: &[Probe] = &[
    probe(
        DB,
        "the database has its owner and its extension",
        "su postgres -c \"psql -AtXd shop -c 'select datdba::regrole from pg_database where datname = current_database()'\" | grep -x shop && su postgres -c \"psql -AtXd shop -c '\\\\dx'\" | grep ^pg_trgm",
    ),
    probe(
        DB,
        "reports read and no more",
        "su postgres -c \"psql -AtX -c \\\"select pg_has_role('reports', 'pg_read_all_data', 'member') and has_database_privilege('reports', 'shop', 'CONNECT') and not has_database_privilege('reports', 'shop', 'CREATE')\\\"\" | grep -x t",
    ),
    probe(
        DB,
        "all settings are in force",
        "[ \"$(su postgres -c \"psql -AtX -c \\\"select count(*) from pg_settings where pending_restart\\\"\")\" = 0 ] && su postgres -c \"psql -AtX -c 'show max_connections'\" | grep -x 200",
    ),
    probe(
        DB,
        "who may connect is understood",
        "[ \"$(su postgres -c \"psql -AtX -c \\\"select count(*) from pg_hba_file_rules where error is not null\\\"\")\" = 0 ]",
    ),
    probe(SQL, "the port is for the shops' networks alone", "! nc -z -w 3 db1.acme.example 5432"),
    probe(
        DB,
        "a dump comes before the backup",
        "sh /etc/borg/before.d/postgresql && pg_restore --list /var/backups/postgresql/shop.dump | grep pg_trgm",
    ),
    probe(
        DB,
        "a database comes back from its dump",
        "su postgres -c \"psql -Xd shop -c 'create table if not exists kept as select 7 as number'\" && sh /etc/borg/before.d/postgresql \
         && su postgres -c \"psql -Xd shop -c 'drop table kept'\" && su postgres -c 'psql -X -f /var/backups/postgresql/roles.sql' \
         && su postgres -c 'pg_restore --clean --if-exists --dbname=shop /var/backups/postgresql/shop.dump' \
         && su postgres -c \"psql -AtXd shop -c 'select number from kept'\" | grep -x 7",
    ),
    probe(
        SQL,
        "accounts may what they were granted",
        "mariadb -BNe \"show grants for 'stats'@'10.30.%'\" | grep 'INSERT' && mariadb -BNe \"show grants for 'reader'@'localhost'\" | grep 'SELECT ON .newsletter'",
    ),
    probe(
        SQL,
        "an account comes by TLS or not at all",
        "mariadb -BNe \"select ssl_type from mysql.user where user = 'stats'\" | grep -x ANY && mariadb -BNe \"show variables like 'have_ssl'\" | grep YES",
    ),
    probe(SQL, "the database is there", "mariadb -BNe \"show create database newsletter\" | grep utf8mb4"),
    probe(
        SQL,
        "the dump holds it, and the accounts",
        "sh /etc/borg/before.d/mariadb && zcat /var/backups/mariadb/newsletter.sql.gz | grep 'Dump completed' && grep stats /var/backups/mariadb/accounts.sql",
    ),
    probe(
        SQL,
        "a database comes back from its dump, and an account with its password",
        "mariadb newsletter -e 'create table if not exists kept as select 7 as number' && mariadb -e \"set password for 'stats'@'10.30.%' = password('x')\" \
         && before=$(mariadb -BNe \"select password from mysql.user where user = 'stats'\") && sh /etc/borg/before.d/mariadb \
         && mariadb newsletter -e 'drop table kept' && mariadb -e \"set password for 'stats'@'10.30.%' = password('y')\" \
         && zcat /var/backups/mariadb/newsletter.sql.gz | mariadb newsletter \
         && sed -n 's/^CREATE USER /ALTER USER IF EXISTS /p' /var/backups/mariadb/accounts.sql | mariadb --force \
         && mariadb newsletter -BNe 'select number from kept' | grep -x 7 \
         && [ \"$(mariadb -BNe \"select password from mysql.user where user = 'stats'\")\" = \"$before\" ]",
    ),
];

const NS: &str = "ns1.nordops.example";

/// The name server, and the resolver beside it.
pub(super) const NAMES: Scene = Scene { nodes: &[NS, WEB1], probes: NAME_PROBES };

const NAME_PROBES: &[Probe] = &[
    probe(
        NS,
        "the name server knows its zones",
        "dig +short @$(hostname -I | cut -d' ' -f1) shop.acme.example | grep -x 192.0.2.30 && dig +short @$(hostname -I | cut -d' ' -f1) cedar.example MX | grep -x '10 mx1.cedar.example.'",
    ),
    probe(
        NS,
        "a text record is whole",
        "dig +short @$(hostname -I | cut -d' ' -f1) cedar.example TXT | grep -x '\"v=spf1 mx a:mail1.cedar.example -all\"'",
    ),
    probe(
        NS,
        "it answers for nothing else",
        "dig @$(hostname -I | cut -d' ' -f1) example.org | grep 'status: REFUSED'",
    ),
    probe(
        NS,
        "nobody copies a zone",
        "dig @$(hostname -I | cut -d' ' -f1) acme.example AXFR | grep 'Transfer failed'",
    ),
    probe(
        NS,
        "the resolver finds what the name server knows",
        "dig +short @127.0.0.1 www.acme.example | grep -x 192.0.2.30 && dig +short www.acme.example | grep -x 192.0.2.30",
    ),
    probe(
        NS,
        "both are on port 53, each on addresses of its own",
        "ss -lnu | grep '127.0.0.1:53 ' && ss -lnu | grep \"$(hostname -I | cut -d' ' -f1):53 \"",
    ),
    probe(WEB1, "other machines reach the name server", "nc -z -w 3 ns1.nordops.example 53"),
];
