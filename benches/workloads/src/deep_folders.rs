//! Deep folders: documents up to some twenty folders deep, each folder with a viewer, every tenth document public.

use pemba_model::{ObjectRef, Relationship, SubjectRef};

use crate::{Workload, draw, edge, object};

const SCHEMA: &str = "\
definition user {}

definition folder {
\trelation parent: folder
\trelation viewer: user
\tpermission view = viewer + parent->view
}

definition document {
\trelation folder: folder
\trelation viewer: user | user:*
\tpermission view = viewer + folder->view
}
";

/// Folders in a row before the tree branches again.
const RUN: u64 = 4;
/// Rows that hang below one row.
const FAN_OUT: u64 = 8;

#[derive(Debug, Clone, Copy)]
pub(crate) struct DeepFolders {
    seed: u64,
    folders: u64,
    documents: u64,
    users: u64,
}

impl DeepFolders {
    pub(crate) fn new(relationships: u64, seed: u64) -> DeepFolders {
        let part = |share: u64| (relationships / share).max(12);
        DeepFolders { seed, folders: part(10), documents: part(5).saturating_mul(2), users: part(25) }
    }

    fn parent(folder: u64) -> Option<u64> {
        if !folder.is_multiple_of(RUN) {
            return Some(folder - 1);
        }
        let above = (folder / RUN).checked_sub(1)? / FAN_OUT;
        Some(above * RUN + RUN - 1)
    }

    fn folder_viewer(&self, folder: u64) -> u64 {
        draw(self.seed, 1, folder) % self.users
    }

    fn viewer(&self, document: u64) -> Option<u64> {
        let draw = draw(self.seed, 2, document);
        (!draw.is_multiple_of(10)).then_some((draw >> 8) % self.users)
    }

    fn folder_of(&self, document: u64) -> u64 {
        draw(self.seed, 3, document) % self.folders
    }

    fn of_folder(self, folder: u64) -> impl Iterator<Item = Relationship> {
        let viewer = edge(object("folder", folder), "viewer", object("user", self.folder_viewer(folder)));
        let parent = Self::parent(folder)
            .map(|above| edge(object("folder", folder), "parent", object("folder", above)));
        [viewer].into_iter().chain(parent)
    }

    fn of_document(self, document: u64) -> [Relationship; 2] {
        let viewer = self.viewer(document).map_or(ObjectRef::new("user", "*"), |user| object("user", user));
        [
            edge(object("document", document), "viewer", viewer),
            edge(object("document", document), "folder", object("folder", self.folder_of(document))),
        ]
    }
}

impl Workload for DeepFolders {
    fn name(&self) -> &'static str {
        "deep-folders"
    }

    fn schema(&self) -> &'static str {
        SCHEMA
    }

    fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send> {
        let this = *self;
        let folders = (0..this.folders).flat_map(move |folder| this.of_folder(folder));
        Box::new(folders.chain((0..this.documents).flat_map(move |document| this.of_document(document))))
    }

    fn permission(&self) -> &'static str {
        "view"
    }

    fn resources(&self) -> u64 {
        self.documents
    }

    fn resource(&self, number: u64) -> ObjectRef {
        object("document", number)
    }

    fn subjects(&self) -> u64 {
        self.users
    }

    fn subject(&self, number: u64) -> ObjectRef {
        object("user", number)
    }

    fn holds(&self, resource: u64, subject: u64) -> bool {
        if self.viewer(resource).is_none_or(|viewer| viewer == subject) {
            return true;
        }
        std::iter::successors(Some(self.folder_of(resource)), |folder| Self::parent(*folder))
            .any(|folder| self.folder_viewer(folder) == subject)
    }

    /// Half the questions come from somebody who sees a folder above.
    fn pair(&self, number: u64) -> (u64, u64) {
        let draw = draw(self.seed, 4, number);
        let resource = (draw >> 8) % self.documents;
        if draw.is_multiple_of(2) {
            return (resource, crate::draw(self.seed, 5, number) % self.users);
        }
        let above = std::iter::successors(Some(self.folder_of(resource)), |folder| Self::parent(*folder));
        let folder = above.take(1 + usize::try_from(draw % 24).unwrap_or(0)).last().unwrap_or(0);
        (resource, self.folder_viewer(folder))
    }

    fn is_public(&self, resource: u64) -> bool {
        self.viewer(resource).is_none()
    }

    fn churn(&self, number: u64) -> Relationship {
        let document = object("document", draw(self.seed, 6, number) % self.documents);
        Relationship::new(document, "viewer", SubjectRef::direct("user", format!("guest-{number}")))
    }
}
