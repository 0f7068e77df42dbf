//! Where a paged call goes on: the revision it is pinned to, the position, and proof that it is the same call.
//!
//! A cursor is opaque to clients: base64 of a version byte, the call's kind and arguments as a hash, the database,
//! the revision, the position and a checksum. It holds no secret; a forged one reads only what its holder may read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pemba_agents::DelegationId;
use pemba_engine::{EdgeKey, KindId, Ordinal};
use pemba_model::{ObjectRef, Revision};

/// Changes when the layout does; a cursor of another version is refused.
const VERSION: u8 = 1;

/// A call that pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Call {
    /// `ReadRelationships`.
    Read = 1,
    /// `ExportBulkRelationships`.
    Export = 2,
    /// `LookupResources`.
    LookupResources = 3,
    /// `LookupSubjects`.
    LookupSubjects = 4,
    /// `ListAgents`.
    ListAgents = 5,
    /// `ListDelegations`.
    ListDelegations = 6,
    /// `ListSessions`.
    ListSessions = 7,
    /// `ListApprovals`.
    ListApprovals = 8,
    /// `LookupResourcesAs`.
    LookupResourcesAs = 9,
    /// `LookupSubjectsAs`.
    LookupSubjectsAs = 10,
    /// `ListBrokenGlass`.
    ListBrokenGlass = 11,
}

/// A cursor that is damaged, of another call, other arguments or another database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cursor {0}")]
pub(crate) struct InvalidCursor(pub(crate) &'static str);

/// Where a call stands: everything up to and with `position` was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor<P> {
    pub(crate) revision: Revision,
    pub(crate) position: P,
}

