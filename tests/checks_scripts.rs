//! The ready-made checks of `packaging/checks`, with programs in the place of the services' own clients that answer as
//! those do. `http-json` and `nginx` ask a real server, through curl.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

/// The programs that a check finds before all others.
struct Fakes(tempfile::TempDir);

impl Fakes {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A program with that shell code.
    fn program(self, name: &str, code: &str) -> Self {
        let path = self.0.path().join(name);
        // Written under another name: a program that is open for writing cannot be run.
        let draft = self.0.path().join(format!("{name}.draft"));
        fs::write(&draft, format!("#!/bin/sh\n{code}\n")).unwrap();
        fs::set_permissions(&draft, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(Command::new("cp").arg("-p").args([&draft, &path]).status().unwrap().success());
        self
    }

    /// Runs a check; whether it found all well, and its last line.
    fn run(&self, check: &str, arguments: &[&str]) -> (bool, String) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/checks").join(check);
        let programs = format!("{}:/usr/bin:/bin", self.0.path().display());
        let output = Command::new(path).args(arguments).env_clear().env("PATH", programs).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let last = String::from_utf8(said).unwrap().lines().last().unwrap_or_default().to_owned();
        (output.status.success(), last)
    }
}

#[track_caller]
fn good(found: &(bool, String), last: &str) {
    assert_eq!(found, &(true, last.into()));
}

#[track_caller]
fn bad(found: &(bool, String), last: &str) {
    assert_eq!(found, &(false, last.into()));
}

