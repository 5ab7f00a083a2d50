//! The operations that vectors test, by the types of the schema.

use mikey_sakke::eccsi::{Kpak, Ksak, Signature, SigningKey, VerifyingKey};
use mikey_sakke::error::Rejected;
use mikey_sakke::hazmat;
use mikey_sakke::identity::{KeyPeriod, Uid, UidFormat, Uri};
use mikey_sakke::imessage::{self, SkId};
use mikey_sakke::mikey::prf::{self, KeyUse, Prf};
use mikey_sakke::sakke::{MasterSecret, PublicKey, ReceiverKey, Ssv};

use crate::{Inputs, Outputs, Stop};

/// A type of the schema.
pub(crate) struct Operation {
    name: &'static str,
    /// The members that the operation computes.
    pub(crate) outputs: &'static [&'static str],
    function: fn(&Inputs<'_>) -> Result<Outputs, Stop>,
}

impl Operation {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.name == name)
    }

    pub(crate) fn run(&self, inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
        (self.function)(inputs)
    }
}

const OPERATIONS: &[Operation] = &[
    Operation { name: "HashToIntegerRange", outputs: &["value"], function: hash_to_integer_range },
    Operation { name: "SakkeMasterKey", outputs: &["publicKey"], function: sakke_master_key },
    Operation { name: "SakkeExtract", outputs: &["rsk"], function: sakke_extract },
    Operation { name: "SakkeValidateRsk", outputs: &[], function: sakke_validate_rsk },
    Operation { name: "SakkeEncapsulate", outputs: &["encapsulated", "r", "gPowR"], function: sakke_encapsulate },
    Operation { name: "SakkeDecapsulate", outputs: &["ssv"], function: sakke_decapsulate },
    Operation { name: "EccsiMasterKey", outputs: &["kpak"], function: eccsi_master_key },
    Operation { name: "EccsiIssue", outputs: &["ssk", "pvt", "hs"], function: eccsi_issue },
    Operation { name: "EccsiValidateKeys", outputs: &[], function: eccsi_validate_keys },
    Operation { name: "EccsiSign", outputs: &["signature"], function: eccsi_sign },
    Operation { name: "EccsiVerify", outputs: &[], function: eccsi_verify },
    Operation { name: "UidMonthly", outputs: &["uid"], function: uid_monthly },
    Operation { name: "UidHashed", outputs: &["uid"], function: uid_hashed },
    Operation { name: "MikeyPrf", outputs: &["out"], function: mikey_prf },
    Operation { name: "SrtpKeys", outputs: &["gukId", "masterKey", "masterSalt"], function: srtp_keys },
    Operation {
        name: "IMessageOpen",
        outputs: &["key", "csbId", "rand", "keyId", "keyParameters"],
        function: i_message_open,
    },
];

fn identity(inputs: &Inputs<'_>) -> Result<Uid, Stop> {
    uid(inputs, "identity")
}

fn uid(inputs: &Inputs<'_>, name: &str) -> Result<Uid, Stop> {
    Ok(Uid::from_octets(&inputs.octets(name)?)?)
}

fn master_secret(inputs: &Inputs<'_>) -> Result<MasterSecret, Stop> {
    Ok(MasterSecret::from_octets(&inputs.octets("masterSecret")?)?)
}

fn public_key(inputs: &Inputs<'_>) -> Result<PublicKey, Stop> {
    Ok(PublicKey::from_octets(&inputs.octets("publicKey")?)?)
}

fn receiver_key(inputs: &Inputs<'_>, identity: &Uid) -> Result<ReceiverKey, Stop> {
    Ok(ReceiverKey::import(&public_key(inputs)?, identity, &inputs.octets("rsk")?)?)
}

fn ksak(inputs: &Inputs<'_>) -> Result<Ksak, Stop> {
    Ok(Ksak::from_octets(&inputs.octets("ksak")?)?)
}

fn kpak(inputs: &Inputs<'_>) -> Result<Kpak, Stop> {
    Ok(Kpak::from_octets(&inputs.octets("kpak")?)?)
}

fn signing_key(inputs: &Inputs<'_>) -> Result<SigningKey, Stop> {
    let (ssk, pvt) = (inputs.octets("ssk")?, inputs.octets("pvt")?);
    Ok(SigningKey::import(&kpak(inputs)?, &identity(inputs)?, &ssk, &pvt)?)
}

fn hash_to_integer_range(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let value = hazmat::hash_to_integer_range(&inputs.octets("message")?, &inputs.octets("modulus")?)?;
    Ok([("value", value)].into())
}

fn sakke_master_key(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    Ok([("publicKey", master_secret(inputs)?.public_key().to_octets().to_vec())].into())
}

fn sakke_extract(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let rsk = master_secret(inputs)?.extract(&identity(inputs)?)?;
    Ok([("rsk", rsk.expose().to_vec())].into())
}

fn sakke_validate_rsk(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    receiver_key(inputs, &identity(inputs)?)?;
    Ok(Outputs::new())
}

