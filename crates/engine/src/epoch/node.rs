//! The nodes of an epoch trie, as raw memory: made, read and freed.
//!
//! Nothing here counts references. A word that leads to a node is good as long as the node is not freed, and who may free
//! it is the business of `chain`.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};

use crate::epoch::row::Row;
use crate::graph::{Members, QualifiedEdge};
use crate::large_set::LargeSet;
use crate::prefetch::prefetch;
use crate::trie::FAN_OUT;

/// What stands in a narrow leaf where there is nothing; no ordinal is this.
const NOTHING: u32 = u32::MAX;

/// A node above the leaves. What lies below it is told by its level: leaves at `BITS`, or else such nodes.
pub(super) struct Inner {
    /// 0, or a child: the address of an `Inner`, or a leaf.
    children: [u64; FAN_OUT],
    /// The version in which each child was made. It stands here, because a leaf with a word more would take the next larger
    /// size of an allocator.
    births: [u64; FAN_OUT],
}

/// A leaf, by its address, whose lowest bit says which kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    /// At most one ordinal in each slot.
    Narrow(NonNull<Narrow>),
    /// Anything in each slot.
    Wide(NonNull<Wide>),
}

/// 64 ordinals, or nothing.
pub(super) struct Narrow([u32; FAN_OUT]);
/// 64 packed slots.
pub(super) struct Wide([u64; FAN_OUT]);

/// What a packed slot holds. The word is 0, an ordinal in the high half, or an address; the two lowest bits tell which.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    Empty,
    One(u32),
    Few(NonNull<Few>),
    Many(NonNull<Many>),
    Row(NonNull<Row>),
}

/// A few members, ascending; they follow this head.
#[repr(C)]
pub(super) struct Few {
    birth: u64,
    len: u16,
    capacity: u16,
}

/// Many members.
pub(super) struct Many {
    birth: u64,
    set: LargeSet,
}

/// Bytes from the beginning of a `Few` to its first member. The head's padding is used, so a head is not written whole once
/// there are members.
const HEAD: usize = size_of::<u64>() + 2 * size_of::<u16>();

/// The lowest bits of a row are 0, like those of an empty slot.
const ROW: u64 = 0;
const ONE: u64 = 1;
const FEW: u64 = 2;
const MANY: u64 = 3;
const WIDE: u64 = 1;

fn address<T>(at: NonNull<T>) -> u64 {
    at.as_ptr().expose_provenance() as u64
}

fn pointer<T>(address: u64) -> Option<NonNull<T>> {
    NonNull::new(ptr::with_exposed_provenance_mut(address as usize))
}

pub(super) fn leak<T>(node: T) -> NonNull<T> {
    NonNull::from(Box::leak(Box::new(node)))
}

/// Frees a node.
///
/// # Safety
///
/// The node was made by `leak`, and nobody has it any more.
unsafe fn free<T>(at: NonNull<T>) {
    // SAFETY: the caller's promise; a box of a `T` has this layout.
    unsafe {
        at.drop_in_place();
        give_back(at.cast(), Layout::new::<T>());
    }
}

/// Gives memory back. In debug builds it is overwritten first, so that who still reads it fails soon; under loom it also
/// stays allocated, so that a model in which somebody does fails for certain.
///
/// # Safety
///
/// Allocated with this layout, and nobody has it any more.
unsafe fn give_back(at: NonNull<u8>, layout: Layout) {
    if cfg!(any(debug_assertions, loom)) {
        for offset in 0..layout.size() {
            // SAFETY: within the layout. Volatile, because nobody is meant to read it.
            unsafe { at.as_ptr().add(offset).write_volatile(POISON) };
        }
    }
    if !cfg!(loom) {
        // SAFETY: the caller's promise.
        unsafe { dealloc(at.as_ptr(), layout) };
    }
}

/// What freed memory is overwritten with: as a word it is an address that no process has.
const POISON: u8 = 0xdb;

impl Inner {
    pub(super) fn empty() -> NonNull<Inner> {
        leak(Inner { children: [0; FAN_OUT], births: [0; FAN_OUT] })
    }

    pub(super) fn copy(&self) -> NonNull<Inner> {
        leak(Inner { children: self.children, births: self.births })
    }

    pub(super) fn word(at: NonNull<Inner>) -> u64 {
        address(at)
    }

    pub(super) fn of(word: u64) -> Option<NonNull<Inner>> {
        pointer(word)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.iter().all(|child| *child == 0)
    }

    /// The word of a child, and its version.
    pub(super) fn child(&self, at: usize) -> (u64, u64) {
        let word = self.children.get(at).copied().unwrap_or(0);
        (word, self.births.get(at).copied().unwrap_or(0))
    }

    /// The places of these.
    pub(super) fn child_mut(&mut self, at: usize) -> Option<(&mut u64, &mut u64)> {
        self.children.get_mut(at).zip(self.births.get_mut(at))
    }
}

