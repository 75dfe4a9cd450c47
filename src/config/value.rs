//! Strings of the configuration to the types of the core, with what to say where they do not fit.

use crate::ids::InterfaceName;
use crate::units::{Family, VirtualAddress};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Why a text is not the value that its key takes.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Complaint {
    /// What is wrong, as it continues a sentence that begins with the key.
    pub what: String,
    /// What to write; the help of the key where there is nothing better.
    pub help: Option<String>,
}

fn complaint<T>(what: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint { what: what.into(), help: None })
}

fn advised<T>(what: impl Into<String>, help: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint { what: what.into(), help: Some(help.into()) })
}

/// The units of a duration in nanoseconds, greatest first.
const UNITS: [(&str, u64); 4] =
    [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)];

/// The longest duration that makes sense anywhere: a year.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// `"100ms"`, `"1s"`, `"1.5s"`, `"1m30s"`: numbers, each with a unit, the greater unit first.
pub(super) fn duration(text: &str) -> Result<Duration, Complaint> {
    if text.parse::<f64>().is_ok() {
        return advised(format!("needs a unit: \"{text}\" could be seconds or milliseconds"), spellings(text));
    }
    let Some(nanos) = nanoseconds(text) else {
        return advised(
            "must be a duration",
            "write a number with a unit (ms, s, m or h), such as \"100ms\" or \"1.5s\"",
        );
    };
    let duration = Duration::from_nanos(nanos);
    if duration > LONGEST {
        return advised("is longer than a year", "write something shorter");
    }
    Ok(duration)
}

/// The two things that a bare number could have meant.
pub(super) fn spellings(number: &str) -> String {
    format!("write \"{number}s\" or \"{number}ms\"")
}

fn nanoseconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let number = &rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '.')?];
        let tail = &rest[number.len()..];
        let unit = &tail[..tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len())];
        let (_, scale) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(scaled(number, *scale)?)?;
        rest = &tail[unit.len()..];
    }
    (!text.is_empty()).then_some(total)
}

/// A decimal number times `scale`, exactly; `None` where it is not a number or finer than a nanosecond.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(w, f)| (w, Some(f)));
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let Some(fraction) = fraction else { return Some(whole) };
    let digits = u32::try_from(fraction.len()).ok()?;
    let denominator = 10_u64.checked_pow(digits)?;
    let numerator = fraction.parse::<u64>().ok()?.checked_mul(scale)?;
    numerator.is_multiple_of(denominator).then(|| whole.checked_add(numerator / denominator))?
}

/// A duration as an operator would write it.
pub(super) fn spelled(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (unit, scale) = match nanos {
        n if n >= 1_000_000_000 => ("s", 1_000_000_000),
        _ => ("ms", 1_000_000),
    };
    let (whole, rest) = (nanos / scale, nanos % scale);
    if rest == 0 {
        return format!("{whole}{unit}");
    }
    let width = if scale == 1_000_000 { 6 } else { 9 };
    let fraction = format!("{rest:0width$}");
    format!("{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

/// An IP address.
pub(super) fn ip(text: &str) -> Result<IpAddr, Complaint> {
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) if text.contains('/') => {
            advised("takes an address without a prefix length", "leave out the / and what follows it")
        }
        Err(_) if text.parse::<VersionlessName>().is_ok() => advised(
            "must be an IP address, not a name",
            "names are not looked up, since a lookup can hang: write the address",
        ),
        Err(_) => complaint("must be an IP address"),
    }
}

/// Something that looks like a host name.
struct VersionlessName;

impl std::str::FromStr for VersionlessName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let named = text.chars().any(|c| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        named.then_some(Self).ok_or(())
    }
}

/// An IPv4 address.
pub(super) fn ipv4(text: &str) -> Result<Ipv4Addr, Complaint> {
    match ip(text)? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => advised("must be an IPv4 address", "ARP is IPv4 only: use ping for an IPv6 address"),
    }
}

/// An address that a host can hold, with its prefix length or, without one, as a host route.
pub(super) fn virtual_address(text: &str) -> Result<VirtualAddress, Complaint> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let Ok(ip) = address.parse::<IpAddr>() else {
        return advised(
            format!("has \"{text}\", which is not an IP address"),
            "write an address with its prefix length, such as \"192.168.100.10/24\"",
        );
    };
    let bits = Family::of(ip).address_bits();
    let prefix = match prefix.map(str::parse::<u8>) {
        None => bits,
        Some(Ok(prefix)) if (1..=bits).contains(&prefix) => prefix,
        Some(_) => {
            return advised(
                format!("has \"{text}\", whose prefix length is not 1 to {bits}"),
                "write the prefix length of the subnet, such as /24",
            );
        }
    };
    if ip.is_multicast() || ip.is_unspecified() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return advised(format!("has {ip}, which no host can hold"), "write the address that clients use");
    }
    if let IpAddr::V4(v4) = ip
        && prefix < 31
        && let Some(what) = reserved(v4, prefix)
    {
        return advised(format!("has {text}, the {what} of its subnet"), "write an address inside the subnet");
    }
    Ok(VirtualAddress { ip, prefix })
}