/// A position. Reading takes exactly the bytes that writing made.
pub(crate) trait Position: Sized {
    fn write(self, out: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Position for EdgeKey {
    fn write(self, out: &mut Vec<u8>) {
        for part in [self.kind.0, self.resource.0, self.subject.0] {
            out.extend(part.to_be_bytes());
        }
    }

    fn read(bytes: &[u8]) -> Option<EdgeKey> {
        if bytes.len() != 12 {
            return None;
        }
        let part = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        Some(EdgeKey { kind: KindId(part(0)?), resource: Ordinal(part(4)?), subject: Ordinal(part(8)?) })
    }
}

impl Position for Ordinal {
    fn write(self, out: &mut Vec<u8>) {
        out.extend(self.0.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Ordinal> {
        Some(Ordinal(u32::from_be_bytes(bytes.try_into().ok()?)))
    }
}

/// How far a lookup of subjects has come: the wildcard comes before every subject granted by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterSubject {
    /// The wildcard was told.
    Wildcard,
    /// Every subject up to and with this one was told.
    Named(Ordinal),
}

/// The id of a record that nobody names.
impl Position for u128 {
    fn write(self, out: &mut Vec<u8>) {
        out.extend(self.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<u128> {
        Some(u128::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// A place among objects in the order of their names.
impl Position for ObjectRef {
    fn write(self, out: &mut Vec<u8>) {
        out.extend(self.to_string().bytes());
    }

    fn read(bytes: &[u8]) -> Option<ObjectRef> {
        let (object_type, object_id) = std::str::from_utf8(bytes).ok()?.split_once(':')?;
        Some(ObjectRef::new(object_type, object_id))
    }
}

impl Position for AfterSubject {
    fn write(self, out: &mut Vec<u8>) {
        let (tag, ordinal) = match self {
            AfterSubject::Wildcard => (0, Ordinal(0)),
            AfterSubject::Named(ordinal) => (1, ordinal),
        };
        out.push(tag);
        ordinal.write(out);
    }

    fn read(bytes: &[u8]) -> Option<AfterSubject> {
        let (tag, ordinal) = bytes.split_first()?;
        let ordinal = Ordinal::read(ordinal)?;
        match tag {
            0 if ordinal == Ordinal(0) => Some(AfterSubject::Wildcard),
            1 => Some(AfterSubject::Named(ordinal)),
            _ => None,
        }
    }
}

/// How far a lookup of subjects with their delegates has come: the wildcard, then every root by name followed by its
/// delegates, then the delegates of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterReach {
    /// What the wildcard gives was told.
    Wildcard,
    /// This root was told, and its delegates up to and with this one.
    Named(Ordinal, Option<DelegationId>),
    /// All roots were told, and the delegates of others up to and with this one.
    Covered(DelegationId),
}

impl Position for AfterReach {
    fn write(self, out: &mut Vec<u8>) {
        let (tag, ordinal, delegation) = match self {
            AfterReach::Wildcard => (0, Ordinal(0), 0),
            AfterReach::Named(ordinal, None) => (1, ordinal, 0),
            AfterReach::Named(ordinal, Some(delegation)) => (2, ordinal, delegation.0),
            AfterReach::Covered(delegation) => (3, Ordinal(0), delegation.0),
        };
        out.push(tag);
        ordinal.write(out);
        out.extend(delegation.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<AfterReach> {
        let (tag, rest) = bytes.split_first()?;
        let (ordinal, delegation) = rest.split_at_checked(4)?;
        let ordinal = Ordinal::read(ordinal)?;
        let delegation = DelegationId(u128::from_be_bytes(delegation.try_into().ok()?));
        match tag {
            0 => Some(AfterReach::Wildcard),
            1 => Some(AfterReach::Named(ordinal, None)),
            2 => Some(AfterReach::Named(ordinal, Some(delegation))),
            3 => Some(AfterReach::Covered(delegation)),
            _ => None,
        }
    }
}

/// What must be the same on every page of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    call: Call,
    database_id: u64,
    arguments: u64,
}

const HEAD_BYTES: usize = 1 + 1 + 8 + 8 + 8;
const CHECKSUM_BYTES: usize = 4;

impl Scope {
    /// The scope of a call; `arguments` are the encoded request without consistency, limit and cursor.
    pub(crate) fn new(call: Call, database_id: u64, arguments: &[u8]) -> Scope {
        Scope { call, database_id, arguments: hash(arguments) }
    }

    /// The text of a cursor.
    pub(crate) fn encode<P: Position>(&self, cursor: Cursor<P>) -> String {
        self.at(cursor.revision).text(cursor.position).to_owned()
    }

    /// The cursors of this call at a revision.
    pub(crate) fn at(&self, revision: Revision) -> Cursors {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend([VERSION, self.call as u8]);
        for number in [self.database_id, self.arguments, revision.0] {
            head.extend(number.to_be_bytes());
        }
        let whole = head.len() / BASE64_BYTES * BASE64_BYTES;
        let (begin, rest) = head.split_at_checked(whole).unwrap_or((&head, &[]));
        Cursors {
            begin: URL_SAFE_NO_PAD.encode(begin),
            rest: rest.to_vec(),
            hash: hash(&head),
            end: Vec::new(),
            text: String::new(),
        }
    }

    /// Reads a cursor back and checks that it is of this call.
    pub(crate) fn decode<P: Position>(&self, text: &str) -> Result<Cursor<P>, InvalidCursor> {
        let damaged = InvalidCursor("is damaged, or was not made by this server");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| damaged.clone())?;
        let (body, sum) = bytes
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .and_then(|at| bytes.split_at_checked(at))
            .ok_or_else(|| damaged.clone())?;
        if checksum(body) != sum {
            return Err(damaged);
        }
        let Some((version, rest)) = body.split_first() else { return Err(damaged) };
        if *version != VERSION {
            return Err(InvalidCursor("was made by another version of this server; start again without one"));
        }
        let Some((call, rest)) = rest.split_first() else { return Err(damaged) };
        if *call != self.call as u8 {
            return Err(InvalidCursor("belongs to another kind of call"));
        }
        let number = |at: usize| Some(u64::from_be_bytes(rest.get(at..at + 8)?.try_into().ok()?));
        let (Some(database_id), Some(arguments), Some(revision)) = (number(0), number(8), number(16)) else {
            return Err(damaged);
        };
        if database_id != self.database_id {
            return Err(InvalidCursor("belongs to another database"));
        }
        if arguments != self.arguments {
            return Err(InvalidCursor("belongs to a call with other arguments; only the limit may change"));
        }
        let position = rest.get(24..).and_then(P::read).ok_or(damaged)?;
        Ok(Cursor { revision: Revision(revision), position })
    }
}

/// Bytes that base64 writes together, independently of the others.
const BASE64_BYTES: usize = 3;

/// Makes cursors that differ only in their position: what they share is made once.
#[derive(Debug, Clone)]
pub(crate) struct Cursors {
    /// The text of what they share, as far as it is the same whatever follows.
    begin: String,
    /// The bytes of the rest of it.
    rest: Vec<u8>,
    /// The hash up to there.
    hash: u64,
    /// Room for the bytes that come after `begin`, and for a cursor.
    end: Vec<u8>,
    text: String,
}

impl Cursors {
    /// The text of a cursor.
    pub(crate) fn text<P: Position>(&mut self, position: P) -> &str {
        self.end.clear();
        self.end.extend_from_slice(&self.rest);
        position.write(&mut self.end);
        let position = self.end.get(self.rest.len()..).unwrap_or_default();
        self.end.extend(folded(hash_on(self.hash, position)));
        self.text.clear();
        self.text.push_str(&self.begin);
        URL_SAFE_NO_PAD.encode_string(&self.end, &mut self.text);
        &self.text
    }
}

/// FNV-1a, 64 bits: small, and the same on every machine and in every version, as a text that outlives the process
/// needs. It tells slips apart, not forgeries.
fn hash(bytes: &[u8]) -> u64 {
    hash_on(0xcbf2_9ce4_8422_2325, bytes)
}

/// The hash of what was hashed before, followed by these bytes.
fn hash_on(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    folded(hash(bytes))
}

fn folded(hash: u64) -> [u8; CHECKSUM_BYTES] {
    #[expect(clippy::cast_possible_truncation, reason = "both halves are folded into one on purpose")]
    ((hash >> 32) as u32 ^ hash as u32).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_of_one_call_are_those_that_are_made_alone() {
        let scope = scope(Call::LookupResources, "a");
        let mut cursors = scope.at(Revision(9));
        for ordinal in [0, 1, u32::MAX] {
            let bytes = |body: &[u8]| [body, &checksum(body)].concat();
            let mut body = vec![VERSION, Call::LookupResources as u8];
            body.extend(7_u64.to_be_bytes());
            body.extend(hash(b"a").to_be_bytes());
            body.extend(9_u64.to_be_bytes());
            body.extend(ordinal.to_be_bytes());
            assert_eq!(cursors.text(Ordinal(ordinal)), URL_SAFE_NO_PAD.encode(bytes(&body)));
        }
    }

    fn scope(call: Call, arguments: &str) -> Scope {
        Scope::new(call, 7, arguments.as_bytes())
    }

    fn cursor() -> Cursor<EdgeKey> {
        let position = EdgeKey { kind: KindId(1), resource: Ordinal(2), subject: Ordinal(u32::MAX) };
        Cursor { revision: Revision(9), position }
    }

    #[test]
    fn a_cursor_comes_back_and_only_to_its_call() {
        let text = scope(Call::Read, "a").encode(cursor());
        assert_eq!(scope(Call::Read, "a").decode(&text), Ok(cursor()));
        assert!(scope(Call::Read, "b").decode::<EdgeKey>(&text).is_err());
        assert!(scope(Call::Export, "a").decode::<EdgeKey>(&text).is_err());
        assert!(scope(Call::Read, "a").decode::<Ordinal>(&text).is_err());
        assert!(Scope::new(Call::Read, 8, b"a").decode::<EdgeKey>(&text).is_err());
    }

    #[test]
    fn a_place_among_subjects_comes_back() {
        let scope = scope(Call::LookupSubjects, "a");
        for position in
            [AfterSubject::Wildcard, AfterSubject::Named(Ordinal(0)), AfterSubject::Named(Ordinal(7))]
        {
            let cursor = Cursor { revision: Revision(9), position };
            assert_eq!(scope.decode(&scope.encode(cursor)), Ok(cursor));
        }
        assert_eq!(AfterSubject::read(&[2, 0, 0, 0, 0]), None);
        assert_eq!(AfterSubject::read(&[0, 0, 0, 0, 1]), None);
    }

    #[test]
    fn a_place_among_roots_and_delegates_comes_back() {
        let scope = scope(Call::LookupSubjectsAs, "a");
        let id = DelegationId(u128::MAX - 1);
        for position in [
            AfterReach::Wildcard,
            AfterReach::Named(Ordinal(7), None),
            AfterReach::Named(Ordinal(7), Some(id)),
            AfterReach::Covered(id),
        ] {
            let cursor = Cursor { revision: Revision(9), position };
            assert_eq!(scope.decode(&scope.encode(cursor)), Ok(cursor));
        }
        assert_eq!(AfterReach::read(&[4; 21]), None);
        assert_eq!(AfterReach::read(&[0; 3]), None);
    }

    #[test]
    fn places_among_records_come_back() {
        let agents = scope(Call::ListAgents, "a");
        let cursor = Cursor { revision: Revision(9), position: ObjectRef::new("team/agent", "a:b") };
        assert_eq!(agents.decode(&agents.encode(cursor.clone())), Ok(cursor));
        let sessions = scope(Call::ListSessions, "a");
        let cursor = Cursor { revision: Revision(9), position: u128::MAX - 1 };
        let text = sessions.encode(cursor);
        assert_eq!(sessions.decode(&text), Ok(cursor));
        assert!(sessions.decode::<EdgeKey>(&text).is_err());
    }

    #[test]
    fn any_damage_is_noticed() {
        let scope = scope(Call::Read, "a");
        let text = scope.encode(cursor());
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).unwrap();
            assert!(scope.decode::<EdgeKey>(&damaged).is_err(), "{at}");
            assert!(scope.decode::<EdgeKey>(text.get(..at).unwrap()).is_err(), "{at}");
        }
        assert!(scope.decode::<EdgeKey>("=").is_err());
    }
}
