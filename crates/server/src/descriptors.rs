//! The messages' own descriptions, read when they are first asked for.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MessageDescriptor};

static MESSAGES: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(pemba_proto::FILE_DESCRIPTOR_SET).ok());

/// The message of that full name, as `authzed.api.v1.Relationship`.
pub(crate) fn message(name: &str) -> Option<MessageDescriptor> {
    MESSAGES.as_ref()?.get_message_by_name(name)
}
