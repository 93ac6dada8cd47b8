//! What is asked of the person at the terminal.

use std::{
    io::{self, Write},
    os::fd::AsFd,
};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, isatty};

use super::stop::Stop;
use crate::terminal::{self, Altered};

const PASSWORD: &str = "Password: ";

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
    let yes = key.is_some_and(|key| key.eq_ignore_ascii_case(&b'y'));
    if !yes {
        out.write_all(b"Operation aborted!\n").map_err(Stop::Output)?;
    }
    Ok(yes)
}

/// Asks for a password at the terminal, which does not show it. Where there is no terminal, as under cron, it is read from stdin.
pub async fn password() -> io::Result<String> {
    let line = match terminal::ask(PASSWORD).await {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => from_stdin().await?,
        asked => asked?,
    };
    let text =
        String::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// Stdin may be a terminal although it is not the one that we belong to: its keys are not shown either.
async fn from_stdin() -> io::Result<Vec<u8>> {
    let stdin = io::stdin();
    let interrupts = terminal::interrupts()?;
    let _quiet = if isatty(stdin.as_fd()) { Some(Altered::quiet(&stdin)?) } else { None };
    io::stderr().write_all(PASSWORD.as_bytes())?;
    let line = terminal::line_of(io::stdin(), interrupts).await?;
    if line.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(line) }
}

/// Waits for return at the terminal.
pub fn wait_for_return(question: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(question.as_bytes())?;
    out.flush()?;
    io::stdin().read_line(&mut String::new()).map(|_| ())
}

/// Handed out as soon as it is pressed, and not shown.
fn read_key(terminal: impl AsFd) -> io::Result<Option<u8>> {
    let _raw = Altered::new(terminal.as_fd(), OptionalActions::Drain, |modes| {
        modes
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    })?;
    let mut key = [0];
    let count = rustix::io::read(terminal.as_fd(), &mut key)?;
    Ok((count > 0).then_some(key[0]))
}