/// A server that gives each connection the same answer.
fn server(status: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut octet = [0];
                stream.read_exact(&mut octet).unwrap();
                request.extend(octet);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

fn nobody() -> String {
    format!("http://{}/", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

#[test]
fn nginx_has_a_valid_configuration_and_answers() {
    let valid = Fakes::new().program("nginx", r#"[ "$*" = "-t -q" ]"#);
    let (ok, broken) = (server("404 Not Found", ""), server("502 Bad Gateway", ""));
    good(&valid.run("nginx", &[&ok]), &format!("{ok} answers with status 404"));
    bad(&valid.run("nginx", &[&broken, "shop.example"]), &format!("{broken} answers with status 502"));
    let closed = nobody();
    bad(&valid.run("nginx", &[&closed]), &format!("no answer from {closed} (curl: exit status 7)"));
    let invalid = Fakes::new().program("nginx", "echo 'nginx: [emerg] unknown directive \"lisen\"' >&2; exit 1");
    bad(&invalid.run("nginx", &[&ok]), "the configuration is not valid: nginx: [emerg] unknown directive \"lisen\"");
    good(&invalid.run("nginx", &["--no-config", &ok]), &format!("{ok} answers with status 404"));
}

/// A `redis-cli` that answers each of the three questions.
fn redis(ping: &str, info: &str, cluster: &str) -> Fakes {
    let code = format!(
        "[ \"$1 $2 $3 $4\" = '-h 127.0.0.1 -p 6379' ] || exit 9; shift 4\n\
         case \"$*\" in PING) printf '{ping}' ;; 'INFO cluster') printf '{info}' ;; 'CLUSTER INFO') printf '{cluster}' ;; esac"
    );
    Fakes::new().program("redis-cli", &code)
}

#[test]
fn redis_answers_and_its_cluster_is_in_order() {
    let enabled = "# Cluster\\r\\ncluster_enabled:1\\r\\n";
    let alone = redis("PONG\\n", "# Cluster\\r\\ncluster_enabled:0\\r\\n", "ERR");
    good(&alone.run("redis", &[]), "answers");
    let ok = redis("PONG\\n", enabled, "cluster_state:ok\\r\\ncluster_slots_assigned:16384\\r\\n");
    good(&ok.run("redis", &["127.0.0.1:6379"]), "answers, cluster_state ok");
    let fail = redis("PONG\\n", enabled, "cluster_state:fail\\r\\n");
    bad(&fail.run("redis", &[]), "cluster_state is fail");
    let locked = redis("NOAUTH Authentication required.\\n", enabled, "");
    bad(&locked.run("redis", &[]), "127.0.0.1:6379 answers PING with: NOAUTH Authentication required.");
    let hung = Fakes::new().program("redis-cli", "exec sleep 60");
    bad(&hung.run("redis", &[]), "127.0.0.1:6379 answers PING with: nothing within 2s");
}

#[test]
fn redis_takes_its_password_from_a_file() {
    let code = r#"case "$*" in *PING) echo "$REDISCLI_AUTH" ;; *) echo cluster_enabled:0 ;; esac"#;
    let fakes = Fakes::new().program("redis-cli", code);
    let file = fakes.0.path().join("password");
    fs::write(&file, "PONG\n").unwrap();
    good(&fakes.run("redis", &["127.0.0.1:6379", file.to_str().unwrap()]), "answers");
}

/// A `mariadb` that answers both questions, if it is asked at that address.
fn mysql(at: &str, select: &str, wsrep: &str) -> (Fakes, String) {
    let code = format!(
        "case \"$*\" in *'{at}'*) ;; *) exit 9 ;; esac\n\
         case \"$*\" in *'SELECT 1') {select} ;; *wsrep_ready*) {wsrep} ;; esac"
    );
    let fakes = Fakes::new().program("mariadb", &code);
    let options = fakes.0.path().join("mysql.cnf");
    fs::write(&options, "[client]\n").unwrap();
    (fakes, options.to_str().unwrap().to_owned())
}

#[test]
fn mysql_takes_the_login_and_the_node_is_ready() {
    let tcp = "--host=127.0.0.1 --port=3306";
    let (alone, options) = mysql(tcp, "echo 1", ":");
    good(&alone.run("mysql", &["127.0.0.1:3306", &options]), "answers");
    let (ready, options) = mysql("--socket=/run/mysqld/mysqld.sock", "echo 1", "printf 'wsrep_ready\\tON\\n'");
    good(&ready.run("mysql", &["/run/mysqld/mysqld.sock", &options]), "answers, wsrep_ready");
    let (split, options) = mysql(tcp, "echo 1", "printf 'wsrep_ready\\tOFF\\n'");
    bad(
        &split.run("mysql", &["127.0.0.1:3306", &options]),
        "wsrep_ready is OFF: the node is not in a primary component",
    );
    let denied = "ERROR 1045 (28000): Access denied for user";
    let (locked, options) = mysql(tcp, &format!("echo '{denied}' >&2; exit 1"), ":");
    bad(&locked.run("mysql", &["127.0.0.1:3306", &options]), &format!("no answer: {denied}"));
    let (_, last) = locked.run("mysql", &["127.0.0.1:3306", "/no/such.cnf"]);
    assert!(last.starts_with("/no/such.cnf cannot be read by "), "{last}");
}

/// A `docker` in a swarm whose node is in that state, with these services.
fn docker(state: &str, services: &str) -> Fakes {
    let code = format!("case \"$1\" in info) echo '{state}' ;; service) printf '{services}' ;; esac");
    Fakes::new().program("docker", &code)
}

#[test]
fn docker_swarm_has_an_active_node_and_all_replicas() {
    good(&docker("active ", "").run("docker-swarm", &[]), "active");
    bad(&docker("inactive ", "").run("docker-swarm", &[]), "this node is inactive");
    bad(&docker("error no manager", "").run("docker-swarm", &[]), "this node is error: no manager");
    let fakes = docker("active ", "web 3/3\\nweb-admin 0/1\\nidle 0/0\\nlimited 2/2 (max 1 per node)\\n");
    good(&fakes.run("docker-swarm", &["web", "limited"]), "active, all replicas of web limited");
    bad(&fakes.run("docker-swarm", &["web", "web-admin"]), "service web-admin has 0/1 replicas");
    bad(&fakes.run("docker-swarm", &["idle"]), "service idle has 0/0 replicas");
    bad(&fakes.run("docker-swarm", &["we"]), "there is no service we");
    let down = Fakes::new().program("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1");
    bad(&down.run("docker-swarm", &[]), "docker does not answer: Cannot connect to the Docker daemon");
}

#[test]
fn http_json_reads_a_field() {
    let fakes = Fakes::new();
    let health = server("200 OK", r#"{"status": "UP", "checks": {"database": {"status": "down"}, "replicas": 2}}"#);
    good(&fakes.run("http-json", &[&health]), ".status is UP");
    good(&fakes.run("http-json", &[&health, ".checks.replicas", "2"]), ".checks.replicas is 2");
    bad(&fakes.run("http-json", &[&health, ".checks.database.status"]), ".checks.database.status is down");
    bad(&fakes.run("http-json", &[&health, ".checks.replicas", "3"]), ".checks.replicas is 2, not 3");
    bad(&fakes.run("http-json", &[&health, ".state"]), ".state is null");
    let error = server("503 Service Unavailable", r#"{"status": "UP"}"#);
    bad(&fakes.run("http-json", &[&error]), "curl: (22) The requested URL returned error: 503");
    let (well, last) = fakes.run("http-json", &[&server("200 OK", "<html>")]);
    assert!(!well && last.contains("parse error"), "{last}");
    bad(&fakes.run("http-json", &[]), "usage: http-json URL [FIELD] [VALUE]");
}

#[test]
fn disk_space_counts_octets_and_inodes() {
    let fakes = Fakes::new()
        .program("df", "[ \"$1\" = --output=pcent,ipcent ] && printf 'Use%% IUse%%\\n %s\\n' \"$(cat \"$3\")\"");
    let file = fakes.0.path().join("usage");
    for (usage, found) in [
        ("90% 20%", (true, "10% of the space and 80% of the inodes are free")),
        ("95% 95%", (true, "5% of the space and 5% of the inodes are free")),
        ("96% 20%", (false, "4% of the space is free, less than 5%")),
        ("10% 100%", (false, "0% of the inodes are free, less than 5%")),
        ("10% -", (true, "90% of the space and 100% of the inodes are free")),
    ] {
        fs::write(&file, usage).unwrap();
        let path = file.to_str().unwrap();
        assert_eq!(fakes.run("disk-space", &[path]), (found.0, format!("{path}: {}", found.1)), "{usage}");
    }
    let real = Fakes::new();
    good(&real.run("disk-space", &["/proc", "100"]), "/proc: 100% of the space and 100% of the inodes are free");
    bad(&real.run("disk-space", &["/no/such"]), "df: /no/such: No such file or directory");
}
