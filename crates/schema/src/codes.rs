//! The stable names of all findings.

/// Errors in how a text is written.
pub const PARSE: [&str; 49] = [
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
    "invalid-name",
    "unknown-partial",
    "partial-cycle",
    "parameter-count",
    "duplicate-parameter",
    "caveat-too-long",
    "empty-caveat",
    "caveat-literal",
    "caveat-macro",
    "caveat-message",
    "caveat-nesting",
    "caveat-no-overload",
    "caveat-reserved-word",
    "caveat-result-type",
    "caveat-syntax",
    "caveat-type",
    "caveat-type-too-large",
    "caveat-unexpected-character",
    "caveat-unknown-function",
    "caveat-unknown-name",
    "caveat-unterminated-text",
];

/// Errors in what a well-formed text says about types.
pub const TYPE: [&str; 14] = [
    "duplicate-member",
    "unknown-type",
    "unknown-relation",
    "unknown-caveat",
    "duplicate-subject",
    "wildcard-in-userset",
    "arrow-from-permission",
    "arrow-over-wildcard",
    "permission-cycle",
    "unused-parameter",
    "annotation-incomplete",
    "too-many-members",
    "too-many-annotations",
    "arrows-too-wide",
];

/// Warnings: the rules of [`crate::lint`].
pub const WARNING: [&str; 6] = crate::lint::RULES;

/// What says that findings were left out.
pub const LEFT_OUT: [&str; 2] = ["too-many-errors", "too-many-warnings"];
