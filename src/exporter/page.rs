//! The status page, and the policy that lets a browser run nothing but what is in it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

/// The page: markup, style and script in one file, without anything from elsewhere.
pub(super) const PAGE: &str = include_str!("page.html");

/// The value of `Content-Security-Policy`: the page's own style and script by their hash, its own origin for the
/// events, and nothing else.
pub(super) fn policy() -> String {
    format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        source(element("style")),
        source(element("script")),
    )
}

fn element(name: &str) -> &'static str {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let inner = PAGE.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    inner.map_or("", |(inner, _)| inner)
}

fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_stand_once_each_and_are_in_the_policy() {
        for name in ["style", "script"] {
            assert!(element(name).len() > 1000, "{name}");
            assert_eq!(PAGE.matches(&format!("<{name}")).count(), 1, "{name}");
        }
        let policy = policy();
        assert_eq!(policy.matches("'sha256-").count(), 2, "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    /// Known answer: `printf 'a' | openssl dgst -sha256 -binary | base64`.
    #[test]
    fn a_hash_is_written_as_browsers_read_it() {
        assert_eq!(source("a"), "'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='");
    }

    #[test]
    fn the_page_takes_nothing_from_elsewhere_and_inserts_data_as_text() {
        for banned in
            ["http:", "https:", "src=", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
        {
            assert!(!PAGE.contains(banned), "{banned}");
        }
    }
}
