//! The stable names of all findings.

/// Errors in how a text is written.
pub const PARSE: [&str; 37] = [
    "schema-too-large",
    "unterminated-comment",
    "unterminated-text",
    "expected-declaration",
    "expected-member",
    "expected-name",
    "expected-token",
    "expected-expression",
    "expected-end",
    "reserved-word",
    "late-flag",
    "unknown-flag",
    "duplicate-flag",
    "missing-flag",
    "import-unsupported",
    "unclosed-block",
    "unclosed-caveat",
    "trait-order",
    "second-caveat",
    "operator-on-new-line",
    "nesting-too-deep",
    "arrow-over-expression",
    "chained-arrow",
    "unknown-function",
    "unknown-parameter-type",
    "parameter-nesting",
    "missing-element-type",
    "element-type",
    "duplicate-name",
    "duplicate-member",
    "invalid-name",
    "unknown-partial",
    "partial-cycle",
    "parameter-count",
    "duplicate-parameter",
    "caveat-too-long",
    "empty-caveat",
];

/// Errors in what a well-formed text says about types.
pub const TYPE: [&str; 14] = [
    "unknown-type",
    "unknown-relation",
    "unknown-caveat",
    "duplicate-subject",
    "wildcard-in-userset",
    "arrow-from-permission",
    "arrow-over-wildcard",
    "permission-cycle",
    "permission-references-itself",
    "unused-parameter",
    "annotation-incomplete",
    "too-many-members",
    "too-many-annotations",
    "arrows-too-wide",
];

/// Warnings: the rules of [`crate::lint`].
pub const WARNING: [&str; 4] = crate::lint::RULES;

/// What says that findings were left out.
pub const LEFT_OUT: [&str; 2] = ["too-many-errors", "too-many-warnings"];
