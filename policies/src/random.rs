//! Where policies get their randomness: from the caller, who decides the stream.

/// A source of random bits. One method to write; the rest follows from it, so that every generator gives the same
/// figures from the same bits.
pub trait Random {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// Uniform in `[0, 1)`, in steps of 2⁻⁵³.
    fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform among `0..n`; 0 if `n` is 0. Multiply-and-shift: the bias is below n / 2⁶⁴.
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }
}

impl<R: Random + ?Sized> Random for &mut R {
    fn next_u64(&mut self) -> u64 {
        (**self).next_u64()
    }
}
