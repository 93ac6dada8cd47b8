//! What is asked of the person at the terminal.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr};

use super::stop::Stop;

const TERMINAL: &str = "/dev/tty";
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const ERASE: [u8; 2] = [8, 127];
const KILL: u8 = 21;
/// Longer than any array takes.
const LONGEST: usize = 4096;

/// Asks before data are lost, or may be. True when the answer, one key, is yes.
pub fn may_lose_data(certain: bool) -> Result<bool, Stop> {
    let word = if certain { "will" } else { "may" };
    let mut out = io::stdout().lock();
    let warning = format!(
        "Warning: You are about to do an operation that {word} cause data to be lost!\n\
         Press [Y|y] to continue, any other key to abort\n"
    );
    out.write_all(warning.as_bytes()).and_then(|()| out.flush()).map_err(Stop::Output)?;
    let stdin = io::stdin();
    if !isatty(stdin.as_fd()) {
        return Err(Stop::Usage("there is no terminal to ask at; use --force".to_owned()));
    }
    let key = read_key(&stdin).map_err(|error| Stop::Usage(format!("cannot read the answer: {error}")))?;
    let yes = key.eq_ignore_ascii_case(&b'y');
    if !yes {
        out.write_all(b"Operation aborted!\n").map_err(Stop::Output)?;
    }
    Ok(yes)
}

/// Asks for a password at the terminal, which does not show it.
pub fn password() -> io::Result<String> {
    let terminal = File::options().read(true).write(true).open(TERMINAL)?;
    let read = {
        let _raw = Raw::new(&terminal)?;
        (&terminal).write_all(b"Password: ").and_then(|()| read_line(&mut &terminal))
    };
    (&terminal).write_all(b"\n")?;
    let bytes = read?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Waits for return at the terminal.
pub fn wait_for_return(question: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(question.as_bytes())?;
    out.flush()?;
    io::stdin().read_line(&mut String::new()).map(|_| ())
}

fn read_key(terminal: &(impl AsFd + ?Sized)) -> io::Result<u8> {
    let _raw = Raw::new(terminal)?;
    let mut key = [0];
    let count = rustix::io::read(terminal, &mut key)?;
    Ok(if count == 0 { END } else { key[0] })
}

/// A line whose keys come one by one.
fn read_line(terminal: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut key = [0];
    while terminal.read(&mut key)? == 1 {
        match key[0] {
            b'\r' | b'\n' | END => break,
            INTERRUPT => return Err(io::ErrorKind::Interrupted.into()),
            KILL => line.clear(),
            byte if ERASE.contains(&byte) => erase(&mut line),
            byte if line.len() < LONGEST => line.push(byte),
            _ => {}
        }
    }
    Ok(line)
}

/// The last letter, all of its bytes.
fn erase(line: &mut Vec<u8>) {
    while let Some(byte) = line.pop() {
        if byte & 0xc0 != 0x80 {
            break;
        }
    }
}

/// A terminal that hands out keys as they come and shows none, until this is dropped.
struct Raw<'a, T: AsFd + ?Sized> {
    terminal: &'a T,
    before: Termios,
}

impl<'a, T: AsFd + ?Sized> Raw<'a, T> {
    fn new(terminal: &'a T) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Drain, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl<T: AsFd + ?Sized> Drop for Raw<'_, T> {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing back.
        let _ = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_return_and_can_be_mended() {
        for (keys, line) in [
            (&b"secret\rmore"[..], "secret"),
            (b"secret\n", "secret"),
            (b"sex\x7fcret\r", "secret"),
            (b"\x08a\r", "a"),
            (b"wrong\x15right\r", "right"),
            ("gr\u{fc}\x7fo\u{df}\r".as_bytes(), "gro\u{df}"),
            (b"all\x04", "all"),
            (b"", ""),
        ] {
            assert_eq!(read_line(&mut &keys[..]).unwrap(), line.as_bytes(), "{keys:?}");
        }
    }

    #[test]
    fn an_interrupt_ends_the_question() {
        assert_eq!(read_line(&mut &b"sec\x03ret\r"[..]).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
