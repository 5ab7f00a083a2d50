//! How far a command is.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal, else a line for each tenth.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines { all: usize, tenths: usize },
}

impl Progress {
    pub(crate) fn new(all: usize) -> anyhow::Result<Self> {
        if !std::io::stderr().is_terminal() {
            return Ok(Self::Lines { all, tenths: 0 });
        }
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}, {per_sec}, {eta} left")?;
        Ok(Self::Bar(ProgressBar::new(all as u64).with_style(style)))
    }

    pub(crate) fn show(&mut self, done: usize) {
        match self {
            Self::Bar(bar) => bar.set_position(done as u64),
            Self::Lines { all, tenths } => {
                let now = done * 10 / (*all).max(1);
                if now > *tenths {
                    eprintln!("{done} of {all}");
                    *tenths = now;
                }
            }
        }
    }

    pub(crate) fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
