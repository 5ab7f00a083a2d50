//! What holds for all messages and all octets.

use mikey_sakke::mikey::i_message::IMessage;
use mikey_sakke::mikey::payload::{
    Cert, Chash, Dh, ErrorReport, GeneralExtension, Id, Idr, Kemac, KeyValidity, Payload, Pke, Rand, Randr, Rest,
    Sakke, Sign, Sp, SpParam, Tr, Ts, V,
};
use mikey_sakke::mikey::registry::{
    CertType, DataType, DhGroup, EncrAlg, ErrorNo, ExtensionType, HashFunc, IdRole, IdScheme, IdType, MacAlg,
    PayloadType, PrfFunc, ProtType, RandRole, SType, SakkeParams, TsRole,
};
use mikey_sakke::mikey::{CsIdMap, GenericId, Header, Message, SrtpId, Tolerance, Tolerances, inspect};
use proptest::collection::vec as vec_of;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::{after_header, recorded};

fn octets(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec_of(any::<u8>(), 0..=longest)
}

fn any_ts() -> impl Strategy<Value = Ts> {
    prop_oneof![
        any::<u64>().prop_map(Ts::NtpUtc),
        any::<u64>().prop_map(Ts::Ntp),
        any::<u32>().prop_map(Ts::Counter),
        any::<u32>().prop_map(Ts::NtpUtc32),
    ]
}

fn any_sp() -> impl Strategy<Value = Sp> {
    let param = (any::<u8>(), octets(255)).prop_map(|(param_type, value)| SpParam { param_type, value });
    let parts = (any::<u8>(), any::<u8>(), vec_of(param, 0..8));
    parts.prop_map(|(policy, prot_type, params)| Sp { policy, prot_type: ProtType(prot_type), params })
}

/// An algorithm with an output of the length that it makes.
fn outputs(lengths: &'static [(u8, usize)]) -> impl Strategy<Value = (u8, Vec<u8>)> {
    proptest::sample::select(lengths)
        .prop_flat_map(|(number, length)| (Just(number), vec_of(any::<u8>(), length..=length)))
}

const MACS: &[(u8, usize)] = &[(0, 0), (1, 20), (2, 32)];
const HASHES: &[(u8, usize)] = &[(0, 20), (1, 16), (2, 32)];
const GROUPS: &[(u8, usize)] = &[(0, 192), (1, 96), (2, 128)];

fn any_validity() -> impl Strategy<Value = KeyValidity> {
    prop_oneof![
        Just(KeyValidity::Null),
        octets(255).prop_map(KeyValidity::Spi),
        (octets(255), octets(255)).prop_map(|(from, to)| KeyValidity::Interval { from, to }),
    ]
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let pair = || (any::<u8>(), any::<u8>(), octets(400));
    let one = || (any::<u8>(), octets(400));
    prop_oneof![
        (one(), outputs(MACS)).prop_map(|((encr_alg, encr_data), (mac_alg, mac))| {
            Payload::Kemac(Kemac { encr_alg: EncrAlg(encr_alg), encr_data, mac_alg: MacAlg(mac_alg), mac })
        }),
        (0u8..4, octets(400)).prop_map(|(c, data)| Payload::Pke(Pke { c, data })),
        (outputs(GROUPS), 0u8..16, any_validity()).prop_map(|((group, value), reserved, validity)| {
            Payload::Dh(Dh { group: DhGroup(group), value, reserved, validity })
        }),
        any_ts().prop_map(Payload::T),
        octets(255).prop_map(|bits| Payload::Rand(Rand(bits))),
        one().prop_map(|(id_type, data)| Payload::Id(Id { id_type: IdType(id_type), data })),
        pair().prop_map(|(role, id_type, data)| {
            Payload::Idr(Idr { role: IdRole(role), id_type: IdType(id_type), data })
        }),
        one().prop_map(|(cert_type, data)| Payload::Cert(Cert { cert_type: CertType(cert_type), data })),
        outputs(HASHES).prop_map(|(hash_func, hash)| Payload::Chash(Chash { hash_func: HashFunc(hash_func), hash })),
        outputs(MACS).prop_map(|(auth_alg, ver_data)| Payload::V(V { auth_alg: MacAlg(auth_alg), ver_data })),
        any_sp().prop_map(Payload::Sp),
        any::<(u8, u16)>()
            .prop_map(|(error_no, reserved)| { Payload::Err(ErrorReport { error_no: ErrorNo(error_no), reserved }) }),
        (any::<u8>(), any_ts()).prop_map(|(role, ts)| Payload::Tr(Tr { role: TsRole(role), ts })),
        (any::<u8>(), octets(255)).prop_map(|(role, rand)| Payload::Randr(Randr { role: RandRole(role), rand })),
        (0u8..10, octets(400)).prop_map(|(extension_type, data)| {
            Payload::GeneralExtension(GeneralExtension { extension_type: ExtensionType(extension_type), data })
        }),
        pair().prop_map(|(params, id_scheme, data)| {
            Payload::Sakke(Sakke { params: SakkeParams(params), id_scheme: IdScheme(id_scheme), data })
        }),
    ]
}

