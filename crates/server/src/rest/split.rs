//! A body of several JSON objects, one after another, cut into its objects as it arrives.

/// A body that is no sequence of objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsplittable {
    #[error("message {index} of the body begins with `{found}`; each must be a JSON object")]
    NoObject {
        /// Which, from 1.
        index: u64,
        /// Its first character, escaped unless printable.
        found: String,
    },
    #[error("message {index} of the body ends within its JSON object")]
    Unfinished {
        /// Which, from 1.
        index: u64,
    },
    #[error("message {index} of the body is longer than {size_max_bytes} bytes; send smaller ones")]
    TooLarge {
        /// Which, from 1.
        index: u64,
        /// The bound.
        size_max_bytes: usize,
    },
}

/// Finds where objects end. Whether they are valid inside is for whoever reads them.
#[derive(Debug)]
pub(super) struct Splitter {
    object: Vec<u8>,
    size_max_bytes: usize,
    /// Objects begun.
    begun: u64,
    depth: usize,
    in_text: bool,
    is_escaped: bool,
}

impl Splitter {
    /// For objects of at most this size.
    pub(super) fn new(size_max_bytes: usize) -> Splitter {
        Splitter { object: Vec::new(), size_max_bytes, begun: 0, depth: 0, in_text: false, is_escaped: false }
    }

    /// Takes more of the body; gives the objects that are whole now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Unsplittable> {
        let mut whole = Vec::new();
        for byte in bytes {
            if self.depth == 0 && matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                continue;
            }
            self.step(*byte)?;
            if self.depth == 0 {
                whole.push(std::mem::take(&mut self.object));
            }
        }
        Ok(whole)
    }

    fn step(&mut self, byte: u8) -> Result<(), Unsplittable> {
        if self.depth == 0 {
            self.begun += 1;
            if byte != b'{' {
                let found = byte.escape_ascii().to_string();
                return Err(Unsplittable::NoObject { index: self.begun, found });
            }
        }
        if self.object.len() >= self.size_max_bytes {
            return Err(Unsplittable::TooLarge { index: self.begun, size_max_bytes: self.size_max_bytes });
        }
        self.object.push(byte);
        if self.in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return Ok(());
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' => self.depth += 1,
            b'}' => self.depth -= 1,
            _ => {}
        }
        Ok(())
    }

    /// Says whether the body may end here.
    pub(super) fn end(&self) -> Result<(), Unsplittable> {
        if self.depth == 0 { Ok(()) } else { Err(Unsplittable::Unfinished { index: self.begun }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(parts: &[&str]) -> Result<Vec<String>, Unsplittable> {
        let mut splitter = Splitter::new(20);
        let mut whole = Vec::new();
        for part in parts {
            whole.extend(splitter.push(part.as_bytes())?);
        }
        splitter.end()?;
        Ok(whole.into_iter().map(|object| String::from_utf8(object).unwrap()).collect())
    }

    #[test]
    fn objects_are_found_wherever_the_body_is_cut() {
        let body = "{\"a\":\"}\\\"{\"} {}\n{\"b\":{\"c\":[{}]}}{}";
        let expected = ["{\"a\":\"}\\\"{\"}", "{}", "{\"b\":{\"c\":[{}]}}", "{}"];
        for at in 0..=body.len() {
            let (first, second) = body.split_at(at);
            assert_eq!(split(&[first, second]).unwrap(), expected);
        }
        assert_eq!(split(&["", " \r\n\t"]).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_object_or_too_large_or_not_whole_is_refused() {
        assert_eq!(split(&["{}{}{\"a\":"]).unwrap_err(), Unsplittable::Unfinished { index: 3 });
        assert_eq!(split(&["{\"a\":\""]).unwrap_err(), Unsplittable::Unfinished { index: 1 });
        assert_eq!(split(&["{} x"]).unwrap_err(), Unsplittable::NoObject { index: 2, found: "x".into() });
        assert_eq!(split(&["}"]).unwrap_err(), Unsplittable::NoObject { index: 1, found: "}".into() });
        assert_eq!(split(&["[{}]"]).unwrap_err(), Unsplittable::NoObject { index: 1, found: "[".into() });
        let large = format!("{{}}{{\"a\":\"{}\"}}", "x".repeat(20));
        assert_eq!(split(&[&large]).unwrap_err(), Unsplittable::TooLarge { index: 2, size_max_bytes: 20 });
        let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(12));
        assert_eq!(split(&[&fits]).unwrap(), [fits]);
    }
}
