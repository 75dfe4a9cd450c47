//! The table that is printed: a line as soon as it is known.

use netns_tests::percentile;

use crate::options::Options;

/// The names of the contenders.
pub(crate) fn header(options: &Options) {
    print!("{:72}", "");
    options.contenders().for_each(|contender| print!("{:>15}{:11}", contender.name(), ""));
    println!();
}

/// A figure of each contender, and how each relates to the first.
pub(crate) fn line(what: &str, figures: &[f64]) {
    print!("{what:72}");
    for figure in figures {
        let ratio = figure / figures[0];
        let ratio = if ratio.is_finite() { format!("({ratio:>6.2} x)") } else { String::new() };
        print!("{figure:>15.3} {ratio:10}");
    }
    println!();
}

/// A line for one figure of each sample: the value that `percent` of the samples do not exceed.
pub(crate) fn statistic<T>(what: &str, samples: &[Vec<T>], percent: usize, pick: impl Fn(&T) -> f64) {
    let figures: Vec<f64> =
        samples.iter().map(|samples| percentile(&samples.iter().map(&pick).collect::<Vec<_>>(), percent)).collect();
    line(what, &figures);
}
