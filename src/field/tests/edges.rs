//! Every operation on values that are extreme as words or limbs, in themselves and in the forms that the backends give
//! them.

use num_traits::CheckedSub;

use super::*;
use crate::backend::{self, Backend};

/// The exponents of what the backends multiply a number by to get its inner form: 2^1024, and 2^1040 for 20 limbs of 52
/// bits.
const FORMS: [u32; 3] = [0, 1024, 1040];

/// Bits of a word, and of a limb.
const WIDTHS: [u32; 2] = [64, 52];

/// Numbers below m: 0, 1, m - 1 and their neighbours, powers of 2 at every word and limb and what is next to them,
/// words and limbs that are full or empty by turns; and those of which such a number is the inner form.
fn values<M: ModulusOf>() -> Vec<BigUint> {
    let (m, one) = (modulus::<M>(), BigUint::one());
    let mut plain: Vec<BigUint> = (0..4u32).flat_map(|i| [BigUint::from(i), &m - 1u32 - i]).collect();
    for width in WIDTHS {
        for bit in (width..1024).step_by(width as usize) {
            let power = &one << bit;
            plain.extend([&power - 1u32, power.clone(), &power + 1u32].into_iter().filter(|number| *number < m));
            plain.extend(m.checked_sub(&power));
            plain.extend(m.checked_sub(&(&power + 1u32)));
        }
        let full = (&one << width) - 1u32;
        for start in [0, width] {
            let stripes =
                (start..1024).step_by(2 * width as usize).fold(BigUint::zero(), |sum, at| sum + (&full << at));
            plain.push(stripes % &m);
        }
    }
    let of_form = |bits: u32| {
        let inverse = (&one << bits).modinv(&m).unwrap();
        plain.iter().map(|number| number * &inverse % &m).collect::<Vec<_>>()
    };
    FORMS.into_iter().flat_map(of_form).collect()
}

/// Each value with itself, its opposite, and with others in steps that bring all kinds together.
fn pairs<M: ModulusOf>(values: &[BigUint]) -> impl Iterator<Item = (&BigUint, BigUint)> {
    let m = modulus::<M>();
    values.iter().enumerate().flat_map(move |(index, a)| {
        let others = [1, 59, 307].map(|step| values[(index + step) % values.len()].clone());
        let related = [a.clone(), (&m - a) % &m];
        others.into_iter().chain(related).map(move |b| (a, b))
    })
}

fn all_agree<M: ModulusOf>() {
    let values = values::<M>();
    assert!(values.len() > 400);
    pairs::<M>(&values).for_each(|(a, b)| agrees::<M>(a, &b));
}

/// The choice of the backend counts for the whole process; tests beside this one compute the same under any.
#[test]
fn residues_agree_under_every_backend() {
    let chosen = backend::current();
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_available()) {
        backend::select(backend).unwrap();
        all_agree::<P>();
        all_agree::<Q>();
    }
    backend::select(chosen).unwrap();
}

/// Eight at a time, so that each value meets others in its own lane, and lies beside others.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[test]
fn lanes_agree() {
    if !Backend::Ifma.is_available() {
        return;
    }
    let values = values::<P>();
    let eight = |start: usize| core::array::from_fn::<_, 8, _>(|lane| values[(start + lane) % values.len()].clone());
    for start in (0..values.len()).step_by(3) {
        let [b, c, d] = [0, 59, 307].map(|step| eight(start + step));
        lanes::agree(&eight(start), &b, &c, &d, start as u8);
    }
    // The same in all lanes.
    for value in &values {
        let all = core::array::from_fn(|_| value.clone());
        lanes::agree(&all, &all, &all, &all, 0xff);
    }
}
