//! What a text means, and the colour that goes with it. Colour never stands alone: the text says it too.

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Busy,
    Bad,
    /// There, but not what one looks for.
    Faint,
}

impl Tone {
    /// Of the sixteen colours that every terminal has.
    pub(super) fn colour(self) -> Option<comfy_table::Color> {
        match self {
            Self::Plain => None,
            Self::Good => Some(comfy_table::Color::DarkGreen),
            Self::Busy => Some(comfy_table::Color::DarkYellow),
            Self::Bad => Some(comfy_table::Color::DarkRed),
            Self::Faint => Some(comfy_table::Color::DarkGrey),
        }
    }

    /// Select Graphic Rendition parameter (ECMA-48 §8.3.117) of the same colour.
    fn parameter(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Good => Some(32),
            Self::Busy => Some(33),
            Self::Bad => Some(31),
            Self::Faint => Some(90),
        }
    }
}

/// Puts colour around a text that is legible already.
pub fn paint(text: &str, tone: Tone, colour: bool) -> String {
    match tone.parameter() {
        Some(parameter) if colour => format!("\u{1b}[{parameter}m{text}\u{1b}[0m"),
        _ => text.to_owned(),
    }
}
