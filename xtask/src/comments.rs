//! The comments of the `.proto` files, by the name of what they are about: what the OpenAPI document says in prose.

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

/// The numbers of the fields that paths into a descriptor go through.
const FILE_MESSAGE: i32 = 4;
const FILE_ENUM: i32 = 5;
const FILE_SERVICE: i32 = 6;
const MESSAGE_FIELD: i32 = 2;
const MESSAGE_NESTED: i32 = 3;
const MESSAGE_ENUM: i32 = 4;
const SERVICE_METHOD: i32 = 2;

/// A line for every commented item: its full name, a tab, and the comment on one line. Sorted by name.
pub(crate) fn comments<'a>(files: impl IntoIterator<Item = &'a FileDescriptorProto>) -> String {
    let mut lines = Vec::new();
    for file in files {
        for location in file.source_code_info.iter().flat_map(|info| &info.location) {
            let comment = location.leading_comments().split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(name) = in_file(file, &location.path).filter(|_| !comment.is_empty()) {
                lines.push(format!("{}.{name}\t{comment}\n", file.package()));
            }
        }
    }
    lines.sort();
    lines.concat()
}

fn at<T>(items: &[T], index: i32) -> Option<&T> {
    items.get(usize::try_from(index).ok()?)
}

/// The name, within its package, of what this path leads to.
fn in_file(file: &FileDescriptorProto, path: &[i32]) -> Option<String> {
    match *path {
        [FILE_MESSAGE, index, ref rest @ ..] => in_message(at(&file.message_type, index)?, rest),
        [FILE_ENUM, index] => Some(at::<EnumDescriptorProto>(&file.enum_type, index)?.name().to_owned()),
        [FILE_SERVICE, index] => Some(at(&file.service, index)?.name().to_owned()),
        [FILE_SERVICE, index, SERVICE_METHOD, method] => {
            let service = at(&file.service, index)?;
            Some(format!("{}.{}", service.name(), at(&service.method, method)?.name()))
        }
        _ => None,
    }
}

fn in_message(message: &DescriptorProto, path: &[i32]) -> Option<String> {
    let inner = match *path {
        [] => return Some(message.name().to_owned()),
        [MESSAGE_FIELD, index] => at(&message.field, index)?.name().to_owned(),
        [MESSAGE_NESTED, index, ref rest @ ..] => in_message(at(&message.nested_type, index)?, rest)?,
        [MESSAGE_ENUM, index] => at(&message.enum_type, index)?.name().to_owned(),
        _ => return None,
    };
    Some(format!("{}.{inner}", message.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_item_has_its_comment() {
        let source = "syntax = \"proto3\";\npackage a.b;\n// A message,\n// of two lines.\nmessage M {\n  // A field.\n  \
                      string f = 1;\n  string silent = 2;\n  // Inside.\n  message N {\n    // Deep.\n    string g = 1;\n  }\n  \
                      // An enum.\n  enum E { NONE = 0; }\n}\n// A service.\nservice S {\n  // A method.\n  rpc R(M) returns \
                      (M);\n}\n";
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.proto"), source).unwrap();
        let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
        compiler.include_source_info(true).open_file("x.proto").unwrap();
        assert_eq!(
            comments(&compiler.file_descriptor_set().file),
            "a.b.M\tA message, of two lines.\na.b.M.E\tAn enum.\na.b.M.N\tInside.\na.b.M.N.g\tDeep.\na.b.M.f\tA \
             field.\na.b.S\tA service.\na.b.S.R\tA method.\n"
        );
    }
}