impl Leaf {
    pub(super) fn empty(wide: bool) -> Leaf {
        if wide {
            Leaf::Wide(leak(Wide([0; FAN_OUT])))
        } else {
            Leaf::Narrow(leak(Narrow([NOTHING; FAN_OUT])))
        }
    }

    pub(super) fn word(self) -> u64 {
        match self {
            Leaf::Narrow(at) => address(at),
            Leaf::Wide(at) => address(at) | WIDE,
        }
    }

    pub(super) fn of(word: u64) -> Option<Leaf> {
        if word & WIDE == 0 { pointer(word).map(Leaf::Narrow) } else { pointer(word & !WIDE).map(Leaf::Wide) }
    }

    /// Asks the processor for the memory of slot `at`.
    pub(super) fn prefetch(self, at: u32) {
        let at = at as usize % FAN_OUT;
        match self {
            Leaf::Narrow(leaf) => prefetch(leaf.as_ptr().cast::<u32>().wrapping_add(at)),
            Leaf::Wide(leaf) => prefetch(leaf.as_ptr().cast::<u64>().wrapping_add(at)),
        }
    }

    /// The members in slot `at` of a trie of plain edges; what `slot` and `Slot::members` say, in fewer steps.
    ///
    /// # Safety
    ///
    /// The leaf and what it leads to are not freed or written to during `'a`.
    #[inline]
    pub(super) unsafe fn members<'a>(self, at: u32) -> Members<'a> {
        let at = at as usize % FAN_OUT;
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Leaf::Narrow(leaf) => match leaf.as_ref().0.get(at) {
                    None | Some(&NOTHING) => Members::Empty,
                    Some(one) => Members::One(*one),
                },
                Leaf::Wide(leaf) => {
                    let word = leaf.as_ref().0.get(at).copied().unwrap_or(0);
                    match word & MANY {
                        ONE => Members::One((word >> 32) as u32),
                        FEW => pointer(word & !MANY)
                            .map_or(Members::Empty, |few| Members::Few(Few::members(few))),
                        MANY => pointer(word & !MANY)
                            .map_or(Members::Empty, |many| Members::Many(Many::set(many))),
                        _ => Members::Empty,
                    }
                }
            }
        }
    }

    /// What is in slot `at`.
    ///
    /// # Safety
    ///
    /// The leaf is not freed, and nobody writes to it.
    pub(super) unsafe fn slot(self, at: u32) -> Slot {
        let at = at as usize % FAN_OUT;
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Leaf::Narrow(leaf) => leaf.as_ref().0.get(at).map_or(Slot::Empty, |one| slot_of_one(*one)),
                Leaf::Wide(leaf) => leaf.as_ref().0.get(at).map_or(Slot::Empty, |word| Slot::of(*word)),
            }
        }
    }

    /// A copy, wide or narrow; a narrow one has nothing where there was a set.
    ///
    /// # Safety
    ///
    /// As for `slot`.
    pub(super) unsafe fn copy(self, wide: bool) -> Leaf {
        // SAFETY: the caller's promise.
        unsafe {
            match (self, wide) {
                (Leaf::Narrow(leaf), false) => Leaf::Narrow(leak(Narrow(leaf.as_ref().0))),
                (Leaf::Narrow(leaf), true) => {
                    Leaf::Wide(leak(Wide(leaf.as_ref().0.map(|one| slot_of_one(one).word()))))
                }
                (Leaf::Wide(leaf), false) => {
                    Leaf::Narrow(leak(Narrow(leaf.as_ref().0.map(|word| one_of_slot(Slot::of(word))))))
                }
                (Leaf::Wide(leaf), true) => Leaf::Wide(leak(Wide(leaf.as_ref().0))),
            }
        }
    }

    /// Whether a slot other than `at` has a set.
    ///
    /// # Safety
    ///
    /// As for `slot`.
    pub(super) unsafe fn has_set_besides(self, at: u32) -> bool {
        match self {
            Leaf::Narrow(_) => false,
            Leaf::Wide(leaf) => {
                // SAFETY: the caller's promise.
                let mut words = unsafe { leaf.as_ref() }.0.iter().enumerate();
                words.any(|(other, word)| other != at as usize % FAN_OUT && Slot::of(*word).is_set())
            }
        }
    }

    /// Puts nothing or one ordinal into a narrow leaf, anything into a wide one.
    ///
    /// # Safety
    ///
    /// The leaf is not freed, and nobody else has it.
    pub(super) unsafe fn set(self, at: u32, slot: Slot) {
        let at = at as usize % FAN_OUT;
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Leaf::Narrow(mut leaf) => {
                    if let Some(place) = leaf.as_mut().0.get_mut(at) {
                        *place = one_of_slot(slot);
                    }
                }
                Leaf::Wide(mut leaf) => {
                    if let Some(place) = leaf.as_mut().0.get_mut(at) {
                        *place = slot.word();
                    }
                }
            }
        }
    }

    /// Whether there is nothing in any slot from `at` on.
    ///
    /// # Safety
    ///
    /// As for `slot`.
    pub(super) unsafe fn is_empty_from(self, at: u32) -> bool {
        let at = at as usize % FAN_OUT;
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Leaf::Narrow(leaf) => leaf.as_ref().0.iter().skip(at).all(|one| *one == NOTHING),
                Leaf::Wide(leaf) => leaf.as_ref().0.iter().skip(at).all(|word| *word == 0),
            }
        }
    }
}

