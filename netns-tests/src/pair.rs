//! One description of a host's virtual routers, rendered for `vrrpd` and for keepalived.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What one host of a pair is to do.
#[derive(Debug, Clone, Default)]
pub struct PairConfig {
    /// Its virtual routers, on `eth0`.
    pub routers: Vec<RouterConfig>,
    /// The scripts that they may track.
    pub scripts: Vec<ScriptConfig>,
}

/// A virtual router.
#[derive(Debug, Clone)]
pub struct RouterConfig {
    /// Its label.
    pub name: String,
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

    /// `count` routers like [`RouterConfig::web`], numbered from 1, with an address each in 10.100.0.0/16.
    #[must_use]
    pub fn many(count: u8, priority: u8) -> Vec<Self> {
        let numbered = |vrid| Self {
            name: format!("r{vrid}"),
            vrid,
            addresses: vec![[10, 100, 0, vrid].into()],
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
        let mut text = format!("[daemon]\ncontrol_socket = {socket:?}\nscript_user = \"root\"\n");
        for script in &self.scripts {
            let ScriptConfig { name, path, interval, fall, rise } = script;
            let _ = write!(text, "\n[track.{name}]\nscript = [{path:?}]\ninterval = \"{}ms\"\n", interval.as_millis());
            let _ = write!(text, "fall = {fall}\nrise = {rise}\n");
        }
        for router in &self.routers {
            let RouterConfig { name, vrid, priority, interval, version, addresses, preempt, track } = router;
            let addresses: Vec<String> = addresses.iter().map(|address| format!("{:?}", with_prefix(address))).collect();
            let _ = write!(text, "\n[virtual_router.{name}]\ninterface = \"eth0\"\nvirtual_router_id = {vrid}\n");
            let _ = write!(text, "priority = {priority}\nversion = {version}\npreempt = {preempt}\n");
            let _ = write!(text, "advert_interval = \"{}ms\"\n", interval.as_millis());
            let _ = write!(text, "virtual_addresses = [{}]\n", addresses.join(", "));
            let track: Vec<String> = track.iter().map(|(name, weight)| format!("{name} = {}", weight_or_required(*weight))).collect();
            if !track.is_empty() {
                let _ = write!(text, "track = {{ {} }}\n", track.join(", "));
            }
        }
        text
    }

    /// As keepalived reads it.
    #[must_use]
    pub fn to_keepalived(&self) -> String {
        let mut text = "global_defs {\n  router_id lab\n  script_user root\n}\n".to_owned();
        for script in &self.scripts {
            let ScriptConfig { name, path, interval, fall, rise } = script;
            let _ = write!(text, "vrrp_script {name} {{\n  script {path:?}\n  interval {}\n", interval.as_secs().max(1));
            let _ = write!(text, "  fall {fall}\n  rise {rise}\n}}\n");
        }
        for router in &self.routers {
            let RouterConfig { name, vrid, priority, interval, version, addresses, preempt, track } = router;
            let _ = write!(text, "vrrp_instance {name} {{\n  state BACKUP\n  interface eth0\n  virtual_router_id {vrid}\n");
            let _ = write!(text, "  priority {priority}\n  version {version}\n  advert_int {}\n", interval.as_secs_f64());
            let _ = write!(text, "{}  virtual_ipaddress {{\n", if *preempt { "" } else { "  nopreempt\n" });
            for address in addresses {
                let _ = writeln!(text, "    {}", with_prefix(address));
            }
            let _ = write!(text, "  }}\n  track_script {{\n");
            for (name, weight) in track {
                let weight = weight.map(|weight| format!(" weight {weight}")).unwrap_or_default();
                let _ = write!(text, "    {name}{weight}\n");
            }
            let _ = write!(text, "  }}\n}}\n");
        }
        text
    }
}

fn with_prefix(address: &IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 24 } else { 64 })
}

fn weight_or_required(weight: Option<i32>) -> String {
    weight.map_or_else(|| "\"required\"".to_owned(), |weight| weight.to_string())
}
