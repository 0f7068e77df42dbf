//! Puts expressions together from pieces, so that every one of them is well-typed.

/// What can stand where a kind of value is asked for. In a piece, `$x` stands for another one of the kind `x`.
pub type Pieces = [(char, &'static [&'static str])];

/// Makes expressions, taking each choice from the bytes, and remembers which pieces it took.
pub struct Maker<'a> {
    pieces: &'a Pieces,
    choices: std::slice::Iter<'a, u8>,
    pub used: Vec<&'static str>,
}

impl<'a> Maker<'a> {
    pub fn new(pieces: &'a Pieces, choices: &'a [u8]) -> Maker<'a> {
        Maker { pieces, choices: choices.iter(), used: Vec::new() }
    }

    /// An expression of this kind; ends since at depth 0 only pieces without holes are taken.
    pub fn expression(&mut self, kind: char, depth: usize) -> String {
        let pieces = self.pieces.iter().find(|(found, _)| *found == kind).unwrap().1;
        let plain: Vec<&'static str> = pieces.iter().copied().filter(|piece| !piece.contains('$')).collect();
        let choice = usize::from(*self.choices.next().unwrap_or(&0));
        let piece = if depth == 0 { plain[choice % plain.len()] } else { pieces[choice % pieces.len()] };
        self.fill(piece, depth)
    }

    /// The piece with its holes filled.
    pub fn fill(&mut self, piece: &'static str, depth: usize) -> String {
        self.used.push(piece);
        let mut parts = piece.split('$');
        let mut text = parts.next().unwrap().to_owned();
        for part in parts {
            let kind = part.chars().next().unwrap();
            text.push_str(&format!("({})", self.expression(kind, depth.saturating_sub(1))));
            text.push_str(part.strip_prefix(kind).unwrap());
        }
        text
    }
}
