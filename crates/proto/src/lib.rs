//! The wire types of `authzed.api.v1` and `pemba.v1`: messages, and for every service its client and its server trait.
//!
//! The `.proto` files under `proto/` are the source; `cargo xtask proto` turns them into the code here, which is
//! committed so that a build needs neither protoc nor a build script.
//!
//! ```
//! use pemba_proto::authzed::api::v1::{ObjectReference, SubjectReference};
//!
//! let subject = SubjectReference {
//!     object: Some(ObjectReference { object_type: "user".into(), object_id: "amal".into() }),
//!     optional_relation: String::new(),
//! };
//! assert_eq!(subject.object.unwrap().object_type, "user");
//! ```
//!
//! **Invariant: nothing here is written by hand except this file; in `authzed.api.v1` every name,
//! number and type on the wire is the field's, and a test compares them all.**

/// The encoded `google.protobuf.FileDescriptorSet` of everything below with all its imports: what server reflection
/// serves, and where the REST routes (`google.api.http`) are read from.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptor.binpb");

/// What the `.proto` files say in comments: a line for each, with the full name of the message, field, enum, service or
/// method, a tab, and the comment. Sorted by name.
pub const COMMENTS: &str = include_str!("generated/comments.tsv");

/// The `authzed` packages.
pub mod authzed {
    /// The `authzed.api` packages.
    pub mod api {
        /// Package `authzed.api.v1`.
        #[allow(
            missing_docs,
            deprecated,
            unreachable_pub,
            clippy::all,
            clippy::restriction,
            clippy::too_many_lines,
            clippy::large_futures,
            rustdoc::all,
            reason = "generated"
        )]
        pub mod v1 {
            include!("generated/authzed.api.v1.rs");
        }
    }
}

/// The `pemba` packages.
pub mod pemba {
    /// Package `pemba.v1`: agents as principals.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::restriction,
        clippy::too_many_lines,
        clippy::large_futures,
        rustdoc::all,
        reason = "generated"
    )]
    pub mod v1 {
        include!("generated/pemba.v1.rs");
    }
}

/// The `buf` packages.
pub mod buf {
    /// Package `buf.validate`: what an error tells of the rules that a request breaks.
    #[allow(missing_docs, clippy::all, rustdoc::all, reason = "generated")]
    pub mod validate {
        include!("generated/buf.validate.rs");
    }
}

/// The `google` packages that `authzed.api.v1` uses and `prost_types` lacks.
pub mod google {
    /// Package `google.rpc`.
    #[allow(missing_docs, clippy::all, rustdoc::all, reason = "generated")]
    pub mod rpc {
        include!("generated/google.rpc.rs");
    }
}
