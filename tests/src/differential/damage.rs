//! Schema texts with one fault, or with a form that few people write.

use super::random::Random;

/// Words that are put into a text.
const WORDS: [&str; 34] = [
    "definition",
    "relation",
    "permission",
    "caveat",
    "use",
    "expiration",
    "self",
    "nil",
    "with",
    "and",
    "user",
    "view",
    "member",
    "+",
    "-",
    "&",
    "->",
    "|",
    "#",
    ":",
    "=",
    "{",
    "}",
    "(",
    ")",
    "\n",
    ";",
    "//x\n",
    "/* c */",
    "...",
    ".all(",
    "*",
    ",",
    "typechecking",
];

/// The text's words, blanks and line ends apart.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last = ' ';
    for c in text.chars() {
        let joins = (c.is_alphanumeric() || c == '_') && (last.is_alphanumeric() || last == '_');
        match words.last_mut().filter(|_| joins) {
            Some(word) => word.push(c),
            None => words.push(c.to_string()),
        }
        last = c;
    }
    words
}

/// Removes, repeats, swaps, or puts in a word.
pub(super) fn damaged(random: &mut Random, text: &str) -> String {
    let mut words = words(text);
    if words.is_empty() {
        return "definition".to_owned();
    }
    let place = random.below(words.len());
    match random.below(5) {
        0 => _ = words.remove(place),
        1 => words.insert(place, words[place].clone()),
        2 => {
            let other = random.below(words.len());
            words.swap(place, other);
        }
        3 => words[place] = (*random.pick(&WORDS)).to_owned(),
        _ => words.insert(place, format!(" {} ", random.pick(&WORDS))),
    }
    words.concat()
}
