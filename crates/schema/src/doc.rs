//! The comments in front of a declaration, as the schema keeps them.

/// Joins comments into one text without the indentation that they had.
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

/// Writes a doc text at an indentation in canonical form, each line ended: one blank after the marks, lines of a block
/// comment each behind a star, and what they were indented by is lost.
pub(crate) fn write(out: &mut String, doc: &str, indent: &str) {
    for comment in comments(doc) {
        for line in canonical(comment) {
            out.push_str(indent);
            out.push_str(&line);
            out.push('\n');
        }
    }
}

/// Longest text of a block comment that is written on one line.
const ONE_LINE_MAX_BYTES: usize = 70;

/// The comments that were joined to a doc text.
fn comments(doc: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = doc;
    while !rest.is_empty() {
        let end = if rest.starts_with("/*") {
            rest.get(2..).and_then(|inner| inner.find("*/")).map_or(rest.len(), |at| at + 4)
        } else {
            rest.find('\n').unwrap_or(rest.len())
        };
        let (comment, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        found.push(comment);
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    found
}

/// One comment in canonical form, line by line.
fn canonical(comment: &str) -> Vec<String> {
    let Some(block) = comment.strip_prefix("/*") else {
        return vec![format!("// {}", comment.strip_prefix("//").unwrap_or(comment).trim())];
    };
    let block = block.strip_suffix("*/").unwrap_or(block);
    let (mark, block) = block.strip_prefix('*').map_or(("/*", block), |rest| ("/**", rest));
    let unstarred = |line: &str| {
        let line = line.trim();
        line.strip_prefix('*').unwrap_or(line).trim().to_owned()
    };
    let lines: Vec<String> = block.lines().map(unstarred).collect();
    let is_filled = |line: &String| !line.is_empty();
    let first = lines.iter().position(is_filled).unwrap_or(0);
    let last = lines.iter().rposition(is_filled).unwrap_or(0);
    match lines.get(first..=last).unwrap_or(&[]) {
        [] => vec![format!("{mark}  */")],
        [line] if line.len() <= ONE_LINE_MAX_BYTES => vec![format!("{mark} {line} */")],
        lines => {
            let starred = lines.iter().map(|line| format!(" * {line}"));
            std::iter::once(mark.to_owned()).chain(starred).chain(std::iter::once(" */".to_owned())).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(doc: &str) -> String {
        let mut out = String::new();
        write(&mut out, doc, "\t");
        out
    }

    #[test]
    fn indentation_is_dropped() {
        let text = "/*\n\t  one\n\t    two\n\n\t  */";
        assert_eq!(join([text]).unwrap(), "/*\none\n  two\n\n*/");
    }

    #[test]
    fn a_long_block_comment_gets_lines_of_its_own() {
        let text = |length: usize| format!("/* {} */", "x".repeat(length));
        assert_eq!(written(&text(70)), format!("\t{}\n", text(70)));
        assert_eq!(written(&text(71)), format!("\t/*\n\t * {}\n\t */\n", "x".repeat(71)));
    }

    #[test]
    fn comments_are_written_in_canonical_form() {
        for (doc, expect) in [
            ("//one", "// one"),
            ("//   two  ", "// two"),
            ("///three", "// /three"),
            ("//", "// "),
            ("/*one*/", "/* one */"),
            ("/** one */", "/** one */"),
            ("/* two\n */", "/* two */"),
            ("/* */", "/*  */"),
            ("/**/", "/*  */"),
            ("/*/ one */", "/* / one */"),
            ("/*\n  block\n    in\n\n*/", "/*\n\t * block\n\t * in\n\t */"),
            ("/** one\n  * two\n    three\n*/", "/**\n\t * one\n\t * two\n\t * three\n\t */"),
            ("/* one\n\n   two */", "/*\n\t * one\n\t * \n\t * two\n\t */"),
            (
                "/* one */\n// two\n/* three\nfour */",
                "/* one */\n\t// two\n\t/*\n\t * three\n\t * four\n\t */",
            ),
        ] {
            let once = written(doc);
            assert_eq!(once, format!("\t{expect}\n"), "{doc}");
            let again = join(comments(once.trim().replace("\n\t", "\n").as_str())).unwrap();
            assert_eq!(written(&again), once, "{doc}");
        }
    }

    #[test]
    fn stars_are_lined_up() {
        let joined = join(["/**\n\t * one\n\t\t* two\n\t */", "// three  "]).unwrap();
        assert_eq!(joined, "/**\n * one\n * two\n */\n// three");
    }
}