/// What a place of a narrow leaf holds.
fn slot_of_one(one: u32) -> Slot {
    if one == NOTHING { Slot::Empty } else { Slot::One(one) }
}

/// What stands for a slot in a narrow leaf.
fn one_of_slot(slot: Slot) -> u32 {
    if let Slot::One(one) = slot { one } else { NOTHING }
}

impl Slot {
    /// Whether it leads to something of its own.
    pub(super) fn is_set(self) -> bool {
        matches!(self, Slot::Few(_) | Slot::Many(_) | Slot::Row(_))
    }

    fn of(word: u64) -> Slot {
        let at = word & !MANY;
        match word & MANY {
            ONE => Slot::One((word >> 32) as u32),
            FEW => pointer(at).map_or(Slot::Empty, Slot::Few),
            MANY => pointer(at).map_or(Slot::Empty, Slot::Many),
            _ => pointer(at).map_or(Slot::Empty, Slot::Row),
        }
    }

    fn word(self) -> u64 {
        match self {
            Slot::Empty => 0,
            Slot::One(one) => u64::from(one) << 32 | ONE,
            Slot::Few(at) => address(at) | FEW,
            Slot::Many(at) => address(at) | MANY,
            Slot::Row(at) => address(at) | ROW,
        }
    }

    /// The members, for as long as the caller knows that they are not freed.
    ///
    /// # Safety
    ///
    /// What the slot leads to is not freed or written to during `'a`.
    pub(super) unsafe fn members<'a>(self) -> Members<'a> {
        match self {
            Slot::Empty | Slot::Row(_) => Members::Empty,
            Slot::One(one) => Members::One(one),
            // SAFETY: the caller's promise.
            Slot::Few(few) => Members::Few(unsafe { Few::members(few) }),
            // SAFETY: the caller's promise.
            Slot::Many(many) => Members::Many(unsafe { Many::set(many) }),
        }
    }

    /// The row, for as long as the caller knows that it is not freed.
    ///
    /// # Safety
    ///
    /// As for `members`.
    pub(super) unsafe fn row<'a>(self) -> &'a [QualifiedEdge] {
        match self {
            // SAFETY: the caller's promise.
            Slot::Row(row) => unsafe { Row::edges(row) },
            _ => &[],
        }
    }

    /// The version in which what the slot leads to was made; `None` for what lies in the slot itself.
    ///
    /// # Safety
    ///
    /// What the slot leads to is not freed.
    pub(super) unsafe fn birth(self) -> Option<u64> {
        match self {
            Slot::Empty | Slot::One(_) => None,
            // SAFETY: the caller's promise.
            Slot::Few(few) => Some(unsafe { (*few.as_ptr()).birth }),
            // SAFETY: the caller's promise.
            Slot::Many(many) => Some(unsafe { (*many.as_ptr()).birth }),
            // SAFETY: the caller's promise.
            Slot::Row(row) => Some(unsafe { Row::birth(row) }),
        }
    }
}

impl Few {
    fn layout(capacity: u16) -> Option<Layout> {
        let bytes = HEAD + usize::from(capacity).max(1) * size_of::<u32>();
        Layout::from_size_align(bytes, align_of::<Few>()).ok().map(|layout| layout.pad_to_align())
    }

    /// Room for so many members, with these in it.
    pub(super) fn new(
        birth: u64,
        capacity: usize,
        members: impl Iterator<Item = u32>,
    ) -> Option<NonNull<Few>> {
        let capacity = u16::try_from(capacity).ok()?;
        let layout = Few::layout(capacity)?;
        // SAFETY: the layout is not empty.
        let Some(few) = NonNull::new(unsafe { alloc(layout) }.cast::<Few>()) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the layout has room for a head and its padding.
        unsafe { few.write(Few { birth, len: 0, capacity }) };
        for member in members.take(usize::from(capacity)) {
            // SAFETY: less than `capacity` have been written.
            unsafe {
                let len = &raw mut (*few.as_ptr()).len;
                Few::start(few).add(usize::from(*len)).write(member);
                *len += 1;
            }
        }
        Some(few)
    }

