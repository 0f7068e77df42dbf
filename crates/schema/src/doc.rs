//! The comments in front of a declaration, as the schema keeps them.

/// Joins comments into one text without the indentation that they had. Printed again at any indentation and read
/// back it is the same.
pub(crate) fn join<'a>(comments: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let parts: Vec<String> = comments
        .into_iter()
        .map(
            |comment| if comment.starts_with("/*") { dedent(comment) } else { comment.trim_end().to_owned() },
        )
        .collect();
    if parts.is_empty() { None } else { Some(parts.join("\n")) }
}

/// A block comment whose lines after the first lose the blanks they share; lines that all start with `*` get one
/// blank, so that the stars stand below each other.
fn dedent(comment: &str) -> String {
    let mut lines = comment.lines().map(str::trim_end);
    let first = lines.next().unwrap_or("");
    let rest: Vec<&str> = lines.collect();
    let filled = || rest.iter().filter(|line| !line.trim().is_empty());
    let starred = filled().all(|line| line.trim_start().starts_with('*'));
    let shared = filled().map(|line| blanks_of(line)).reduce(shared_start).unwrap_or("");
    let mut text = first.to_owned();
    for line in &rest {
        text.push('\n');
        if line.trim().is_empty() {
            continue;
        }
        if starred {
            text.push(' ');
            text.push_str(line.trim_start());
        } else {
            text.push_str(line.strip_prefix(shared).unwrap_or(line));
        }
    }
    text
}

/// The blanks that a line begins with.
pub(crate) fn blanks_of(line: &str) -> &str {
    let length = line.len() - line.trim_start().len();
    line.get(..length).unwrap_or("")
}

/// What two texts begin with alike.
pub(crate) fn shared_start<'a>(left: &'a str, right: &str) -> &'a str {
    let length: usize =
        left.chars().zip(right.chars()).take_while(|(l, r)| l == r).map(|(l, _)| l.len_utf8()).sum();
    left.get(..length).unwrap_or("")
}

/// Writes a doc text at an indentation, each line ended.
pub(crate) fn write(out: &mut String, doc: &str, indent: &str) {
    for line in doc.split('\n') {
        if !line.is_empty() {
            out.push_str(indent);
            out.push_str(line);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indentation_is_dropped_and_comes_back() {
        let text = "/*\n\t  one\n\t    two\n\n\t  */";
        let joined = join([text]).unwrap();
        assert_eq!(joined, "/*\none\n  two\n\n*/");
        let mut out = String::new();
        write(&mut out, &joined, "\t\t");
        assert_eq!(join([out.trim()]).unwrap(), joined);
    }

    #[test]
    fn stars_are_lined_up() {
        let joined = join(["/**\n\t * one\n\t\t* two\n\t */", "// three  "]).unwrap();
        assert_eq!(joined, "/**\n * one\n * two\n */\n// three");
    }
}
