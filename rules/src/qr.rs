//! QR codes as SVG.
//!
//! Invariant: a reader of the code gets exactly the text, byte for byte (UTF-8). The picture has the
//! quiet zone of four modules that the standard asks for, and names no font, style or script.
//! Failure: a text that no code holds (about 2,900 bytes) has none.

use std::fmt::Write;

use fast_qr::{ECL, Mode, QRBuilder};

/// Modules of empty border on each side.
pub const QUIET: usize = 4;
/// Width and height in CSS pixels of a picture that nobody scales.
const SHOWN: usize = 320;

/// A code: which modules are dark.
pub struct Code {
    size: usize,
    dark: Vec<bool>,
}

impl Code {
    /// The code of a text: of error correction M (15 %), or L (7 %) where M does not hold it.
    pub fn of(text: &str) -> Option<Self> {
        let at = |level| {
            // One mode for every text: what is saved by the others is not worth a wrong guess.
            let mut builder = QRBuilder::new(text);
            builder.mode(Mode::Byte).ecl(level).build().ok()
        };
        let code = at(ECL::M).or_else(|| at(ECL::L))?;
        let size = code.size;
        Some(Self {
            size,
            dark: code
                .data
                .iter()
                .take(size * size)
                .map(|it| it.value())
                .collect(),
        })
    }

    /// Modules on a side, the quiet zone included.
    pub fn side(&self) -> usize {
        self.size + 2 * QUIET
    }

    /// The dark modules as SVG path data, one unit a module, the quiet zone included.
    pub fn path(&self) -> String {
        let mut path = String::with_capacity(self.dark.len() * 4);
        for (y, row) in self.dark.chunks(self.size.max(1)).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|one, next| one == next) {
                if run.first() == Some(&true) {
                    let (width, left, top) = (run.len(), x + QUIET, y + QUIET);
                    // Writing to a String cannot fail.
                    let _ = write!(path, "M{left} {top}h{width}v1h-{width}z");
                }
                x += run.len();
            }
        }
        path
    }
}

/// A picture of its own: dark on white, scalable.
pub fn svg(text: &str) -> Option<String> {
    let code = Code::of(text)?;
    let (side, path) = (code.side(), code.path());
    Some(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{SHOWN}" height="{SHOWN}" viewBox="0 0 {side} {side}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{path}"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_finders_and_its_quiet_zone() {
        let code = Code::of("hello").unwrap();
        assert_eq!((code.size, code.side()), (21, 29));
        let dark = |x: usize, y: usize| code.dark[y * 21 + x];
        for (x, y) in [(0, 0), (14, 0), (0, 14)] {
            assert!(dark(x, y) && dark(x + 6, y + 6) && dark(x + 3, y + 3));
            assert!(!dark(x + 1, y + 1) && !dark(x + 5, y + 5));
        }
        assert!(code.path().starts_with("M4 4h7v1h-7z"));
        assert!(svg("hello").unwrap().contains(r#"viewBox="0 0 29 29""#));
    }

    #[test]
    fn any_text_has_a_code_until_none_holds_it() {
        for text in ["", "0123456789", "A-1", "a\u{0}b", "Zoë 🎟", "\u{10ffff}"] {
            assert!(Code::of(text).is_some(), "{text:?}");
        }
        for length in [1, 100, 1_000, 2_048, 2_331, 2_332, 2_953] {
            assert!(Code::of(&"x".repeat(length)).is_some(), "{length}");
        }
        assert!(Code::of(&"x".repeat(2_954)).is_none());
        assert!(Code::of(&"x".repeat(1 << 20)).is_none());
    }
}
