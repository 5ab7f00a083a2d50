//! `mikey-sakke kms join`

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use mikey_sakke_files::{self as files, SHARE_OCTETS, Share};
use zeroize::Zeroizing;

/// The most octets that are read of a share: more than one has that was not opened.
const LIMIT: usize = 8192;

#[derive(clap::Args)]
pub(crate) struct Join {
    /// The two shares, each opened with the private key of its recipient
    #[arg(num_args = 2, required = true, value_names = ["SHARE", "SHARE"])]
    shares: Vec<PathBuf>,
    /// One of the files that `skms domain export` made; it says whose master secrets they are
    #[arg(long = "for", value_name = "FILE")]
    export: PathBuf,
    /// File for the master secrets, readable for its owner alone
    #[arg(long)]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Join) -> anyhow::Result<()> {
    let Share { certificate, reason, time, .. } = files::read_share(&arguments.export)?;
    let opened = arguments.shares.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let [first, second] = opened.as_slice() else { bail!("two shares are needed") };
    let kms = files::join_shares(&certificate, [first, second])?;
    files::write_kms(&arguments.out, arguments.force, &kms)?;
    let (out, uri) = (arguments.out.display(), certificate.kms_uri());
    println!("{out}: the master secrets of {uri}, exported {time} for: {}; keep the file to yourself", plain(&reason));
    Ok(())
}

/// An opened share.
fn read(path: &Path) -> anyhow::Result<Zeroizing<[u8; SHARE_OCTETS]>> {
    // Room from the start: a buffer that grows leaves copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(2 * LIMIT));
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(LIMIT as u64).read_to_end(&mut octets).with_context(|| format!("cannot read {}", path.display()))?;
    let share = octets.as_slice().try_into().map(Zeroizing::new);
    share.ok().with_context(|| {
        let advice = "open what stands under Share with the private key of its recipient first";
        format!("{} has {} octets, and a share has {SHARE_OCTETS}; {advice}", path.display(), octets.len())
    })
}

/// A text of a file without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}
