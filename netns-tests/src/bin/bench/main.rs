//! Figures of `vrrpd` and of keepalived, side by side, from one run on one machine. Only their ratios mean anything elsewhere.
//!
//! Each family of figures is a file of its own. Times come from packet captures with the kernel's time stamps and from its
//! notices, what is used from `/proc`: nothing from a daemon's own word.

mod consumption;
mod crash;
mod crowd;
mod flood;
mod hang;
mod kill;
mod load;
mod options;
mod script;
mod table;
mod upgrade;

use clap::{Parser, ValueEnum};
use options::{Options, Row};

fn main() {
    let options = Options::parse();
    options.settle_executables();
    table::header(&options);
    for row in Row::value_variants().iter().filter(|row| options.selects(**row)) {
        let measure = match row {
            Row::Crash => crash::rows,
            Row::Script => script::rows,
            Row::Kill => kill::rows,
            Row::Hang => hang::rows,
            Row::Flood => flood::rows,
            Row::Load => load::rows,
            Row::Consumption => consumption::rows,
            Row::Crowd => crowd::rows,
            Row::Upgrade => upgrade::rows,
        };
        measure(&options);
    }
}
