//! One description of a host's virtual routers, rendered for `vrrpd` and for keepalived.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What one host of a pair is to do.
#[derive(Debug, Clone, Default)]
pub struct PairConfig {
    /// Its virtual routers.
    pub routers: Vec<RouterConfig>,
    /// The scripts that they may track.
    pub scripts: Vec<ScriptConfig>,
}

/// A virtual router.
#[derive(Debug, Clone)]
pub struct RouterConfig {
    /// Its label.
    pub name: String,
    /// Where it is.
    pub interface: String,
    /// 1 to 255.
    pub vrid: u8,
    /// 1 to 255.
    pub priority: u8,
    /// The advertisement interval.
    pub interval: Duration,
    /// 2 or 3.
    pub version: u8,
    /// The virtual addresses, one family.
    pub addresses: Vec<IpAddr>,
    /// Whether a higher priority takes over from a running Master.
    pub preempt: bool,
    /// Scripts by name: required, or with a weight.
    pub track: Vec<(String, Option<i32>)>,
}

/// A track script.
#[derive(Debug, Clone)]
pub struct ScriptConfig {
    /// Its name.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// How often it runs: whole seconds, for keepalived's sake.
    pub interval: Duration,
    /// Failures in a row that turn it down.
    pub fall: u32,
    /// Successes in a row that bring it back.
    pub rise: u32,
}

impl RouterConfig {
    /// Virtual router 51 with the address 192.168.100.10, version 3, ten adverts a second.
    #[must_use]
    pub fn web(priority: u8) -> Self {
        Self {
            name: "web".to_owned(),
            interface: "eth0".to_owned(),
            vrid: 51,
            priority,
            interval: Duration::from_millis(100),
            version: 3,
            addresses: vec![Self::web_address()],
            preempt: true,
            track: Vec::new(),
        }
    }

    /// 192.168.100.10.
    #[must_use]
    pub fn web_address() -> IpAddr {
        [192, 168, 100, 10].into()
    }

    /// `count` routers like [`RouterConfig::web`], numbered from 1, with an address each in a network of its own.
    #[must_use]
    pub fn many(count: u8, priority: u8) -> Vec<Self> {
        let numbered = |vrid| Self {
            name: format!("r{vrid}"),
            vrid,
            addresses: vec![[10, 100, vrid, 1].into()],
            ..Self::web(priority)
        };
        (1..=count).map(numbered).collect()
    }
}

impl From<RouterConfig> for PairConfig {
    fn from(router: RouterConfig) -> Self {
        Self { routers: vec![router], scripts: Vec::new() }
    }
}

impl PairConfig {
    /// As `vrrpd` reads it.
    #[must_use]
    pub fn to_vrrpd(&self, socket: &Path) -> String {
        let daemon = format!("[daemon]\ncontrol_socket = \"{}\"\nscript_user = \"root\"\n", socket.display());
        let scripts = self.scripts.iter().map(ScriptConfig::to_vrrpd);
        let routers = self.routers.iter().map(RouterConfig::to_vrrpd);
        std::iter::once(daemon).chain(scripts).chain(routers).collect()
    }

    /// As keepalived reads it.
    #[must_use]
    pub fn to_keepalived(&self) -> String {
        let daemon = "global_defs {\n  router_id lab\n  script_user root\n}\n".to_owned();
        let scripts = self.scripts.iter().map(ScriptConfig::to_keepalived);
        let routers = self.routers.iter().map(RouterConfig::to_keepalived);
        std::iter::once(daemon).chain(scripts).chain(routers).collect()
    }
}

impl ScriptConfig {
    fn to_vrrpd(&self) -> String {
        let Self { name, path, interval, fall, rise } = self;
        let (path, interval) = (path.display(), interval.as_millis());
        format!(
            r#"
[track.{name}]
script = ["{path}"]
interval = "{interval}ms"
fall = {fall}
rise = {rise}
"#
        )
    }

    fn to_keepalived(&self) -> String {
        let Self { name, path, interval, fall, rise } = self;
        let (path, interval) = (path.display(), interval.as_secs().max(1));
        format!(
            r#"
vrrp_script {name} {{
  script "{path}"
  interval {interval}
  fall {fall}
  rise {rise}
}}
"#
        )
    }
}

impl RouterConfig {
    fn to_vrrpd(&self) -> String {
        let Self { name, interface, vrid, priority, interval, version, addresses, preempt, track } = self;
        let addresses = joined(addresses, ", ", |address| format!("\"{}\"", with_prefix(*address)));
        let track = joined(track, ", ", |(name, weight)| {
            let weight = weight.map_or_else(|| "\"required\"".to_owned(), |weight| weight.to_string());
            format!("{name} = {weight}")
        });
        let interval = interval.as_millis();
        format!(
            r#"
[virtual_router.{name}]
interface = "{interface}"
virtual_router_id = {vrid}
priority = {priority}
version = {version}
advert_interval = "{interval}ms"
preempt = {preempt}
virtual_addresses = [{addresses}]
track = {{ {track} }}
"#
        )
    }

    fn to_keepalived(&self) -> String {
        let Self { name, interface, vrid, priority, interval, version, addresses, preempt, track } = self;
        let addresses = joined(addresses, "\n    ", |address| with_prefix(*address));
        let track = joined(track, "\n    ", |(name, weight)| {
            let weight = weight.map(|weight| format!("weight {weight}")).unwrap_or_default();
            format!("{name} {weight}")
        });
        let interval = interval.as_secs_f64();
        let preempt = if *preempt { "" } else { "nopreempt" };
        // An owner does not wait.
        let state = if *priority == 255 { "MASTER" } else { "BACKUP" };
        format!(
            r"
vrrp_instance {name} {{
  state {state}
  interface {interface}
  virtual_router_id {vrid}
  priority {priority}
  version {version}
  advert_int {interval}
  {preempt}
  virtual_ipaddress {{
    {addresses}
  }}
  track_script {{
    {track}
  }}
}}
"
        )
    }
}

fn joined<T>(items: &[T], separator: &str, render: impl Fn(&T) -> String) -> String {
    items.iter().map(render).collect::<Vec<_>>().join(separator)
}

fn with_prefix(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 24 } else { 64 })
}
