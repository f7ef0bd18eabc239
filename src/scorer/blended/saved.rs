//! What a blend is in a file: its parts, each under the name of its kind.

use super::{BlendPart, Blended};
use crate::persist::{Loader, PersistError, Saver};
use crate::scorer::codecs::{Codecs, Persist};

impl Persist for Blended {
    const CODEC: &'static str = "blended";

    fn save(&self, out: &mut Saver<'_>, codecs: &Codecs) -> Result<(), PersistError> {
        out.value("name", &self.name)?;
        out.value("pool", &self.pool)?;
        out.value("parts", &self.parts.len())?;
        for (place, part) in self.parts.iter().enumerate() {
            let mut out = out.at(place);
            out.part("weight", &part.weight)?;
            out.value("scale", &part.scale)?;
            out.value("share", &part.share)?;
            codecs.save(&*part.scorer, &mut out)?;
        }
        Ok(())
    }

    fn load(from: &Loader<'_>, codecs: &Codecs) -> Result<Self, PersistError> {
        let part = |place: usize| {
            let from = from.at(place);
            Ok(BlendPart {
                scorer: codecs.load(&from)?,
                weight: from.part("weight")?,
                scale: from.value("scale")?,
                share: from.value("share")?,
            })
        };
        let pool = from.value("pool")?;
        let parts = (0..from.value("parts")?).map(part).collect::<Result<Vec<_>, PersistError>>()?;
        let blend = Self::new(from.value::<String>("name")?, parts);
        let blend = blend.and_then(|blend| Ok(blend.pool(pool)?));
        blend.map_err(|e| from.unsound(format!("is no blend: {e}")))
    }
}
