//! `skms group`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::Purpose;
use mikey_sakke::secret::Secret;
use skm::client::blocking::Client;
use skm::client::{Certificate, FileToken, Settings};
use skm::group::{Folder, Group, GroupError, Outcome, State, distribute};
use skm::seal::SealKey;

use crate::asking::{await_next_second, is_of_caller, read};
use crate::fault::Fault;
use crate::progress::Progress;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes a key and a message with it for each member of a group; run again, with the same state, it goes on with
    /// the same key
    ///
    /// The group manager has to be one of the domain's: a policy row of the server with the role sgm has his URI and
    /// the name in his certificate. Exit status: 0 all members have the key, 3 some have not, 1 none has, 2 wrong
    /// usage.
    Distribute(Distribute),
}

#[derive(clap::Args)]
pub(crate) struct Distribute {
    /// Address of the server for group managers, as in `https://skms.example.org:8444`
    #[arg(long, value_name = "URL")]
    server: String,
    /// SKmsUri of the server; what the server says if none is given
    #[arg(long, value_name = "URI")]
    skms_uri: Option<Uri>,
    /// File with the roots of the server's certificate, in PEM
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// File with the certificate of the group manager and those that lead from it to the root, in PEM
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// File with the private key of that certificate, in PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// File with the access token
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// URI of the group manager
    #[arg(long, value_name = "URI")]
    manager: Uri,
    /// URI of the group
    #[arg(long, value_name = "URI")]
    group: Uri,
    /// File with the URIs of the members, one on each line; empty lines do not count
    #[arg(long, value_name = "FILE")]
    members: PathBuf,
    /// Directory for the messages, which is made if there is none. A file has the name NUMBER-URI.mikey, with the
    /// place of the member in the list in 6 digits, and in the URI all but letters, digits, '-', '.' and '_' as %
    /// and two digits
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// File for the key and who has it, sealed; another key takes another file
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// File with the key that seals it, 64 hexadecimal digits, readable for its owner alone
    #[arg(long, value_name = "FILE")]
    seal_key: PathBuf,
    /// Purpose of the key, 0 to 15: the first 4 bits of its SK-ID; a group master key if none is given
    #[arg(long, value_name = "N", default_value_t = Purpose::GMK.number(), value_parser = clap::value_parser!(u8).range(..16))]
    purpose: u8,
}

pub(crate) fn run(Command::Distribute(arguments): &Command, out: &mut dyn Write) -> Result<ExitCode, Fault> {
    let Distribute { manager, group, .. } = arguments;
    let members = read_members(&arguments.members).map_err(Fault::Usage)?;
    let group = Group { manager: manager.clone(), uri: group.clone(), purpose: Purpose::new(arguments.purpose)? };
    let seal_key = SealKey::read(&arguments.seal_key)?;
    let client = client(arguments)?;
    let mut state = State::open(&arguments.state, seal_key, group)?;
    let mut messages = folder(&arguments.out, &state)?;

    await_next_second();
    let mut progress = Progress::new(members.len())?;
    let outcome = distribute(&client, &mut state, &members, &mut messages, &mut |dealt| progress.show(dealt));
    progress.end();
    report(&outcome.map_err(fault)?, members.len(), out)
}

/// A fault of the caller, where nothing was sent.
fn fault(error: GroupError) -> Fault {
    match error {
        GroupError::Client(ref client) if is_of_caller(client) => Fault::usage(error),
        error => error.into(),
    }
}

fn client(arguments: &Distribute) -> Result<Client, Fault> {
    let certificate = Certificate { chain: read(&arguments.cert)?, key: Secret::new(read(&arguments.key)?) };
    let settings = Settings::new(&arguments.server, read(&arguments.root)?);
    let settings = Settings { certificate: Some(certificate), skms_uri: arguments.skms_uri.clone(), ..settings };
    Client::new(&settings, FileToken::new(&arguments.token_file)).map_err(Fault::usage)
}

/// The directory. A new key does not go among messages with another one.
fn folder(path: &Path, state: &State) -> Result<Folder, Fault> {
    let failed = || path.display().to_string();
    let folder = Folder::open(path).with_context(failed)?;
    if state.id().is_none() && folder.has_messages().with_context(failed)? {
        let advice = "choose another --out for the new key, or the --state of the key that they carry";
        return Err(Fault::usage(anyhow!("{}: there are messages already; {advice}", path.display())));
    }
    Ok(folder)
}

fn report(outcome: &Outcome, members: usize, out: &mut dyn Write) -> Result<ExitCode, Fault> {
    for failure in &outcome.failures {
        eprintln!("error: {failure}");
    }
    if let Some(error) = &outcome.stopped {
        eprintln!("error: stopped: {error}; run it again to go on with the same key");
    }
    let (id, reached, earlier) = (outcome.id, outcome.reached(), outcome.earlier);
    let before = if earlier > 0 { format!(", {earlier} of them from before") } else { String::new() };
    let written = writeln!(out, "Key {id} of purpose {}: {reached} of {members} members have it{before}", id.purpose());
    let status = match reached {
        0 => 1,
        _ if outcome.is_complete() => 0,
        _ => 3,
    };
    if status == 0 {
        written?;
    }
    Ok(ExitCode::from(status))
}

/// The members, as they stand in the file.
fn read_members(path: &Path) -> anyhow::Result<Vec<String>> {
    let octets = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let octets = octets.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&octets);
    let mut members = Vec::new();
    for (number, line) in (1..).zip(octets.split(|octet| *octet == b'\n')) {
        let line = str::from_utf8(line).with_context(|| format!("{}, line {number}", path.display()))?.trim();
        if !line.is_empty() {
            members.push(line.to_owned());
        }
    }
    if members.is_empty() {
        anyhow::bail!("{}: there are no members", path.display());
    }
    Ok(members)
}
