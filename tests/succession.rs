//! An engine goes on where another one stopped, with what that one left, as text.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]
