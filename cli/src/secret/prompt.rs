//! Asks on the terminal, whatever stdin and stdout are, and shows nothing of the answer.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use sanfleet_protocol::{Password, password::PASSWORD_BYTES};
use tokio::sync::oneshot;

use super::{SecretError, parsed};

/// The controlling terminal of this process (tty(4)).
const TERMINAL: &str = "/dev/tty";

pub async fn ask(question: &str) -> Result<Password, SecretError> {
    ask_on(Path::new(TERMINAL), question).await
}

async fn ask_on(path: &Path, question: &str) -> Result<Password, SecretError> {
    let no_terminal = |source| SecretError::NoTerminal { source };
    let mut terminal = OpenOptions::new().read(true).write(true).open(path).map_err(no_terminal)?;
    let quiet = Quiet::new(&terminal).map_err(no_terminal)?;
    write!(terminal, "{question}").map_err(no_terminal)?;
    let reader = terminal.try_clone().map_err(no_terminal)?;
    let (answer, answered) = oneshot::channel();
    // A thread that nobody waits for: the operator may never press Enter.
    std::thread::spawn(move || answer.send(read_line(reader)));
    let line = tokio::select! {
        line = answered => line.unwrap_or_else(|lost| Err(io::Error::other(lost))),
        _ = tokio::signal::ctrl_c() => return Err(SecretError::Interrupted),
    };
    drop(quiet);
    // The line end that was typed did not show either.
    writeln!(terminal).map_err(no_terminal)?;
    parsed(&line.map_err(no_terminal)?, || "the terminal".to_owned())
}

fn read_line(terminal: File) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(terminal).take(PASSWORD_BYTES as u64 + 3).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// A terminal that does not show what is typed. It does again when this is dropped.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    fn new(terminal: &File) -> io::Result<Self> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        // What was typed before the question was for somebody else.
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::{os::fd::OwnedFd, time::Duration};

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
        assert_eq!(asked.await.unwrap().unwrap().expose(), "hunter2");
        let (shown, _end) = screen.join().unwrap();
        assert!(shown.contains("Password?") && !shown.contains("hunter2"), "{shown:?}");
        assert!(tcgetattr(&held).unwrap().local_modes.contains(LocalModes::ECHO));
    }

    #[tokio::test]
    async fn what_is_no_terminal_is_not_asked() {
        let error = ask_on(Path::new("/dev/null"), "? ").await.unwrap_err();
        assert!(matches!(error, SecretError::NoTerminal { .. }), "{error}");
    }
}
