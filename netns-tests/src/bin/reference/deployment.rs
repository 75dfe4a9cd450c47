//! The deployment: what runs on which host, and how it is started.

use std::env;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netns_tests::{Daemon, Host, Implementation, Lab, Process};

/// The four hosts, as the example's files call them; host `h1` is the first.
pub(crate) const NAMES: [&str; 4] = ["master01", "slaver01", "master02", "slaver02"];
/// The numbers of the lab's hosts that are the router and the cloud data service.
const ROUTER: usize = 5;
const CLOUD: usize = 6;
const PATIENCE: Duration = Duration::from_mins(2);

/// Everything that runs.
pub(crate) struct Deployment {
    stacks: Vec<Stack>,
    cloud: Option<Process>,
    /// The hosts and their switch.
    pub(crate) lab: Lab,
}

/// What runs on one host.
#[derive(Default)]
struct Stack {
    daemon: Option<Daemon>,
    processes: Vec<Process>,
}

impl Deployment {
    /// Starts all of it and waits until Redis and `MySQL` are whole clusters.
    pub(crate) fn start() -> Self {
        let lab = Lab::new(6);
        lab.host(ROUTER).add_address([192, 168, 100, 254].into(), 24);
        let mut deployment = Self { stacks: (0..4).map(|_| Stack::default()).collect(), cloud: None, lab };
        deployment.start_cloud();
        println!("MariaDB with Galera, one node after the other");
        for number in 1..=4 {
            deployment.start_mysql(number, number == 1);
        }
        println!("Redis, a cluster of four and a replica of each");
        for number in 1..=4 {
            deployment.start_redis(number);
        }
        deployment.join_redis();
        println!("services, gateways, nginx, vrrpd");
        for number in 1..=4 {
            deployment.start_applications(number);
        }
        deployment.wait_for_applications(&[1, 2, 3, 4]);
        for number in 1..=4 {
            deployment.start_vrrpd(number);
        }
        deployment
    }

    /// The address of the first pair.
    pub(crate) fn address() -> IpAddr {
        [192, 168, 100, 10].into()
    }

    /// Power fails: the cable carries nothing any more, and every process is gone.
    pub(crate) fn kill(&mut self, number: usize) {
        self.lab.cut(self.lab.host(number));
        let stack = std::mem::take(&mut self.stacks[number - 1]);
        if let Some(daemon) = stack.daemon {
            daemon.crash();
        }
        // Dropped, each is killed along with its children.
        drop(stack.processes);
    }

    /// The host boots: nothing of what the kernel knew is left, what was on its disk is.
    pub(crate) fn boot(&mut self, number: usize) {
        let host = self.lab.host(number);
        if host.has(Self::address()) {
            host.delete_address(Self::address());
        }
        self.lab.mend(host);
        self.start_mysql(number, false);
        self.start_redis(number);
        self.start_applications(number);
        self.wait_for_applications(&[number]);
        self.start_vrrpd(number);
    }

    /// The applications of this host fail inside, or work again.
    pub(crate) fn set_failure(&self, number: usize, how: Option<&str>) {
        let file = self.lab.host(number).directory().join("failure");
        match how {
            Some(how) => fs::write(&file, how).unwrap_or_else(|error| panic!("{}: {error}", file.display())),
            None => drop(fs::remove_file(&file)),
        }
    }

    /// What this host sends and this rule of nftables matches comes to nothing.
    pub(crate) fn block(&self, number: usize, rule: &str) {
        let rules = format!(
            "table inet failure {{\n  chain output {{\n    type filter hook output priority 0;\n    {rule}\n  }}\n}}\n"
        );
        let host = self.lab.host(number);
        let file = host.write("failure.nft", &rules);
        run(host, "nft", &["-f", &file.display().to_string()]);
    }

    /// Ends [`Deployment::block`].
    pub(crate) fn unblock(&self, number: usize) {
        run(self.lab.host(number), "nft", &["delete", "table", "inet", "failure"]);
    }

    /// Starts the cloud's data service.
    pub(crate) fn start_cloud(&mut self) {
        let host = self.lab.host(CLOUD);
        self.cloud = Some(host.start("cloud", node("cloud.js", &[])));
        wait_until("the cloud listens", || listens(host, 80));
    }

    /// Ends it.
    pub(crate) fn stop_cloud(&mut self) {
        self.cloud = None;
    }

    /// The address of the cloud's data service.
    pub(crate) fn cloud_address(&self) -> IpAddr {
        self.lab.host(CLOUD).ip()
    }

    fn keep(&mut self, number: usize, process: Process) {
        self.stacks[number - 1].processes.push(process);
    }

