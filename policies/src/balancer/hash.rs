//! xxHash64 (Collet's specification, version 0.1.1): the hash that Envoy places replicas and requests with.

const P1: u64 = 0x9e37_79b1_85eb_ca87;
const P2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const P3: u64 = 0x1656_67b1_9e37_79f9;
const P4: u64 = 0x85eb_ca77_c2b2_ae63;
const P5: u64 = 0x27d4_eb2f_1656_67c5;

/// The 64-bit xxHash of `bytes` under `seed`.
pub fn xx_hash_64(bytes: &[u8], seed: u64) -> u64 {
    let (stripes, tail) = bytes.as_chunks::<32>();
    let mut h = if stripes.is_empty() { seed.wrapping_add(P5) } else { digest(stripes, seed) };
    h = h.wrapping_add(bytes.len() as u64);
    let (words, rest) = tail.as_chunks::<8>();
    for word in words {
        h = (h ^ round(0, u64::from_le_bytes(*word))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        h ^= u64::from(u32::from_le_bytes(*half)).wrapping_mul(P1);
        h = h.rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
    }
    for byte in rest {
        h = (h ^ u64::from(*byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    h = (h ^ (h >> 33)).wrapping_mul(P2);
    h = (h ^ (h >> 29)).wrapping_mul(P3);
    h ^ (h >> 32)
}

/// Four lanes over all whole stripes, put together.
fn digest(stripes: &[[u8; 32]], seed: u64) -> u64 {
    let mut lanes = [seed.wrapping_add(P1).wrapping_add(P2), seed.wrapping_add(P2), seed, seed.wrapping_sub(P1)];
    for stripe in stripes {
        for (lane, word) in lanes.iter_mut().zip(stripe.as_chunks::<8>().0) {
            *lane = round(*lane, u64::from_le_bytes(*word));
        }
    }
    let sum = lanes.into_iter().zip([1, 7, 12, 18]).fold(0u64, |h, (lane, by)| h.wrapping_add(lane.rotate_left(by)));
    lanes.into_iter().fold(sum, |h, lane| (h ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4))
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts_have_their_published_hashes() {
        let table: [(&str, u64, u64); 8] = [
            ("", 0, 0xef46_db37_51d8_e999),
            ("", 1, 0xd5af_ba13_36a3_be4b),
            ("a", 0, 0xd24e_c4f1_a98c_6e5b),
            ("abc", 0, 0x44bc_2cf5_ad77_0999),
            ("I want an unsigned 64-bit seed!", 0, 0xd4cb_0a70_a2b8_c7c1),
            ("I want an unsigned 64-bit seed!", 1, 0xce50_87f1_2470_d961),
            ("Nobody inspects the spammish repetition", 0, 0xfbce_a83c_8a37_8bf1),
            ("xxhash", 20_141_025, 0xb559_b98d_844e_0635),
        ];
        for (text, seed, hash) in table {
            assert_eq!(xx_hash_64(text.as_bytes(), seed), hash, "{text:?} under {seed}");
        }
    }
}