/// A payload that cannot be taken apart, or a signature, or nothing at the end of a message.
fn any_end() -> impl Strategy<Value = (Option<Payload>, Option<Sign>)> {
    let rest = (proptest::sample::select(&[16, 17, 22, 23, 24, 25][..]), any::<u8>(), octets(400)).prop_map(
        |(payload_type, next_payload, octets)| {
            let (payload_type, next_payload) = (PayloadType(payload_type), PayloadType(next_payload));
            Payload::Rest(Rest { payload_type, next_payload, octets })
        },
    );
    let sign = (0u8..16, octets(4_095)).prop_map(|(s_type, signature)| Sign { s_type: SType(s_type), signature });
    prop_oneof![
        4 => sign.prop_map(|sign| (None, Some(sign))),
        1 => rest.prop_map(|rest| (Some(rest), None)),
        1 => Just((None, None)),
    ]
}

fn any_map() -> impl Strategy<Value = CsIdMap> {
    let srtp = any::<(u8, u32, u32)>().prop_map(|(policy, ssrc, roc)| SrtpId { policy, ssrc, roc });
    let generic = (any::<(u8, u8, bool)>(), octets(127), octets(300), octets(255)).prop_map(
        |((cs_id, prot_type, s), policies, session_data, spi)| GenericId {
            cs_id,
            prot_type: ProtType(prot_type),
            s,
            policies,
            session_data,
            spi,
        },
    );
    prop_oneof![
        vec_of(srtp, 0..=255).prop_map(CsIdMap::SrtpId),
        any::<u8>().prop_map(CsIdMap::Empty),
        vec_of(generic, 0..6).prop_map(CsIdMap::GenericId),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let header = (any::<(u8, bool, [u8; 4])>(), 0u8..128, any_map());
    (header, vec_of(any_payload(), 0..12), any_end()).prop_map(
        |(((data_type, v, csb_id), prf_func, cs_id_map), mut payloads, (rest, sign))| {
            payloads.extend(rest);
            let header = Header { data_type: DataType(data_type), v, prf_func: PrfFunc(prf_func), csb_id, cs_id_map };
            Message { header, payloads, sign }
        },
    )
}

/// A change to the octets of a message, as an attacker or a bad line makes it.
#[derive(Clone, Debug)]
enum Mutation {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
}

impl Mutation {
    fn apply(&self, octets: &mut Vec<u8>) {
        let span = |from: &Index, to: &Index, length: usize| {
            let (from, to) = (from.index(length + 1), to.index(length + 1));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Set(_, _) if octets.is_empty() => {}
            Self::Set(at, value) => {
                let at = at.index(octets.len());
                octets[at] = *value;
            }
            Self::Insert(at, inserted) => {
                let at = at.index(octets.len() + 1);
                octets.splice(at..at, inserted.iter().copied());
            }
            Self::Remove(from, to) => drop(octets.drain(span(from, to, octets.len()))),
            Self::Repeat(from, to) => {
                let span = span(from, to, octets.len());
                let copy = octets[span.clone()].to_vec();
                octets.splice(span.start..span.start, copy);
            }
        }
    }
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        6 => any::<(Index, u8)>().prop_map(|(at, value)| Mutation::Set(at, value)),
        1 => (any::<Index>(), octets(8)).prop_map(|(at, inserted)| Mutation::Insert(at, inserted)),
        1 => any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Remove(from, to)),
        1 => any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ]
}

