//! Near names for "did you mean".

/// The candidate nearest to `name` by edit distance, if it is near enough to be a likely slip: at most a third of
/// the name's length, and at least one edit is always allowed. Ties go to the first in iteration order.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        assert_eq!(nearest("veiwer", ["owner", "viewer"]), Some("viewer"));
        assert_eq!(nearest("usr", ["group", "user"]), Some("user"));
        assert_eq!(nearest("document", ["user", "group"]), None);
    }
}
