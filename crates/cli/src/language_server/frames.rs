//! Messages on the wire: headers, a blank line, and as many bytes of JSON as the headers say.

use std::io::{self, BufRead, Read as _, Write};

use serde_json::Value;

/// Largest message that is read, in bytes: a schema at its limit, each of its characters escaped.
const MESSAGE_MAX_BYTES: u64 = 32 * 1024 * 1024;
/// Longest header line that is read, in bytes.
const HEADER_MAX_BYTES: u64 = 4096;
/// Most header lines of one message.
const HEADERS_MAX: usize = 32;

/// What was read.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// A message.
    Message(Value),
    /// Something that is no message; what comes after it can be read. Why it is none.
    Unreadable(String),
    /// The other side has ended.
    End,
}

/// Reads one message. Fails when what follows could not be read either: the headers are none, or reading fails.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Frame> {
    let mut size_bytes = None;
    let mut is_first = true;
    for _ in 0..=HEADERS_MAX {
        let Some(line) = header(input)? else {
            return if is_first { Ok(Frame::End) } else { Err(broken("the input ends within the headers")) };
        };
        if line.is_empty() {
            let size_bytes = size_bytes.ok_or_else(|| broken("there is no `Content-Length` header"))?;
            return body(input, size_bytes);
        }
        is_first = false;
        let (name, value) =
            line.split_once(':').ok_or_else(|| broken("a header line must be `name: value`"))?;
        if name.trim().eq_ignore_ascii_case("content-length") {
            let number = value.trim().parse::<u64>();
            size_bytes = Some(number.map_err(|_| broken("`Content-Length` must be a number of bytes"))?);
        }
    }
    Err(broken("a message has too many headers"))
}

fn broken(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

/// One header line without its end; nothing at the end of the input.
fn header(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let read = input.take(HEADER_MAX_BYTES).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(broken("a header line is too long or not ended"));
    }
    let line = String::from_utf8(line).map_err(|_| broken("a header is not UTF-8"))?;
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn body(input: &mut impl BufRead, size_bytes: u64) -> io::Result<Frame> {
    let mut content = input.take(size_bytes);
    if size_bytes > MESSAGE_MAX_BYTES {
        io::copy(&mut content, &mut io::sink())?;
        let reason = format!("the message is {size_bytes} bytes long; at most {MESSAGE_MAX_BYTES} are read");
        return Ok(Frame::Unreadable(reason));
    }
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size_bytes {
        return Err(broken("the input ends within a message"));
    }
    match serde_json::from_slice(&bytes) {
        Ok(message) => Ok(Frame::Message(message)),
        Err(error) => Ok(Frame::Unreadable(format!("the message is not JSON: {error}"))),
    }
}

/// Writes one message.
pub(super) fn write(output: &mut impl Write, message: &Value) -> io::Result<()> {
    let body = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> (Vec<Frame>, Option<String>) {
        let mut frames = Vec::new();
        loop {
            match read(&mut input) {
                Ok(Frame::End) => return (frames, None),
                Ok(frame) => frames.push(frame),
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn messages_follow_one_another_and_bad_ones_are_passed_over() {
        let input =
            b"Content-Length: 2\r\n\r\n{}content-length:1\nContent-Type: x\n\n{Content-Length: 4\r\n\r\nnull";
        let (frames, end) = all(input);
        assert_eq!(frames[0], Frame::Message(serde_json::json!({})));
        assert!(matches!(&frames[1], Frame::Unreadable(reason) if reason.contains("not JSON")));
        assert_eq!(frames[2], Frame::Message(Value::Null));
        assert_eq!((frames.len(), end), (3, None));
    }

    #[test]
    fn one_that_is_too_large_is_passed_over_without_being_held() {
        let size_bytes = MESSAGE_MAX_BYTES + 1;
        let head = format!("Content-Length: {size_bytes}\r\n\r\n");
        let mut input =
            io::BufReader::new(head.as_bytes().chain(io::repeat(b'x').take(size_bytes)).chain(&b""[..]));
        assert!(matches!(read(&mut input).unwrap(), Frame::Unreadable(reason) if reason.contains("at most")));
        assert_eq!(read(&mut input).unwrap(), Frame::End);
    }

    #[test]
    fn headers_that_are_none_end_the_session() {
        for (input, part) in [
            (&b"hello\r\n\r\n"[..], "name: value"),
            (b"A: b\r\n\r\n", "Content-Length"),
            (b"Content-Length: x\r\n\r\n", "number"),
            (b"Content-Length: 5\r\n\r\n{}", "ends within a message"),
            (b"Content-Length: 5", "not ended"),
            (&[b'a'; 5000][..], "too long"),
        ] {
            let (frames, end) = all(input);
            assert!(frames.is_empty() && end.unwrap().contains(part), "{part}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        let message = serde_json::json!({"text": "ä𝒳"});
        write(&mut bytes, &message).unwrap();
        assert_eq!(all(&bytes).0, [Frame::Message(message)]);
    }
}