fn sakke_encapsulate(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let ssv = Ssv::new(inputs.array("ssv")?);
    let result = hazmat::sakke_encapsulate(&public_key(inputs)?, &identity(inputs)?, &ssv)?;
    Ok([
        ("encapsulated", result.encapsulated.to_vec()),
        ("r", result.r.to_vec()),
        ("gPowR", result.g_to_the_r.to_vec()),
    ]
    .into())
}

fn sakke_decapsulate(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let ssv = receiver_key(inputs, &identity(inputs)?)?.decapsulate(&inputs.octets("encapsulated")?)?;
    Ok([("ssv", ssv.expose().to_vec())].into())
}

fn eccsi_master_key(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    Ok([("kpak", ksak(inputs)?.kpak().to_octets().to_vec())].into())
}

fn eccsi_issue(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let (pair, hs) = hazmat::eccsi_issue(&ksak(inputs)?, &identity(inputs)?, &inputs.octets("v")?).ok_or(Rejected)?;
    Ok([("ssk", pair.ssk.expose().to_vec()), ("pvt", pair.pvt.to_vec()), ("hs", hs.to_vec())].into())
}

fn eccsi_validate_keys(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    signing_key(inputs)?;
    Ok(Outputs::new())
}

fn eccsi_sign(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let signature = hazmat::eccsi_sign(&signing_key(inputs)?, &inputs.octets("message")?, &inputs.octets("j")?);
    Ok([("signature", signature.ok_or(Rejected)?.as_octets().to_vec())].into())
}

fn eccsi_verify(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let signature = Signature::try_from(inputs.octets("signature")?.as_slice())?;
    VerifyingKey::new(&kpak(inputs)?, &identity(inputs)?).verify(&inputs.octets("message")?, &signature)?;
    Ok(Outputs::new())
}

fn uid_monthly(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let user = Uri::parse(inputs.text("uri")?)?;
    let month: KeyPeriod = inputs.text("month")?.parse()?;
    // A monthly UID does not depend on the KMS.
    let uid = UidFormat::Monthly.uid(&user, &user, month)?;
    Ok([("uid", uid.as_octets().to_vec())].into())
}

fn uid_hashed(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let uid = hazmat::hashed_uid(
        &inputs.octets("userUri")?,
        &inputs.octets("kmsUri")?,
        inputs.integer("period")?,
        inputs.integer("offset")?,
        inputs.integer("periodNumber")?,
    )?;
    Ok([("uid", uid.as_octets().to_vec())].into())
}

fn mikey_prf(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let prf = match inputs.integer("prf")? {
        0u8 => Prf::Mikey1,
        1 => Prf::HmacSha256,
        other => return Err(Stop::Refused(format!("unknown PRF {other}"))),
    };
    let key_use = match inputs.text("what")? {
        "TEK" => KeyUse::Tek,
        "AUTH" => KeyUse::Auth,
        "ENCR" => KeyUse::Encr,
        "SALT" => KeyUse::Salt,
        other => return Err(Stop::Vector(format!("unknown key use {other}"))),
    };
    let (tgk, rand) = (inputs.octets("tgk")?, inputs.octets("rand")?);
    let mut out = vec![0; inputs.integer("length")?];
    prf::derive(prf, &tgk, key_use, inputs.integer("csId")?, inputs.array("csbId")?, &rand, &mut out)?;
    Ok([("out", out)].into())
}

fn srtp_keys(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let key = Ssv::new(inputs.array("key")?);
    let mut id = SkId::from_octets(inputs.array("keyId")?);
    let mut outputs = Outputs::new();
    if inputs.has("userUri") {
        id = imessage::diversify(&key, id, &inputs.octets("userUri")?)?;
        outputs.insert("gukId", id.to_octets().to_vec());
    }
    let keys = imessage::SrtpKeys::derive(Prf::HmacSha256, &key, inputs.integer("csId")?, id, &inputs.octets("rand")?)?;
    outputs.insert("masterKey", keys.master_key.expose().to_vec());
    outputs.insert("masterSalt", keys.master_salt.expose().to_vec());
    Ok(outputs)
}

fn i_message_open(inputs: &Inputs<'_>) -> Result<Outputs, Stop> {
    let initiator = VerifyingKey::new(&kpak(inputs)?, &uid(inputs, "initiatorIdentity")?);
    let responder = receiver_key(inputs, &uid(inputs, "responderIdentity")?)?;
    let opened = hazmat::open_i_message(&inputs.octets("message")?, &initiator, &responder)?;
    let mut outputs = Outputs::from([
        ("key", opened.key.expose().to_vec()),
        ("csbId", opened.csb_id.to_octets().to_vec()),
        ("rand", opened.rand.clone()),
    ]);
    if inputs.has("responderUri") {
        let id = opened.key_id(&inputs.octets("responderUri")?)?;
        outputs.insert("keyId", id.to_octets().to_vec());
    }
    if let Some(parameters) = opened.key_parameters {
        outputs.insert("keyParameters", parameters.expose().to_vec());
    }
    Ok(outputs)
}
