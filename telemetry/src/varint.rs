//! Whole numbers as bytes: seven bits a byte, the lowest first, and the eighth says that more follow; as in LEB128 and protocol
//! buffers. Knows nothing of what they count.

/// Adds a number.
pub(crate) fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 1 << 7 {
        bytes.push(number as u8 | 1 << 7);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number that was [`write`]n from the front.
pub(crate) fn read(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte >> 7 == 0 {
            break;
        }
        shift += 7;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written_and_take_a_byte_for_every_seven_bits() {
        let table = [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u64::MAX >> 1, 9), (u64::MAX, 10)];
        let mut bytes = Vec::new();
        for (number, length) in table {
            let before = bytes.len();
            write(&mut bytes, number);
            assert_eq!(bytes.len() - before, length, "{number}");
        }
        let mut left = &bytes[..];
        assert!(table.iter().all(|(number, _)| read(&mut left) == *number) && left.is_empty());
    }
}
