//! `skmc record`

use std::io::Write;

use clap::ArgGroup;
use mikey_sakke::km::{Identifier, Kind, Subject};
use skm::client::blocking::Client;

use crate::connection::fault;
use crate::fault::Fault;

#[derive(clap::Args)]
#[command(group(ArgGroup::new("subject")))]
pub(crate) struct Arguments {
    /// ServiceID
    #[arg(long, value_name = "ID")]
    service: String,
    /// ClientID: key material of this client
    #[arg(long, value_name = "ID", group = "subject")]
    client: Option<String>,
    /// DeviceID: key material of this device
    #[arg(long, value_name = "ID", group = "subject")]
    device: Option<String>,
    /// UserID: key material of this user
    #[arg(long, value_name = "URI", group = "subject")]
    user: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, client: &Client, out: &mut dyn Write) -> Result<(), Fault> {
    let named = [(Kind::Client, &arguments.client), (Kind::Device, &arguments.device), (Kind::User, &arguments.user)];
    let subject = named.into_iter().find_map(|(kind, value)| Some(Subject::new(kind, value.as_deref()?)));
    let subject = subject.unwrap_or(Ok(Subject::Service)).map_err(Fault::usage)?;
    let service = Identifier::new(&arguments.service).map_err(Fault::usage)?;
    let payload = client.record(&service, &subject).map_err(fault)?;
    writeln!(out, "{}", payload.expose())?;
    Ok(())
}