/// What holds for all octets: an error points into them; a message is its octets, and the layout covers them; an
/// inspection finds the same.
fn check(octets: &[u8]) -> Result<(), TestCaseError> {
    for tolerances in [Tolerances::NONE, Tolerances::default(), Tolerance::ALL.into_iter().collect()] {
        check_with(octets, tolerances)?;
    }
    Ok(())
}

fn check_with(octets: &[u8], tolerances: Tolerances) -> Result<(), TestCaseError> {
    let inspection = inspect(octets, tolerances);
    prop_assert!(inspection.faults.iter().all(|fault| fault.error.offset <= octets.len()));
    let parts: Vec<u8> = inspection.parts.iter().flat_map(|part| part.octets.iter().copied()).collect();
    prop_assert_eq!(&parts, &octets[..inspection.length]);
    for part in &inspection.parts {
        prop_assert_eq!(part.fields().is_empty(), part.content.is_none());
    }

    let message = match Message::decode_with(octets, tolerances) {
        Ok(message) => message,
        Err(error) => {
            prop_assert!(error.offset <= octets.len());
            prop_assert_eq!(inspection.message(), None);
            prop_assert!(!inspection.faults.is_empty());
            return Ok(());
        }
    };
    prop_assert_eq!(inspection.message(), Some(&message));
    prop_assert_eq!(inspection.signed_length, message.signed_length());
    let encoded = message.encode_with(tolerances).unwrap();
    prop_assert_eq!(&encoded, octets);
    prop_assert_eq!(message.layout().map(|part| part.length).sum::<usize>(), octets.len());
    if let Err(error) = IMessage::from_message_with(&message, tolerances) {
        prop_assert!(error.offset < octets.len());
        let is_i_message = message.header.data_type == DataType::SAKKE_MSG;
        prop_assert_eq!(inspection.faults.iter().any(|fault| fault.error == error), is_i_message);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(ProptestConfig::default().cases * 4) })]

    #[test]
    fn arbitrary_octets_do_no_harm(octets in octets(600)) {
        check(&octets)?;
    }

    #[test]
    fn arbitrary_payloads_do_no_harm(next in 0u8..28, octets in octets(600)) {
        let mut message = after_header(next, "");
        message.extend(octets);
        check(&message)?;
    }

    #[test]
    fn a_mutated_message_is_refused_or_is_its_octets(
        which in any::<Index>(),
        mutations in vec_of(any_mutation(), 1..4),
    ) {
        let recorded = recorded();
        let mut octets = recorded[which.index(recorded.len())].clone();
        mutations.iter().for_each(|mutation| mutation.apply(&mut octets));
        check(&octets)?;
    }

    #[test]
    fn a_message_decodes_from_its_octets(message in any_message()) {
        let octets = message.encode_with(Tolerances::default()).unwrap();
        prop_assert_eq!(Message::decode(&octets).unwrap(), message.clone());
        check(&octets)?;
        if let (Some(sign), Ok(strict)) = (&message.sign, message.encode()) {
            let mut built = message.encode_to_be_signed(sign.s_type, sign.signature.len()).unwrap();
            prop_assert_eq!(Some(built.len()), message.signed_length());
            built.extend_from_slice(&sign.signature);
            prop_assert_eq!(&built, &octets);
            prop_assert_eq!(&strict, &octets);
        }
    }
}

#[test]
fn every_octet_of_a_recorded_message_set_to_every_value_does_no_harm() {
    for octets in recorded() {
        let payload_octets = octets.len() - 129;
        for at in 0..payload_octets {
            for value in 0..=255 {
                let mut changed = octets.clone();
                changed[at] = value;
                check_with(&changed, Tolerances::default()).unwrap();
            }
        }
    }
}