    /// Where the members are.
    fn start(few: NonNull<Few>) -> *mut u32 {
        few.as_ptr().wrapping_byte_add(HEAD).cast()
    }

    /// The members.
    ///
    /// # Safety
    ///
    /// They are not freed or written to during `'a`.
    pub(super) unsafe fn members<'a>(few: NonNull<Few>) -> &'a [u32] {
        // SAFETY: `len` members have been written.
        unsafe { std::slice::from_raw_parts(Few::start(few), usize::from((*few.as_ptr()).len)) }
    }

    /// Puts a member at a place; false when there is no room.
    ///
    /// # Safety
    ///
    /// Nobody else has this, and the place is at most its length.
    pub(super) unsafe fn insert(few: NonNull<Few>, at: usize, member: u32) -> bool {
        // SAFETY: the caller's promise; what is moved and written lies within the capacity.
        unsafe {
            let head = few.as_ptr();
            if (*head).len == (*head).capacity {
                return false;
            }
            let place = Few::start(few).add(at);
            place.add(1).copy_from(place, usize::from((*head).len) - at);
            place.write(member);
            (*head).len += 1;
        }
        true
    }

    /// Takes the member at a place.
    ///
    /// # Safety
    ///
    /// Nobody else has this, and the place is less than its length.
    pub(super) unsafe fn remove(few: NonNull<Few>, at: usize) {
        // SAFETY: the caller's promise; what is moved lies within the length.
        unsafe {
            let head = few.as_ptr();
            let place = Few::start(few).add(at);
            place.copy_from(place.add(1), usize::from((*head).len) - at - 1);
            (*head).len -= 1;
        }
    }
}

impl Many {
    pub(super) fn new(birth: u64, set: LargeSet) -> NonNull<Many> {
        leak(Many { birth, set })
    }

    /// The members.
    ///
    /// # Safety
    ///
    /// They are not freed or written to during `'a`.
    pub(super) unsafe fn set<'a>(many: NonNull<Many>) -> &'a LargeSet {
        // SAFETY: the caller's promise.
        unsafe { &(*many.as_ptr()).set }
    }

    /// The members, to change.
    ///
    /// # Safety
    ///
    /// Nobody else has them during `'a`.
    pub(super) unsafe fn set_mut<'a>(many: NonNull<Many>) -> &'a mut LargeSet {
        // SAFETY: the caller's promise.
        unsafe { &mut (*many.as_ptr()).set }
    }
}

/// Something that a version no longer needs, and others may.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    Inner(NonNull<Inner>),
    Leaf(Leaf),
    Slot(Slot),
}

// SAFETY: nodes belong to no thread; who may read and free them is decided by `chain`, behind its lock.
unsafe impl Send for Node {}

impl Node {
    /// Bytes that this node takes, without those below it; of a large set about what a copy with one change takes.
    ///
    /// # Safety
    ///
    /// It is not freed.
    pub(super) unsafe fn bytes(self) -> usize {
        match self {
            Node::Inner(_) => size_of::<Inner>(),
            Node::Leaf(Leaf::Narrow(_)) => size_of::<Narrow>(),
            Node::Leaf(Leaf::Wide(_)) => size_of::<Wide>(),
            // SAFETY: the caller's promise; the capacity never changes.
            Node::Slot(Slot::Few(few)) => {
                Few::layout(unsafe { (*few.as_ptr()).capacity }).map_or(0, |layout| layout.size())
            }
            // SAFETY: the caller's promise.
            Node::Slot(Slot::Many(many)) => size_of::<Many>() + unsafe { Many::set(many) }.change_bytes(),
            // SAFETY: the caller's promise.
            Node::Slot(Slot::Row(row)) => unsafe { Row::bytes(row) },
            Node::Slot(Slot::Empty | Slot::One(_)) => 0,
        }
    }

    /// Frees this node, and none below it.
    ///
    /// # Safety
    ///
    /// Nobody has it any more.
    pub(super) unsafe fn free(self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Node::Inner(inner) => free(inner),
                Node::Leaf(Leaf::Narrow(leaf)) => free(leaf),
                Node::Leaf(Leaf::Wide(leaf)) => free(leaf),
                Node::Slot(Slot::Few(few)) => Few::free(few),
                Node::Slot(Slot::Many(many)) => free(many),
                Node::Slot(Slot::Row(row)) => free(row),
                Node::Slot(Slot::Empty | Slot::One(_)) => {}
            }
        }
    }
}

impl Few {
    /// # Safety
    ///
    /// Nobody has it any more.
    unsafe fn free(few: NonNull<Few>) {
        // SAFETY: the caller's promise; allocated in `new` with this layout.
        unsafe {
            if let Some(layout) = Few::layout((*few.as_ptr()).capacity) {
                give_back(few.cast(), layout);
            }
        }
    }
}
