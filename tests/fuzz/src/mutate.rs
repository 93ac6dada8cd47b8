//! Changed seeds, for the runs that no coverage leads: the same seed of the generator makes the same inputs.

/// Longest input, in bytes.
const LONGEST: usize = 4_096;
/// What decoders of this protocol look for.
const WORDS: [&str; 24] = [
    "null",
    "true",
    "-1",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "0.5",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "{}",
    "[]",
    "[[[[[[[[",
    "\"class\":",
    "\"flags\":1",
    "0000000000",
    "9999999999",
    "://",
    "&",
    "=",
    "\u{1f980}",
    "\\",
    "\u{0}",
    "\"id\":100",
];

/// A small generator (xorshift64*): no more is asked of it than to go on.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).unwrap_or_default() % limit.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// A seed with a few changes: bits, pieces that go, come twice or come from another seed, and words.
pub fn changed(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut input = chance.pick(seeds).cloned().unwrap_or_default();
    for _ in 0..=chance.below(4) {
        let (from, to) = range(input.len(), chance);
        match chance.below(6) {
            0 => flip(&mut input, from, chance),
            1 => drop(input.drain(from..to)),
            2 => {
                let piece = input.get(from..to).unwrap_or_default().to_vec();
                input.splice(from..from, piece);
            }
            3 => {
                let other = chance.pick(seeds).cloned().unwrap_or_default();
                let (start, end) = range(other.len(), chance);
                input.splice(from..to, other.get(start..end).unwrap_or_default().iter().copied());
            }
            4 => {
                let word = chance.pick(&WORDS).copied().unwrap_or_default();
                input.splice(from..to, word.bytes());
            }
            _ => {
                let word = chance.pick(&WORDS).copied().unwrap_or_default();
                input.splice(from..from, word.bytes());
            }
        }
        input.truncate(LONGEST);
    }
    input
}

fn range(length: usize, chance: &mut Chance) -> (usize, usize) {
    let from = chance.below(length + 1);
    let longest = (length - from).min(32);
    (from, from + chance.below(longest + 1))
}

fn flip(input: &mut [u8], at: usize, chance: &mut Chance) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << chance.below(8);
    }
}