    fn start_mysql(&mut self, number: usize, first: bool) {
        let host = self.lab.host(number);
        let (directory, ip) = (host.directory().join("mysql"), host.ip());
        let (data, socket) = (directory.join("data"), directory.join("socket"));
        let is_new = !data.exists();
        if is_new {
            fs::create_dir_all(&data).expect("the lab's directory can be written");
            run(host, "chown", &["-R", "mysql", &directory.display().to_string()]);
        }
        if first {
            let datadir = format!("--datadir={}", data.display());
            let login = "--auth-root-authentication-method=normal";
            run(host, "mariadb-install-db", &["--no-defaults", "--user=mysql", login, "--skip-test-db", &datadir]);
        }
        let members = if first { String::new() } else { self.ips() };
        let mut mysql = Command::new("mariadbd");
        mysql.args(["--no-defaults", "--user=mysql", "--skip-log-bin", "--binlog-format=ROW", "--skip-name-resolve"]);
        mysql.args(["--innodb-autoinc-lock-mode=2", "--innodb-buffer-pool-size=24M", "--innodb-log-file-size=8M"]);
        mysql.args(["--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF", "--bind-address=0.0.0.0"]);
        mysql.args(["--wsrep-on=ON", "--wsrep-provider=/usr/lib/galera/libgalera_smm.so", "--wsrep-sst-method=rsync"]);
        mysql.arg(format!("--datadir={}", data.display())).arg(format!("--socket={}", socket.display()));
        mysql.arg(format!("--pid-file={}", directory.join("pid").display()));
        mysql.arg("--wsrep-cluster-name=reference").arg(format!("--wsrep-cluster-address=gcomm://{members}"));
        mysql.arg(format!("--wsrep-node-address={ip}")).arg(format!("--wsrep-node-name={}", NAMES[number - 1]));
        mysql.arg(format!("--wsrep-provider-options=gmcast.listen_addr=tcp://{ip}:4567;gcache.size=16M"));
        if first {
            mysql.arg("--wsrep-new-cluster");
        }
        let process = host.start("mysql", mysql);
        let ask = |statement: &str| {
            let mut client = Command::new("mariadb");
            client
                .args(["--no-defaults", "-uroot", "-N", "-e", statement])
                .arg(format!("--socket={}", socket.display()));
            let output = client.output().expect("the mariadb client is installed");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        wait_until(&format!("MariaDB on {} is synchronised", NAMES[number - 1]), || {
            ask("SHOW STATUS LIKE 'wsrep_local_state_comment'").contains("Synced")
        });
        if first {
            ask("CREATE DATABASE app; CREATE TABLE app.titles (service VARCHAR(9) PRIMARY KEY, title VARCHAR(9)); \
                 INSERT INTO app.titles VALUES ('user', 'user'), ('trial', 'trial'), ('public', 'public'), \
                 ('course', 'course'), ('admin', 'admin'); \
                 CREATE USER app IDENTIFIED BY 'app'; GRANT ALL ON app.* TO app;");
        }
        self.keep(number, process);
    }

    fn start_redis(&mut self, number: usize) {
        for port in [6379, 6380] {
            let host = self.lab.host(number);
            let directory = host.directory().join(format!("redis-{port}"));
            fs::create_dir_all(&directory).expect("the lab's directory can be written");
            let mut redis = Command::new("redis-server");
            redis.args(["--cluster-enabled", "yes", "--protected-mode", "no", "--cluster-node-timeout", "2000"]);
            redis.args(["--cluster-require-full-coverage", "no", "--save", "", "--repl-diskless-sync-delay", "0"]);
            redis.args(["--port", &port.to_string()]).arg("--dir").arg(directory);
            let process = host.start(&format!("redis-{port}"), redis);
            wait_until("Redis listens", || listens(host, port));
            self.keep(number, process);
        }
    }

    fn join_redis(&self) {
        let nodes = [6379, 6380].map(|port| (1..=4).map(move |number| (number, port)));
        let nodes = nodes.into_iter().flatten().map(|(number, port)| format!("{}:{port}", self.lab.host(number).ip()));
        let nodes: Vec<String> = nodes.collect();
        let mut create = vec!["--cluster", "create"];
        create.extend(nodes.iter().map(String::as_str));
        create.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        run(self.lab.host(1), "redis-cli", &create);
    }

    fn start_applications(&mut self, number: usize) {
        let host = self.lab.host(number);
        let directory = host.directory().display().to_string();
        let cloud = format!("http://{}", self.cloud_address());
        let mut processes =
            vec![host.start("services", node("services.js", &[NAMES[number - 1], &directory, &cloud, &self.ips()]))];
        if number % 2 == 1 {
            let pair = format!("{},{}", host.ip(), self.lab.host(number + 1).ip());
            processes.push(host.start("gateway", node("gateway.js", &[&directory, &pair])));
        }
        processes.push(self.start_nginx(number));
        self.stacks[number - 1].processes.extend(processes);
    }

    fn wait_for_applications(&self, numbers: &[usize]) {
        for &number in numbers {
            let host = self.lab.host(number);
            let ports: &[u16] = if number % 2 == 1 { &[80, 8080, 3005, 8088] } else { &[80, 8080, 3005] };
            for &port in ports {
                wait_until(&format!("port {port} of {}", NAMES[number - 1]), || listens(host, port));
            }
        }
    }

    fn start_nginx(&self, number: usize) -> Process {
        let host = self.lab.host(number);
        let (name, directory) = (NAMES[number - 1], host.directory().display());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("  {kind}_temp_path {directory}/{kind};\n")).concat();
        let gateways: String =
            [1, 3].map(|number| format!("    server {}:8088 max_fails=0;\n", self.lab.host(number).ip())).concat();
        let config = host.write(
            "nginx.conf",
            &format!(
                "daemon off; worker_processes 1; user root; pid {directory}/nginx.pid; error_log stderr crit;\n\
                 events {{ worker_connections 256; }}\n\
                 http {{\n  access_log off;\n{temporary}  upstream gateways {{\n    random;\n{gateways}  }}\n  server {{\n    listen 80;\n\
                 \x20   location = /healthz {{ return 200; }}\n    location / {{\n      proxy_pass http://gateways;\n\
                 \x20     proxy_connect_timeout 250ms; proxy_read_timeout 700ms; proxy_next_upstream_tries 2;\n\
                 \x20     proxy_next_upstream error timeout http_500 http_502 http_503 http_504;\n\
                 \x20     add_header X-Nginx {name} always; add_header X-Gateway $upstream_addr always;\n    }}\n  }}\n}}\n"
            ),
        );
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.arg("-c").arg(config);
        host.start("nginx", nginx)
    }

