//! Hooks on real programs.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vrrpd::hooks::{Hook, HookPlan, HookSet, Hooks, Trouble};
use vrrpd::ids::{InterfaceName, RouterKey};
use vrrpd::time::Timestamp;
use vrrpd::units::{Family, Priority, Vrid};
use vrrpd::vrrp::Role::{Backup, Fault, Initialize, Master};
use vrrpd::vrrp::{Cause, Evidence, Record, Role, Subject, Why};

/// Longer than anything takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory that the hooks' user may write in, and what was told to the log.
struct Bench {
    dir: tempfile::TempDir,
    troubles: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        Self { dir, troubles: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn write(&self, name: &str) {
        std::fs::write(self.path(name), "").unwrap();
    }

    /// A shell hook; `$D` in it is the directory.
    #[expect(clippy::unnecessary_wraps, reason = "as a set of hooks takes it")]
    fn hook(&self, code: &str) -> Option<Hook> {
        Some(self.hook_with(PATIENCE, code))
    }

    fn hook_with(&self, timeout: Duration, code: &str) -> Hook {
        let code = format!("D={}; {code}", self.dir.path().display());
        let argv = ["/bin/sh", "-c", &code, "hook"].map(String::from).into();
        let user = if geteuid().is_root() { "nobody".into() } else { geteuid().to_string().into() };
        Hook { argv, user, timeout, keepalived_arguments: false }
    }

    fn hooks(&self, plan: HookPlan) -> Hooks {
        let troubles = self.troubles.clone();
        Hooks::new(plan, None, Arc::new(move |trouble: Trouble| troubles.lock().unwrap().push(trouble.to_string())))
    }

    fn troubles(&self) -> Vec<String> {
        self.troubles.lock().unwrap().clone()
    }

    async fn eventually(&self, name: &str, content: &str) {
        let wait = async {
            while self.read(name) != content {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, wait).await;
        assert!(done.is_ok(), "{name} holds {:?}, not {content:?}; {:?}", self.read(name), self.troubles());
    }
}

fn for_all(on_change: Option<Hook>) -> HookPlan {
    HookPlan { all: HookSet { on_change, ..HookSet::default() }, ..HookPlan::default() }
}

fn of(router: &str, group: Option<&str>, from: Role, to: Role, why: Why) -> Record {
    let interface = InterfaceName::new("eth0").unwrap();
    let key = RouterKey { interface, family: Family::Ipv4, vrid: Vrid::new(51).unwrap() };
    Record {
        seq: 1,
        at: Timestamp::ZERO,
        subject: Subject::Router { name: router.into(), key, group: group.map(Into::into) },
        cause: Cause::Transition {
            from,
            to,
            why,
            priority: (to != Fault).then(|| Priority::new(100).unwrap()),
            evidence: Evidence::default(),
        },
    }
}

fn web(from: Role, to: Role) -> Record {
    of("web", None, from, to, Why::MasterSilent)
}

#[tokio::test]
async fn each_state_runs_its_own_hook_then_the_one_for_every_change_then_those_for_all() {
    let bench = Bench::new();
    let says = |what: &str| bench.hook(&format!("echo {what} $VRRPD_STATE >> $D/log"));
    let set = |who: &str| HookSet {
        on_master: says(&format!("{who} master")),
        on_backup: says(&format!("{who} backup")),
        on_fault: says(&format!("{who} fault")),
        on_stop: says(&format!("{who} stop")),
        on_change: says(&format!("{who} change")),
    };
    let routers = BTreeMap::from([("web".into(), set("own")), ("other".into(), set("other"))]);
    let mut hooks = bench.hooks(HookPlan { routers, all: set("all"), ..HookPlan::default() });
    hooks.deliver(&web(Initialize, Backup), "{}");
    hooks.deliver(&web(Backup, Master), "{}");
    hooks.deliver(&web(Master, Fault), "{}");
    hooks.deliver(&web(Fault, Initialize), "{}");
    hooks.finish(PATIENCE).await;
    let expected = [
        "own backup BACKUP",
        "own change BACKUP",
        "all backup BACKUP",
        "all change BACKUP",
        "own master MASTER",
        "own change MASTER",
        "all master MASTER",
        "all change MASTER",
        "own fault FAULT",
        "own change FAULT",
        "all fault FAULT",
        "all change FAULT",
        "own stop STOP",
        "own change STOP",
        "all stop STOP",
        "all change STOP",
    ];
    assert_eq!(bench.read("log").lines().collect::<Vec<_>>(), expected);
    assert_eq!(bench.troubles(), Vec::<String>::new());
}

#[tokio::test]
async fn a_hook_is_told_by_its_environment_and_its_standard_input() {
    let bench = Bench::new();
    let hook = bench.hook("cat > $D/json; tr '\\0' '\\n' < /proc/$$/environ | grep VRRPD_ | sort > $D/env");
    let routers = BTreeMap::from([("web".into(), HookSet { on_change: hook, ..HookSet::default() })]);
    let mut hooks = bench.hooks(HookPlan { routers, ..HookPlan::default() });
    hooks.deliver(&of("web", Some("site"), Backup, Master, Why::MasterSilent), r#"{"seq":7}"#);
    hooks.finish(PATIENCE).await;
    assert_eq!(bench.read("json"), "{\"seq\":7}\n");
    let expected = "VRRPD_GROUP=site\nVRRPD_PREVIOUS_STATE=BACKUP\nVRRPD_PRIORITY=100\nVRRPD_REASON=master_silent\n\
                    VRRPD_ROUTER=web\nVRRPD_STATE=MASTER\n";
    assert_eq!(bench.read("env"), expected);
}

#[tokio::test]
async fn scripts_written_for_keepalived_get_its_arguments() {
    let bench = Bench::new();
    let hook = bench.hook(r#"echo "$@" >> $D/$1"#).map(|hook| Hook { keepalived_arguments: true, ..hook });
    let mut hooks = bench.hooks(for_all(hook));
    hooks.deliver(&of("web", Some("site"), Backup, Master, Why::MasterSilent), "{}");
    hooks.deliver(&of("web", Some("site"), Master, Fault, Why::Unfit), "{}");
    hooks.finish(PATIENCE).await;
    assert_eq!(bench.read("INSTANCE"), "INSTANCE web MASTER 100\nINSTANCE web FAULT 0\n");
    assert_eq!(bench.read("GROUP"), "GROUP site MASTER 100\nGROUP site FAULT 0\n");
}

#[tokio::test]
async fn hooks_of_one_router_run_one_at_a_time_and_in_order() {
    let bench = Bench::new();
    let code = "mkdir $D/running && echo $VRRPD_STATE >> $D/log; sleep 0.1; rmdir $D/running";
    let mut hooks = bench.hooks(for_all(bench.hook(code)));
    for (from, to) in [(Initialize, Backup), (Backup, Master), (Master, Backup), (Backup, Fault)] {
        hooks.deliver(&web(from, to), "{}");
    }
    hooks.finish(PATIENCE).await;
    assert_eq!(bench.read("log"), "BACKUP\nMASTER\nBACKUP\nFAULT\n");
    assert_eq!(bench.troubles(), Vec::<String>::new());
}

#[tokio::test]
async fn one_router_never_waits_for_another() {
    let bench = Bench::new();
    // Each waits for the other to have begun.
    let code = "echo > $D/$VRRPD_ROUTER; until [ -e $D/web -a -e $D/db ]; do sleep 0.01; done; echo >> $D/both";
    let mut hooks = bench.hooks(for_all(bench.hook(code)));
    hooks.deliver(&of("web", None, Backup, Master, Why::MasterSilent), "{}");
    hooks.deliver(&of("db", None, Backup, Master, Why::MasterSilent), "{}");
    hooks.finish(PATIENCE).await;
    assert_eq!(bench.read("both"), "\n\n");
}

#[tokio::test]
async fn of_those_that_pile_up_the_newest_is_delivered() {
    let bench = Bench::new();
    let code = "echo $VRRPD_STATE >> $D/log; until [ -e $D/gate ]; do sleep 0.01; done";
    let mut hooks = bench.hooks(for_all(bench.hook(code)));
    hooks.deliver(&web(Initialize, Backup), "{}");
    bench.eventually("log", "BACKUP\n").await;
    for _ in 0..4 {
        hooks.deliver(&web(Backup, Master), "{}");
        hooks.deliver(&web(Master, Backup), "{}");
    }
    hooks.deliver(&web(Backup, Fault), "{}");
    bench.write("gate");
    hooks.finish(PATIENCE).await;
    assert_eq!(bench.read("log"), "BACKUP\nFAULT\n");
    assert_eq!(
        bench.troubles(),
        ["the notify scripts of virtual router web are slower than its changes of state: 8 older ones were skipped"]
    );
}

#[tokio::test]
async fn a_group_is_told_once_when_all_of_it_has_changed() {
    let bench = Bench::new();
    let set = HookSet { on_change: bench.hook("echo $VRRPD_GROUP $VRRPD_STATE >> $D/log"), ..HookSet::default() };
    let groups = BTreeMap::from([("site".into(), set)]);
    let mut hooks = bench.hooks(HookPlan { groups, ..HookPlan::default() });
    for (from, to) in [(Initialize, Backup), (Backup, Master)] {
        hooks.deliver(&of("web", Some("site"), from, to, Why::MasterSilent), "{}");
        hooks.deliver(&of("web6", Some("site"), from, to, Why::MasterSilent), "{}");
    }
    hooks.deliver(&of("web6", Some("site"), Master, Fault, Why::Unfit), "{}");
    hooks.deliver(&of("web", Some("site"), Master, Backup, Why::HeldByGroup), "{}");
    hooks.finish(PATIENCE).await;
    assert_eq!(bench.read("log"), "site BACKUP\nsite MASTER\nsite FAULT\n");
}

/// What the scripts of both Masters of a split told a database, the last one is to have told it.
#[tokio::test]
async fn a_master_that_stays_after_a_split_runs_its_hooks_again_and_so_does_its_group() {
    let bench = Bench::new();
    let told = "echo ${VRRPD_GROUP:-none} $VRRPD_PREVIOUS_STATE $VRRPD_STATE $VRRPD_PRIORITY $VRRPD_REASON >> $D";
    let router = HookSet { on_master: bench.hook(&format!("{told}/router")), ..HookSet::default() };
    let group = HookSet { on_change: bench.hook(&format!("{told}/group")), ..HookSet::default() };
    let routers = BTreeMap::from([("web".into(), router)]);
    let groups = BTreeMap::from([("site".into(), group)]);
    let mut hooks = bench.hooks(HookPlan { routers, groups, ..HookPlan::default() });
    let became = of("web", Some("site"), Backup, Master, Why::MasterSilent);
    hooks.deliver(&became, "{}");
    let cause = Cause::Reasserted {
        other: [192, 0, 2, 1].into(),
        lasted: Duration::from_secs(3),
        priority: Some(Priority::new(100).unwrap()),
    };
    hooks.deliver(&Record { cause, ..became }, "{}");
    hooks.finish(PATIENCE).await;
    for (who, before) in [("router", "BACKUP"), ("group", "INITIALIZE")] {
        let expected = format!("site {before} MASTER 100 master_silent\nsite MASTER MASTER 100 reasserted\n");
        assert_eq!(bench.read(who), expected, "{who}");
    }
}

#[tokio::test]
async fn a_hook_that_fails_or_hangs_is_named_and_holds_up_nothing_after_it() {
    let bench = Bench::new();
    let short = Duration::from_millis(300);
    let set = HookSet {
        on_master: bench.hook("echo no route to provider >&2; exit 3"),
        on_backup: Some(bench.hook_with(short, "sleep 300")),
        on_fault: bench.hook("").map(|hook| Hook { argv: ["/no/such".to_owned()].into(), ..hook }),
        on_stop: None,
        on_change: bench.hook("echo $VRRPD_STATE >> $D/log"),
    };
    let mut hooks = bench.hooks(HookPlan { all: set, ..HookPlan::default() });
    for (from, to) in [(Backup, Master), (Master, Backup), (Backup, Fault)] {
        hooks.deliver(&web(from, to), "{}");
    }
    hooks.finish(PATIENCE).await;
    assert_eq!(bench.read("log"), "MASTER\nBACKUP\nFAULT\n");
    assert_eq!(
        bench.troubles(),
        [
            "notify script /bin/sh of virtual router web for MASTER failed: exit status 3: no route to provider",
            "notify script /bin/sh of virtual router web for BACKUP was killed after 300ms: raise notify.timeout if it needs longer",
            "notify script /no/such of virtual router web for FAULT failed: /no/such or its interpreter does not exist",
        ]
    );
}

#[tokio::test]
async fn the_end_of_the_daemon_waits_for_hooks_but_not_for_ever() {
    let bench = Bench::new();
    let mut hooks = bench.hooks(for_all(bench.hook("echo $$ > $D/pid; sleep 300; echo > $D/survived")));
    hooks.deliver(&of("web", None, Master, Initialize, Why::Stopping), "{}");
    while !bench.read("pid").ends_with('\n') {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    hooks.finish(Duration::from_millis(100)).await;
    assert_eq!(
        bench.troubles(),
        ["the notify scripts of virtual router web had not ended when the daemon did, and were killed"]
    );
    let stat = format!("/proc/{}/stat", bench.read("pid").trim());
    let running = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    while running() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_reload_changes_what_runs_from_the_next_record_on() {
    let bench = Bench::new();
    let mut hooks = bench.hooks(for_all(bench.hook("echo old $VRRPD_STATE >> $D/log; sleep 0.1")));
    hooks.deliver(&web(Initialize, Backup), "{}");
    hooks.deliver(&web(Backup, Master), "{}");
    hooks.reconfigure(for_all(bench.hook("echo new $VRRPD_STATE >> $D/log")), None);
    hooks.deliver(&web(Master, Backup), "{}");
    hooks.finish(PATIENCE).await;
    assert_eq!(bench.read("log"), "old BACKUP\nold MASTER\nnew BACKUP\n");
}

fn with_fifo(bench: &Bench) -> Hooks {
    let mut hooks = bench.hooks(HookPlan::default());
    hooks.reconfigure(HookPlan::default(), Some(bench.path("fifo")));
    hooks
}

fn reader(bench: &Bench) -> File {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(bench.path("fifo")).unwrap()
}

fn drain(reader: &mut File) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while let Ok(read @ 1..) = reader.read(&mut buffer) {
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    text
}

#[tokio::test]
async fn the_fifo_carries_every_record_to_whoever_reads() {
    let bench = Bench::new();
    let mut hooks = with_fifo(&bench);
    assert_eq!(bench.path("fifo").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let record = Record { subject: Subject::Daemon, cause: Cause::Stalled { by: PATIENCE }, ..web(Backup, Master) };
    hooks.deliver(&record, "{\"seq\":1}");
    assert_eq!(hooks.fifo_dropped(), 1, "nobody reads yet");
    let mut first = reader(&bench);
    hooks.deliver(&record, "{\"seq\":2}");
    hooks.deliver(&web(Backup, Master), "{\"seq\":3}");
    assert_eq!(drain(&mut first), "{\"seq\":2}\n{\"seq\":3}\n");
    drop(first);
    hooks.deliver(&record, "{\"seq\":4}");
    let mut second = reader(&bench);
    hooks.deliver(&record, "{\"seq\":5}");
    assert_eq!(drain(&mut second), "{\"seq\":5}\n");
    assert_eq!(hooks.fifo_dropped(), 2);
    assert_eq!(bench.troubles(), Vec::<String>::new());
}

#[tokio::test]
async fn a_slow_reader_of_the_fifo_loses_whole_lines_and_holds_up_nobody() {
    let bench = Bench::new();
    mkfifo(&bench.path("fifo"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let mut hooks = with_fifo(&bench);
    let mut reader = reader(&bench);
    // More than PIPE_BUF, so that a line may be written in part.
    let line = |number: usize| format!("{{\"seq\":{number},\"pad\":\"{}\"}}", "x".repeat(9000));
    (0..20).for_each(|number| hooks.deliver(&web(Backup, Master), &line(number)));
    assert!(hooks.fifo_dropped() > 0);
    let mut text = drain(&mut reader);
    hooks.deliver(&web(Backup, Master), &line(20));
    text.push_str(&drain(&mut reader));
    let got: Vec<&str> = text.lines().collect();
    let sent: Vec<String> = (0..=20).map(line).collect();
    assert!(got.iter().all(|line| sent.iter().any(|sent| sent == line)), "a torn line");
    assert_eq!(got.len() + usize::try_from(hooks.fifo_dropped()).unwrap(), sent.len());
    assert_eq!(got.last(), Some(&sent[20].as_str()));
    let path = bench.path("fifo");
    let slow = "its reader is too slow: records are dropped until it has caught up";
    assert_eq!(bench.troubles(), [format!("notify.fifo {}: {slow}", path.display())]);
}

#[tokio::test]
async fn what_is_not_a_fifo_is_left_alone_and_named_once() {
    let bench = Bench::new();
    std::fs::write(bench.path("fifo"), "precious").unwrap();
    let mut hooks = with_fifo(&bench);
    hooks.deliver(&web(Initialize, Backup), "{}");
    hooks.deliver(&web(Backup, Master), "{}");
    assert_eq!(bench.read("fifo"), "precious");
    let path = bench.path("fifo");
    let told = format!("notify.fifo {}: it is not a FIFO: remove it, or name another", path.display());
    assert_eq!(bench.troubles(), [told]);
}
