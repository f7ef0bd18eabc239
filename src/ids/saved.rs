//! What numberings are in a file: their keys, and a table to find them by that is read without being made again.

use hashbrown::HashTable;

use super::{FiledTable, KeyArena, KeyTable};
use super::{IdMap, MAX_IDS, ShopperMap};
use crate::persist::{Loader, PersistError, Portable, Saver, portable};

portable!(KeyArena { bytes, ends }
    "more keys than there are numbers" => |a| a.ends.len() <= MAX_IDS as usize,
    "keys that end nowhere" => |a| a.ends.is_sorted() && a.ends.last().map_or(0, |&end| end) == a.bytes.len() as u64,
    "a key that is no UTF-8" => |a| a.is_text());

impl KeyArena {
    /// Whether every key is UTF-8: all of it is, and no key ends within a letter.
    fn is_text(&self) -> bool {
        std::str::from_utf8(&self.bytes)
            .is_ok_and(|text| self.ends.iter().all(|&end| text.is_char_boundary(end as usize)))
    }
}

impl KeyTable {
    /// The table of so many numbers of the arena, those of which `theirs` holds, as the file has it.
    ///
    /// Asked is what a lookup relies on: that the buckets are cut out of the slots, and that the slots have as many numbers
    /// as there are keys, each of the arena and of this table. Whether each key is in the bucket of its hash is not: a table
    /// made up to hide a key only hides it, and to look for each of the 1.6 million of a gigabyte's file is a walk over memory
    /// at random.
    fn filed(
        from: &Loader<'_>,
        arena: &KeyArena,
        numbers: usize,
        theirs: impl Fn(usize) -> bool,
    ) -> Result<Self, PersistError> {
        let filed: FiledTable = from.part("table")?;
        from.check("a number that is no key of it", || {
            let slots = filed.slots.len();
            let cut = filed.starts.first() == Some(&0)
                && filed.starts.is_sorted()
                && filed.starts.last().is_some_and(|&end| end as usize == slots);
            let number = |&slot: &u64| slot as u32 as usize;
            let mut all = filed.slots.iter().map(number);
            cut && slots == numbers && all.all(|number| number < arena.len() && theirs(number))
        })?;
        Ok(Self { grown: HashTable::new(), filed: Some(filed) })
    }
}

impl Portable for IdMap {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        self.arena.save(out)?;
        out.part("table", &FiledTable::of(&self.arena, 0..self.len()))
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let arena = KeyArena::load(from)?;
        let table = KeyTable::filed(from, &arena, arena.len(), |_| true)?;
        Ok(Self { arena, table })
    }
}

impl Portable for ShopperMap {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        self.arena.save(out)?;
        out.part("is_profiled", &self.is_profiled)?;
        for (space, profiled) in [("profiled", true), ("anonymous", false)] {
            let rows = (0..self.len()).filter(|&row| self.is_profiled[row] == profiled);
            out.at(space).part("table", &FiledTable::of(&self.arena, rows))?;
        }
        Ok(())
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let (arena, is_profiled) = (KeyArena::load(from)?, from.part::<Vec<bool>>("is_profiled")?);
        if is_profiled.len() != arena.len() {
            return Err(from.unsound("does not say of each row whether it is a profile"));
        }
        let profiles = is_profiled.iter().filter(|&&profiled| profiled).count();
        let sessions = arena.len() - profiles;
        let profiled = KeyTable::filed(&from.at("profiled"), &arena, profiles, |row| is_profiled[row])?;
        let anonymous = KeyTable::filed(&from.at("anonymous"), &arena, sessions, |row| !is_profiled[row])?;
        Ok(Self { arena, profiled, anonymous, is_profiled })
    }
}
