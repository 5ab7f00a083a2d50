//! `skmc record`

use std::io::Write;

use clap::ArgGroup;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::{Identifier, Subject};
use skm::client::blocking::Client;

use crate::asking::identifier;
use crate::connection::fault;
use crate::fault::Fault;

#[derive(clap::Args)]
#[command(group(ArgGroup::new("subject")))]
pub(crate) struct Arguments {
    /// ServiceID
    #[arg(long, value_name = "ID", value_parser = identifier)]
    service: Identifier,
    /// ClientID: key material of this client
    #[arg(long, value_name = "ID", value_parser = identifier, group = "subject")]
    client: Option<Identifier>,
    /// DeviceID: key material of this device
    #[arg(long, value_name = "ID", value_parser = identifier, group = "subject")]
    device: Option<Identifier>,
    /// UserID: key material of this user
    #[arg(long, value_name = "URI", group = "subject")]
    user: Option<Uri>,
}

pub(crate) fn run(arguments: &Arguments, client: &Client, out: &mut dyn Write) -> Result<(), Fault> {
    let subject = match arguments {
        Arguments { client: Some(client), .. } => Subject::Client(client.clone()),
        Arguments { device: Some(device), .. } => Subject::Device(device.clone()),
        Arguments { user: Some(user), .. } => Subject::User(user.clone()),
        _ => Subject::Service,
    };
    let payload = client.record(&arguments.service, &subject).map_err(fault)?;
    writeln!(out, "{}", payload.expose())?;
    Ok(())
}