fn reserved(address: Ipv4Addr, prefix: u8) -> Option<&'static str> {
    let host_mask = u32::MAX >> prefix;
    match address.to_bits() & host_mask {
        0 => Some("network address"),
        host if host == host_mask => Some("broadcast address"),
        _ => None,
    }
}

/// A destination in the routing table.
pub(super) fn route(text: &str) -> Result<(IpAddr, u8), Complaint> {
    let parsed = text.split_once('/').and_then(|(address, prefix)| {
        let ip = address.parse::<IpAddr>().ok()?;
        let prefix = prefix.parse::<u8>().ok().filter(|&p| p <= Family::of(ip).address_bits())?;
        Some((ip, prefix))
    });
    parsed.map_or_else(
        || complaint("must be a destination with its prefix length, such as \"0.0.0.0/0\" or \"10.0.0.0/8\""),
        Ok,
    )
}

/// An address and a port.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Complaint> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        Err(_) if text.split(':').next().is_some_and(|host| host.parse::<VersionlessName>().is_ok()) => advised(
            "must be an address and a port, not a name",
            "names are not looked up, since a lookup can hang: write \"127.0.0.1:6379\"",
        ),
        _ => complaint("must be an IP address and a port"),
    }
}

/// The name of an interface.
pub(super) fn interface(text: &str) -> Result<InterfaceName, Complaint> {
    InterfaceName::new(text).map_or_else(
        || {
            advised(
                "is not a name that the kernel takes for an interface",
                "1 to 15 octets without white space or \"/\", such as \"eth0\"",
            )
        },
        Ok,
    )
}

/// An absolute path.
pub(super) fn path(text: &str) -> Result<PathBuf, Complaint> {
    let path = PathBuf::from(text);
    if path.is_absolute() && !text.contains('\0') { Ok(path) } else { complaint("must be an absolute path") }
}

/// An `http` or `https` URL with a host.
pub(super) fn url(text: &str) -> Result<String, Complaint> {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return advised(
            "must begin with http:// or https://",
            "write the whole URL, such as \"http://127.0.0.1:80/healthz\"",
        );
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() || host.contains('@') || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return complaint("must be a URL with a host and without user name or white space");
    }
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port != 0)) {
        return advised(
            "has a port that is not 1 to 65535",
            "write the port after the host, such as \"http://127.0.0.1:8080/\"",
        );
    }
    Ok(text.to_owned())
}

/// A label: what operators call a router, a group or a track on command lines, in metrics and in logs.
pub(super) fn is_label(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    starts_well && name.len() <= 64 && name.chars().all(|c| c.is_alphanumeric() || "_-.:@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact() {
        for (text, nanos) in [
            ("100ms", 100_000_000),
            ("1s", 1_000_000_000),
            ("1.5s", 1_500_000_000),
            ("0.25ms", 250_000),
            ("40.95s", 40_950_000_000),
            ("1m30s", 90_000_000_000),
            ("1h", 3_600_000_000_000),
            ("2m", 120_000_000_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        let bad = [
            "",
            "s",
            "1 s",
            "-1s",
            "1S",
            "1sec",
            "30s1m",
            "1s1s",
            "1..5s",
            ".s",
            "1e3s",
            "0.0000000001s",
            "99999999999h",
            "9000h",
            "ü",
            "1ü",
            "1",
        ];
        for text in bad {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_spelled_as_one_would_write_them() {
        for text in ["100ms", "1s", "1.5s", "0.25ms", "40.95s", "90s", "0ms"] {
            assert_eq!(spelled(duration(text).expect("good")), text);
        }
    }

    #[test]
    fn urls() {
        for good in ["http://127.0.0.1:80/healthz", "https://[::1]/", "http://[::1]:8080", "http://localhost?x"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1",
            "ftp://x/",
            "http://",
            "http:///x",
            "http://x:0/",
            "http://x:port/",
            "http://u@x/",
            "http://x/a b",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels() {
        for good in ["web", "web6", "site-1.a", "_x", "größe"] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "-x", "a b", "a\"b", "a/b", "a\n"] {
            assert!(!is_label(bad), "{bad}");
        }
    }
}
