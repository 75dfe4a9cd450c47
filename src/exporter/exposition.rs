//! Metrics as text, in two forms: `OpenMetrics` 1.0, and the older text format for what reads only that.

use std::fmt::{Display, Write};

/// Which form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// `OpenMetrics` 1.0: the default.
    OpenMetrics,
    /// The Prometheus text format, version 0.0.4.
    Text,
}

impl Form {
    /// The form for an `Accept` header; empty where there is none.
    pub(super) fn accepted(accept: &str) -> Self {
        if accept.contains("text/plain") && !accept.contains("application/openmetrics-text") {
            Self::Text
        } else {
            Self::OpenMetrics
        }
    }

    /// The value of `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What a family of metrics is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up; its sample is called `NAME_total`.
    Counter,
    /// One sample for each state, of which one is 1.
    StateSet,
    /// Always 1, for its labels; its sample is called `NAME_info`.
    Info,
    /// A distribution.
    Histogram,
}

/// A label: its name and its value.
pub(super) type Label<'a> = (&'a str, &'a str);

/// A text that grows.
#[derive(Debug)]
pub(super) struct Exposition {
    text: String,
    form: Form,
    sample: String,
}

impl Exposition {
    pub(super) fn new(form: Form) -> Self {
        Self { text: String::new(), form, sample: String::new() }
    }

    /// Begins a family; `name` has neither `_total` nor `_info`.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let suffix = match kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::StateSet | Kind::Histogram => "",
        };
        self.sample = format!("{name}{suffix}");
        let (family, kind) = match (self.form, kind) {
            (_, Kind::Gauge) => (name, "gauge"),
            (_, Kind::Histogram) => (name, "histogram"),
            (Form::OpenMetrics, Kind::Counter) => (name, "counter"),
            (Form::OpenMetrics, Kind::StateSet) => (name, "stateset"),
            (Form::OpenMetrics, Kind::Info) => (name, "info"),
            (Form::Text, Kind::Counter) => (&*self.sample, "counter"),
            (Form::Text, Kind::StateSet | Kind::Info) => (&*self.sample, "gauge"),
        };
        line(&mut self.text, format_args!("# TYPE {family} {kind}"));
        line(&mut self.text, format_args!("# HELP {family} {help}"));
    }

    /// A sample of the family that was begun last.
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.suffixed("", labels, value);
    }

    /// A sample whose name has this suffix.
    pub(super) fn suffixed(&mut self, suffix: &str, labels: &[Label<'_>], value: impl Display) {
        let mut rendered = String::new();
        for (name, value) in labels {
            let comma = if rendered.is_empty() { "" } else { "," };
            let value = value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
            write!(rendered, "{comma}{name}=\"{value}\"").expect("a string takes everything");
        }
        let (open, close) = if rendered.is_empty() { ("", "") } else { ("{", "}") };
        line(&mut self.text, format_args!("{}{suffix}{open}{rendered}{close} {value}", self.sample));
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        if self.form == Form::OpenMetrics {
            line(&mut self.text, format_args!("# EOF"));
        }
        self.text
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(form: Form) -> String {
        let mut out = Exposition::new(form);
        out.family("a", Kind::Counter, "Help.");
        out.sample(&[("x", "1"), ("y", "a \"b\"\\\n")], 3);
        out.family("b", Kind::Info, "Help.");
        out.sample(&[("version", "1")], 1);
        out.family("c", Kind::StateSet, "Help.");
        out.sample(&[("c", "UP")], 1);
        out.family("d", Kind::Gauge, "Help.");
        out.sample(&[], 0.5);
        out.finish()
    }

    #[test]
    fn openmetrics() {
        assert_eq!(
            example(Form::OpenMetrics),
            "# TYPE a counter\n# HELP a Help.\na_total{x=\"1\",y=\"a \\\"b\\\"\\\\\\n\"} 3\n\
             # TYPE b info\n# HELP b Help.\nb_info{version=\"1\"} 1\n\
             # TYPE c stateset\n# HELP c Help.\nc{c=\"UP\"} 1\n\
             # TYPE d gauge\n# HELP d Help.\nd 0.5\n# EOF\n"
        );
    }

    #[test]
    fn the_older_form_names_its_families_as_the_samples() {
        let text = example(Form::Text);
        for line in ["# TYPE a_total counter", "# TYPE b_info gauge", "# TYPE c gauge", "# TYPE d gauge"] {
            assert!(text.contains(&format!("{line}\n")), "{text}");
        }
        assert!(!text.contains("EOF"));
    }

    #[test]
    fn who_asks_for_nothing_in_particular_gets_openmetrics() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, form) in [
            ("", Form::OpenMetrics),
            ("*/*", Form::OpenMetrics),
            (prometheus, Form::OpenMetrics),
            ("text/plain", Form::Text),
        ] {
            assert_eq!(Form::accepted(accept), form, "{accept}");
        }
    }
}