    fn start_vrrpd(&mut self, number: usize) {
        let host = self.lab.host(number);
        let daemon = Daemon::start_with(Implementation::Vrrpd, host, &self.configuration(number));
        self.stacks[number - 1].daemon = Some(daemon);
    }

    /// The example's configuration of this host with the lab's paths and the lab's cloud in it.
    fn configuration(&self, number: usize) -> String {
        let host = self.lab.host(number);
        let packaging = source().join("../../packaging");
        let file = packaging.join(format!("examples/four-hosts/{}.toml", NAMES[number - 1]));
        let check = fs::read_to_string(packaging.join("checks/mysql")).expect("the check is shipped");
        let check = host.write_script("check-mysql", check.trim_start_matches("#!/bin/sh\n"));
        let options = host.write("mysql.cnf", "[client]\nuser = app\npassword = app\n");
        let directory = host.directory().display();
        fs::create_dir_all(host.directory().join("state")).expect("the lab's directory can be written");
        let replacements = [
            (
                "script_user = \"vrrpd\"",
                format!(
                    "script_user = \"nobody\"\ncontrol_socket = \"{directory}/control.sock\"\nstate_directory = \"{directory}/state\""
                ),
            ),
            (
                "\"/usr/lib/vrrpd/checks/mysql\", \"127.0.0.1:3306\"",
                format!("\"{}\", \"127.0.0.1:3306\", \"{}\"", check.display(), options.display()),
            ),
            ("https://data.example.com", format!("http://{}", self.cloud_address())),
        ];
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        replacements.iter().fold(text, |text, (old, new)| {
            assert!(text.contains(old), "{} has no {old}", file.display());
            text.replace(old, new)
        })
    }

    /// The addresses of the four hosts.
    fn ips(&self) -> String {
        (1..=4).map(|number| self.lab.host(number).ip().to_string()).collect::<Vec<_>>().join(",")
    }
}

/// Runs a program on a host, which must succeed.
#[track_caller]
fn run(host: &Host, program: &str, arguments: &[&str]) {
    let done = host.run(program, arguments);
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&said));
}

/// A program of this folder; `NODE_PATH` says where its packages are.
fn node(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(source().join(program)).args(arguments);
    command
}

/// The folder `netns-tests/reference`.
fn source() -> PathBuf {
    env::var_os("VRRPD_REFERENCE").map_or_else(|| Path::new("netns-tests/reference").to_owned(), PathBuf::from)
}

fn listens(host: &Host, port: u16) -> bool {
    let address = SocketAddr::new([127, 0, 0, 1].into(), port);
    let connected =
        host.spawn(move || std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()).join();
    connected.unwrap_or(false)
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(100));
    }
}
