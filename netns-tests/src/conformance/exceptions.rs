//! The requirements that no scenario decides, and why.

/// A requirement without a test.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// The requirement.
    pub id: &'static str,
    /// Why nothing decides it.
    pub reason: &'static str,
}

const fn no(id: &'static str, reason: &'static str) -> Exception {
    Exception { id, reason }
}

const INTEROPERATION: &str = "the mode that speaks versions 2 and 3 at once is optional (MAY) and not offered";

/// All of them.
pub const EXCEPTIONS: &[Exception] = &[
    no("CF-07", "`accept` is true unless written otherwise, on purpose: a service listens on the address"),
    no("RX-09", "verified erratum 8298 replaces it: RX-10 is what is tested"),
    no("AC-05", "router advertisements are left to radvd, which a notify hook starts and stops"),
    no("AN-19", "router advertisements are left to radvd: a matter of its configuration"),
    no("AN-20", "redirects are the kernel's, and a matter of its configuration"),
    no("IO-01", INTEROPERATION),
    no("IO-02", INTEROPERATION),
    no("IO-03", INTEROPERATION),
    no("IO-04", INTEROPERATION),
    no("IO-06", INTEROPERATION),
    no("IO-08", "advice to operators; the mode that it is about is not offered"),
    no("IO-09", INTEROPERATION),
];
