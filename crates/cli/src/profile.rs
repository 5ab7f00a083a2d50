//! The form of a message, as options of the command line.

use clap::ValueEnum;
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{KeyProperties, Profile, Purpose};
use mikey_sakke_files::Moment;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Service {
    /// The plain message of RFC 6509, for a key of any purpose
    Seal,
    /// TS 33.180: group master key
    Gmk,
    /// TS 33.180: private call key
    Pck,
    /// TS 33.180: client-server key
    Csk,
    /// TS 33.180: multicast signalling key
    Musik,
}

#[derive(clap::Args)]
pub(crate) struct ProfileArguments {
    /// Form of the message, and what the key is for
    #[arg(long, value_enum, default_value = "seal")]
    profile: Service,
    /// Purpose of the key for the profile seal, 0 to 15: the first 4 bits of its SK-ID [default: 0]
    #[arg(long, value_parser = clap::value_parser!(u8).range(..16))]
    purpose: Option<u8>,
    /// Put UIDs into the message in place of the users' URIs
    #[arg(long)]
    hide_identities: bool,
    /// Encapsulate the key to yourself as well
    #[arg(long)]
    sakke_to_self: bool,
    /// Send key parameters along, encrypted under the key
    #[arg(long)]
    key_parameters: bool,
    /// Key parameters: when the key comes into use
    #[arg(long, requires = "key_parameters")]
    activation: Option<Moment>,
    /// Key parameters: when the key expires
    #[arg(long, requires = "key_parameters")]
    expiry: Option<Moment>,
    /// Key parameters: a text to read
    #[arg(long, requires = "key_parameters")]
    text: Option<String>,
    /// Key parameters: URI of a group that a group key is for; may be given several times
    #[arg(long, requires = "key_parameters")]
    group: Vec<Uri>,
}

impl ProfileArguments {
    pub(crate) fn profile(&self) -> anyhow::Result<Profile> {
        if self.purpose.is_some() && self.profile != Service::Seal {
            anyhow::bail!("--purpose goes with the profile seal alone; the others have purposes of their own");
        }
        let mut profile = match self.profile {
            Service::Seal => Profile::seal(Purpose::new(self.purpose.unwrap_or(0))?),
            Service::Gmk => Profile::ts33180_gmk(),
            Service::Pck => Profile::ts33180_pck(),
            Service::Csk => Profile::ts33180_csk(),
            Service::Musik => Profile::ts33180_musik(),
        };
        if self.hide_identities {
            profile = profile.hiding_identities();
        }
        if self.sakke_to_self {
            profile = profile.with_sakke_to_self();
        }
        Ok(profile)
    }

    /// The key parameters to send along.
    pub(crate) fn properties(&self, purpose: Purpose) -> Option<KeyProperties> {
        let seconds = |moment: Option<Moment>| moment.map_or(0, |Moment(at)| at.to_unix());
        self.key_parameters.then(|| KeyProperties {
            activation: seconds(self.activation),
            expiry: seconds(self.expiry),
            text: self.text.clone().unwrap_or_default().into_bytes(),
            groups: self.group.iter().map(|group| group.as_str().as_bytes().to_vec()).collect(),
            ..KeyProperties::new(purpose)
        })
    }
}
