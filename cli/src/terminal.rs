//! Asks on the terminal, whatever stdin and stdout are, and shows nothing of the answer.

use std::{
    fs::OpenOptions,
    io::{self, BufRead, BufReader, IsTerminal, Read, Write},
    os::fd::AsFd,
    path::Path,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use crate::output;

/// The controlling terminal of this process (tty(4)).
const TERMINAL: &str = "/dev/tty";
/// More than any password has: what is too long is refused by who asked, not cut.
const LONGEST: u64 = 4096;

/// Whether somebody reads what is asked, and could answer.
pub fn is_before_a_person() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// What somebody says who is asked for yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    Given,
    Refused,
    /// Ctrl-C.
    Interrupted,
}

/// Asks on stderr, and hears on stdin; what is neither yes nor Ctrl-C is no.
pub async fn consent(question: &str) -> io::Result<Consent> {
    output::ask(&format!("{question} [y/N] "));
    match line_of(io::stdin(), interrupts()?).await {
        Ok(line) => Ok(match line.trim_ascii().to_ascii_lowercase().as_slice() {
            b"y" | b"yes" => Consent::Given,
            _ => Consent::Refused,
        }),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            output::say("");
            Ok(Consent::Interrupted)
        }
        Err(error) => Err(error),
    }
}

/// The line that is typed as the answer, with its end; `Interrupted` when the answer is Ctrl-C.
pub async fn ask(question: &str) -> io::Result<Vec<u8>> {
    ask_on(Path::new(TERMINAL), question).await
}

async fn ask_on(path: &Path, question: &str) -> io::Result<Vec<u8>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open(path)?;
    let interrupts = interrupts()?;
    let quiet = Altered::quiet(terminal.try_clone()?)?;
    write!(terminal, "{question}")?;
    let line = line_of(terminal.try_clone()?, interrupts).await?;
    drop(quiet);
    // The line end that was typed did not show either.
    writeln!(terminal)?;
    Ok(line)
}

/// Hears Ctrl-C from now on. To be called before the terminal is altered: one that nobody hears ends us, and leaves it altered.
pub fn interrupts() -> io::Result<Signal> {
    signal(SignalKind::interrupt())
}

/// The first line, with its end; `Interrupted` when Ctrl-C comes before it.
pub async fn line_of(reader: impl Read + Send + 'static, mut interrupts: Signal) -> io::Result<Vec<u8>> {
    let (answer, answered) = oneshot::channel();
    // A thread that nobody waits for: the line may never come.
    std::thread::spawn(move || answer.send(read_line(reader)));
    tokio::select! {
        line = answered => line.unwrap_or_else(|lost| Err(io::Error::other(lost))),
        _ = interrupts.recv() => Err(io::ErrorKind::Interrupted.into()),
    }
}

fn read_line(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(reader).take(LONGEST).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// A terminal in other modes (termios(3)). It has its own again when this is dropped.
pub struct Altered<T: AsFd> {
    terminal: T,
    before: Termios,
    when: OptionalActions,
}

impl<T: AsFd> Altered<T> {
    /// One that does not show what is typed. What was typed before the question was for somebody else.
    pub fn quiet(terminal: T) -> io::Result<Self> {
        Self::new(terminal, OptionalActions::Flush, |modes| modes.local_modes.remove(LocalModes::ECHO))
    }

    pub fn new(terminal: T, when: OptionalActions, alter: impl FnOnce(&mut Termios)) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut modes = before.clone();
        alter(&mut modes);
        tcsetattr(&terminal, when, &modes)?;
        Ok(Self { terminal, before, when })
    }
}

impl<T: AsFd> Drop for Altered<T> {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        let _ = tcsetattr(&self.terminal, self.when, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::OwnedFd, time::Duration};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// A terminal with a person before it.
    struct Person {
        end: File,
        terminal: std::path::PathBuf,
    }

    impl Person {
        fn new() -> Self {
            let end: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
            grantpt(&end).unwrap();
            unlockpt(&end).unwrap();
            let name = ptsname(&end, Vec::new()).unwrap();
            Self { terminal: name.to_str().unwrap().into(), end: File::from(end) }
        }

        /// Waits for the question, then types; gives all that the terminal showed, and the terminal's other end.
        fn answers(mut self, with: &'static [u8]) -> std::thread::JoinHandle<(String, File)> {
            std::thread::spawn(move || {
                let mut shown = String::new();
                let mut typed = false;
                let mut piece = [0; 256];
                while let Ok(count @ 1..) = self.end.read(&mut piece) {
                    shown.push_str(&String::from_utf8_lossy(&piece[..count]));
                    if shown.contains('?') && !typed {
                        self.end.write_all(with).unwrap();
                        typed = true;
                    }
                    if typed && shown.ends_with('\n') {
                        break;
                    }
                }
                (shown, self.end)
            })
        }
    }

    #[tokio::test]
    async fn what_is_typed_does_not_show() {
        let person = Person::new();
        let terminal = person.terminal.clone();
        // Held open, so that its settings can be looked at afterwards.
        let held = OpenOptions::new().read(true).write(true).open(&terminal).unwrap();
        let screen = person.answers(b"hunter2\n");
        let asked = tokio::time::timeout(Duration::from_secs(20), ask_on(&terminal, "Password? "));
        assert_eq!(asked.await.unwrap().unwrap(), b"hunter2\n");
        let (shown, _end) = screen.join().unwrap();
        assert!(shown.contains("Password?") && !shown.contains("hunter2"), "{shown:?}");
        assert!(tcgetattr(&held).unwrap().local_modes.contains(LocalModes::ECHO));
    }

    #[tokio::test]
    async fn what_is_no_terminal_is_not_asked() {
        assert!(ask_on(Path::new("/dev/null"), "? ").await.is_err());
    }
}
