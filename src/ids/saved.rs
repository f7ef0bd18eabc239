//! What numberings are in a file: their keys, and a table to find them by that is read without being made again.

use hashbrown::HashTable;

use super::{FiledTable, IdMap, KeyArena, KeyTable, MAX_IDS, ShopperMap};
use crate::persist::{Loader, PersistError, Portable, Saver, portable};

portable!(KeyArena { bytes, ends }
    "more keys than there are numbers" => |a| a.ends.len() <= MAX_IDS as usize,
    "keys that end nowhere" => |a| a.ends.is_sorted() && a.ends.last().map_or(0, |&end| end) == a.bytes.len() as u64,
    "a key that is no UTF-8" => |a| (0..a.len()).all(|index| a.get(index).is_some()));

impl KeyTable {
    /// The table of these numbers of the arena, as the file has it.
    fn filed(from: &Loader<'_>, arena: &KeyArena, numbers: impl Iterator<Item = usize>) -> Result<Self, PersistError> {
        let filed: FiledTable = from.part("table")?;
        from.check("a key that is not found, or is found twice", || {
            let mut count = 0;
            let mut all = numbers.inspect(|_| count += 1).filter_map(|number| Some((number, arena.get(number)?)));
            let found = all.all(|(number, key)| filed.find(arena, Self::hash(key), key) == Some(number as u32));
            found && filed.slots.len() == count
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
        let table = KeyTable::filed(from, &arena, 0..arena.len())?;
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
        let profiles = (0..arena.len()).filter(|&row| is_profiled[row]);
        let sessions = (0..arena.len()).filter(|&row| !is_profiled[row]);
        let profiled = KeyTable::filed(&from.at("profiled"), &arena, profiles)?;
        let anonymous = KeyTable::filed(&from.at("anonymous"), &arena, sessions)?;
        Ok(Self { arena, profiled, anonymous, is_profiled })
    }
}
