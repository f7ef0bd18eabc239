//! Name, setting, script. `?` looks: `-` is nothing at all, `.` nothing fires, `rule:items` fires, `!why` is held back.

use super::script::play;

const TIMELINES: &[(&str, &str, &str)] = &[
    // Cart.
    ("cart fires", "cart", "0:12 cart mug; 0:12:30 ? -; 0:13 ? cart:mug"),
    ("cart fires once", "cart", "0:12 cart mug; 0:14 ? cart:mug; 0:15 ? !fired; 3:12 ? !fired"),
    ("cart, restart between", "cart", "0:12 cart mug; 0:14 ? cart:mug; 0:14 restart; 0:15 ? !fired"),
    ("cart, restart before", "cart", "0:12 cart mug; 0:12:30 ? -; 0:12:40 restart; 0:14 ? cart:mug"),
    ("cart bought meanwhile", "cart", "0:12 cart mug; 0:12:40 buy mug; 0:14 ? -"),
    ("cart bought after firing", "cart", "0:12 cart mug; 0:14 ? cart:mug; 0:15 buy mug; 0:18 ? -"),
    ("cart, something else bought", "cart", "0:12 cart mug; 0:12:10 buy saw; 0:14 ? cart:mug"),
    ("cart taken out", "cart", "0:12 cart mug; 0:12:10 out mug; 0:14 ? -"),
    ("cart taken out and put in again", "cart", "0:12 cart mug; 0:12:10 out mug; 0:12:20 cart mug; 0:14 ? cart:mug"),
    ("cart still browsing", "cart", "0:12 cart mug; 0:12:50 view saw; 0:13:20 ? -; 0:13:50 ? cart:mug"),
    ("cart of two, newest first", "cart", "0:12 cart mug; 0:12:10 cart saw; 0:14 ? cart:saw,mug"),
    ("cart, one of two bought", "cart", "0:12 cart mug saw; 0:12:10 buy saw; 0:14 ? cart:mug"),
    ("cart, another put in later", "cart", "0:12 cart mug; 0:14 ? cart:mug; 1:12 cart saw; 1:14 ? cart:saw,mug"),
    (
        "cart, the fired one left over",
        "cart",
        "0:12 cart mug; 0:12:10 cart saw; 0:14 ? cart:saw,mug; 0:15 out saw; 0:17 ? !fired",
    ),
    ("cart too old", "cart", "0:12 cart mug; 7:12 ? cart:mug"),
    ("cart a minute too old", "cart", "0:12 cart mug; 7:12:01 ? -"),
    ("cart sold out", "cart", "0:12 cart mug; 0:12:10 left mug 0; 0:14 ? -; 0:15 left mug 3; 0:15:01 ? cart:mug"),
    ("cart worth enough", "cart20", "0:12 cart saw; 0:14 ? cart20:saw"),
    ("cart not worth it", "cart20", "0:12 cart mug; 0:14 ? -"),
    ("cart worth it after a rise", "cart20", "0:12 cart mug; 0:14 ? -; 0:15 price mug 25; 0:15:01 ? cart20:mug"),
    (
        "cart cooled down",
        "cart rest=2",
        "0:12 cart mug; 0:14 ? cart:mug; 1:12 cart saw; 1:14 ? !cooldown; 2:14 ? cart:saw,mug",
    ),
    (
        "cart cooldown survives a restart",
        "cart rest=2",
        "0:12 cart mug; 0:14 ? cart:mug; 1:12 cart saw; 1:13 restart; 1:14 ? !cooldown",
    ),
    (
        "cart held after a purchase",
        "cart bought=24",
        "0:12 cart mug; 0:12:10 buy saw; 0:14 ? !purchase; 1:12:09 ? .; 1:12:10 ? cart:mug",
    ),
    // Quiet hours and clocks.
    ("quiet", "cart quiet", "0:21:30 cart mug; 0:23 ? !quiet; 1:07:59 ? !quiet; 1:08 ? cart:mug"),
    ("quiet, bought in the night", "cart quiet", "0:21:30 cart mug; 0:23 ? !quiet; 1:01 buy mug; 1:08 ? -"),
    (
        "quiet does not hold on the page",
        "linger onsite quiet",
        "0:22 view mug cup; 0:22:05 view saw pan; 0:22:06 ? linger:pan,saw,cup,mug",
    ),
    ("quiet in London winter", "cart quiet zone=Europe/London", "5:06 cart mug; 5:07:59 ? !quiet; 5:08 ? cart:mug"),
    (
        "quiet in London, clocks went forward",
        "cart quiet zone=Europe/London",
        "5:23 cart mug; 6:06:59 ? !quiet; 6:07 ? cart:mug",
    ),
    ("quiet in London summer", "cart quiet zone=Europe/London", "7:05 cart mug; 7:06:59 ? !quiet; 7:07 ? cart:mug"),
    (
        "quiet in London, clocks went back",
        "cart quiet zone=Europe/London",
        "215:21 cart mug; 216:07:59 ? !quiet; 216:08 ? cart:mug",
    ),
    ("evening in New York", "cart quiet zone=America/New_York", "1:22 cart mug; 1:23:30 ? cart:mug"),
    (
        "night in New York",
        "cart quiet zone=America/New_York",
        "1:01 cart mug; 1:02 ? !quiet; 1:11:59 ? !quiet; 1:12 ? cart:mug",
    ),
    (
        "half an hour off: Kolkata",
        "cart quiet zone=Asia/Kolkata",
        "0:23 cart mug; 1:02:29 ? !quiet; 1:02:30 ? cart:mug",
    ),
    ("a fixed offset", "cart quiet zone=-03:00", "0:06 cart mug; 0:10:59 ? !quiet; 0:11 ? cart:mug"),
    // Browse.
    ("browse fires", "browse", "0:12 view mug cup saw; 0:15:59 ? -; 0:16 ? browse:saw,cup,mug"),
    ("browse fires once", "browse", "0:12 view mug cup saw; 0:16 ? browse:saw,cup,mug; 0:20 ? !fired; 4:12 ? -"),
    ("browse too little", "browse", "0:12 view mug cup; 0:16 ? -"),
    ("browse with a cart", "browse", "0:12 view mug cup saw; 0:12:01 cart mug; 0:17 ? -"),
    ("browse bought", "browse", "0:12 view mug cup saw; 0:12:20 buy pan; 0:17 ? -"),
    ("browse too old", "browse", "0:12 view mug cup saw; 3:12:01 ? -"),
    (
        "browse, a new visit",
        "browse",
        "0:12 view mug cup saw; 0:16 ? browse:saw,cup,mug; 1:12 view pan cup pan; 1:16 ? browse:pan,cup",
    ),
    ("browse, two visits are not one", "browse", "0:12 view mug cup; 0:12:31 view saw; 0:17 ? -"),
    (
        "browse, thirty minutes are one visit",
        "browse",
        "0:12 view mug cup; 0:12:30 view saw; 0:17 ? browse:saw,cup,mug",
    ),
    (
        "browse, all sold out",
        "browse",
        "0:12 view mug mug mug; 0:13 left mug 0; 0:16 ? -; 0:17 left mug 1; 0:17:01 ? browse:mug",
    ),
    // Lingering.
    ("linger fires", "linger", "0:12 view mug cup; 0:12:05 view mug saw; 0:12:06 ? linger:saw,mug,cup"),
    (
        "linger fires once a visit",
        "linger",
        "0:12 view mug cup; 0:12:05 view mug saw; 0:12:06 ? linger:saw,mug,cup; 0:12:08 view pan; 0:12:09 ? !fired",
    ),
    ("linger too quick", "linger", "0:12 view mug cup; 0:12:04 view mug saw; 0:12:06 ? -"),
    ("linger has left", "linger", "0:12 view mug cup; 0:12:05 view mug saw; 0:12:36 ? -"),
    ("linger has decided", "linger", "0:12 view mug cup; 0:12:05 view mug saw; 0:12:06 cart mug; 0:12:07 ? -"),
    // Hesitation.
    (
        "hesitation fires",
        "hesitate",
        "0:12 view mug cup; 1:12 view mug; 1:13 ? -; 2:12 view pan; 2:12:01 ? hesitate:pan,mug,cup",
    ),
    (
        "hesitation fires once a run",
        "hesitate",
        "0:12 view mug cup; 1:12 view mug; 2:12 view pan; 2:13 ? hesitate:pan,mug,cup; 3:12 view cup; 3:13 ? !fired",
    ),
    ("hesitation, another category", "hesitate", "0:12 view mug saw; 1:12 view saw; 2:12 view saw pan; 2:13 ? -"),
    ("hesitation in too few visits", "hesitate", "0:12 view mug cup; 1:12 view mug pan; 1:13 ? -"),
    (
        "hesitation ended by a purchase",
        "hesitate",
        "0:12 view mug cup; 1:12 view mug; 1:13 buy pan; 2:12 view pan; 2:13 ? -",
    ),
    (
        "hesitation, a new run after a purchase",
        "hesitate",
        "0:12 view mug; 1:12 buy pan; 2:12 view mug cup; 3:12 view mug; 4:12 view mug; 4:13 ? hesitate:mug,cup",
    ),
    ("hesitation, a pause", "hesitate", "0:12 view mug cup; 1:12 view mug; 16:12 view pan; 16:13 ? -"),
    // Price drop.
    ("price drop fires", "price", "0:12 view mug; 1:12 price mug 6; 1:12:01 ? price:mug"),
    (
        "price drop fires once",
        "price",
        "0:12 view mug; 1:12 price mug 6; 1:13 ? price:mug; 1:14 restart; 2:12 ? !fired",
    ),
    (
        "price drop, a second fall",
        "price",
        "0:12 view mug; 1:12 price mug 6; 1:13 ? price:mug; 2:12 price mug 4; 2:13 ? price:mug",
    ),
    ("price drop too small", "price", "0:12 view mug; 1:12 price mug 7.5; 1:13 ? -"),
    ("price drop taken back", "price", "0:12 view mug; 1:12 price mug 6; 1:13 price mug 8; 1:14 ? -"),
    ("price drop on something bought", "price", "0:12 view mug; 0:13 buy mug; 1:12 price mug 6; 1:13 ? -"),
    ("price drop seen only after", "price", "1:12 price mug 6; 1:13 view mug; 1:14 ? -"),
    ("price drop, bought meanwhile", "price", "0:12 cart mug; 1:12 price mug 6; 1:13 buy mug; 1:14 ? -"),
    ("price drop, old interest", "price", "0:12 view mug; 31:12 price mug 6; 31:13 ? -"),
    ("price drop, old news", "price", "0:12 view mug; 1:12 price mug 6; 4:12:01 ? -"),
    ("price drop of something else", "price", "0:12 view mug; 1:12 price saw 6; 1:13 ? -"),
    // Back in stock.
    ("back in stock fires", "stock", "0:12 view mug; 1:12 left mug 0; 1:13 ? -; 2:12 left mug 5; 2:12:01 ? stock:mug"),
    ("back in stock, more of it", "stock", "0:12 view mug; 2:12 left mug 50; 2:13 ? -"),
    (
        "back in stock, gone again",
        "stock",
        "0:12 view mug; 1:12 left mug 0; 2:12 left mug 5; 2:12:30 left mug 0; 2:13 ? -",
    ),
    (
        "back in stock twice",
        "stock",
        "0:12 cart mug; 1:12 left mug 0; 2:12 left mug 5; 2:13 ? stock:mug; 3:12 left mug 0; 4:12 left mug 2; 4:13 ? stock:mug",
    ),
    // Replenishment.
    ("replenishment fires", "refill", "0:12 buy mug; 20:12 buy mug; 37:12 ? -; 38:12 ? refill:mug"),
    ("replenishment fires once", "refill", "0:12 buy mug; 20:12 buy mug; 38:12 ? refill:mug; 40:12 ? !fired; 51 ? -"),
    ("replenishment bought meanwhile", "refill", "0:12 buy mug; 20:12 buy mug; 37:12 buy mug; 38:12 ? -"),
    ("replenishment bought once", "refill", "0:12 buy mug; 38:12 ? -"),
    ("replenishment, two orders of one day", "refill", "0:12 buy mug; 0:18 buy mug; 20 ? -"),
    ("replenishment, sent back", "refill", "0:12 buy mug; 20:12 buy mug; 21 back mug; 38:12 ? -"),
    ("replenishment too often", "refill", "0:12 buy mug; 2:12 buy mug; 4:12 buy mug; 6:12 ? -"),
    // Win-back.
    ("win-back fires", "back", "0:12 buy mug; 20:12 buy saw; 40:12 buy cup; 70:12 ? -; 70:12:01 ? back:"),
    ("win-back fires once", "back", "0:12 buy mug; 20:12 buy saw; 40:12 buy cup; 71 ? back:; 72 restart; 90 ? !fired"),
    ("win-back, came back", "back", "0:12 buy mug; 20:12 buy saw; 40:12 buy cup; 69 buy mug; 71 ? -"),
    ("win-back without a rhythm", "back", "0:12 buy mug; 20:12 buy saw; 90 ? -"),
    ("win-back never so early", "back", "0:12 buy mug; 2:12 buy saw; 4:12 buy cup; 25:12 ? -; 25:12:01 ? back:"),
    ("win-back, a slow rhythm", "back", "0:12 buy mug; 100:12 buy saw; 200:12 buy cup; 300 ? -; 350:13 ? back:"),
    // Post-purchase.
    ("post-purchase fires", "post", "0:12 buy mug saw; 3:11:59 ? -; 3:12 ? post:saw,mug"),
    ("post-purchase fires once", "post", "0:12 buy mug; 3:12 ? post:mug; 5 ? !fired; 14:13 ? -"),
    ("post-purchase, sent back", "post", "0:12 buy mug; 1:12 back mug; 3:12 ? -"),
    ("post-purchase too late", "post", "0:12 buy mug; 14:12:01 ? -"),
    ("post-purchase, bought again", "post", "0:12 buy mug; 2:12 buy saw; 3:12 ? -; 5:12 ? post:saw"),
    // New arrival.
    ("new arrival fires", "new", "0:12 view mug cup; 1:12 view mug; 9:23 ? -; 10 ? new:vase"),
    ("new arrival fires once", "new", "0:12 view mug cup; 1:12 view mug; 10 ? new:vase; 11 ? !fired; 25 ? -"),
    ("new arrival not loved", "new", "0:12 view saw saw saw saw; 1:12 view mug cup mug; 10 ? -"),
    ("new arrival too little known", "new", "0:12 view mug cup; 10 ? -"),
    ("new arrival known already", "new", "0:12 view mug cup mug; 10:01 view vase; 10:02 ? -"),
    // Across triggers.
    (
        "the cap",
        "cart browse cap",
        "0:08 view mug cup saw; 0:12:10 ? browse:saw,cup,mug; 1:12 cart mug; 1:14 ? !cap; 2:12:09 ? .; 2:12:10 ? cart:mug",
    ),
    (
        "the cap survives a restart",
        "cart browse cap",
        "0:08 view mug cup saw; 0:12:10 ? browse:saw,cup,mug; 1:12 cart mug; 1:13 restart; 1:14 ? !cap",
    ),
    (
        "the earlier rule has the room",
        "price cart cap",
        "0:12 cart mug; 0:13 price mug 5; 0:14 ? price:mug !cap; 2:14 ? cart:mug !fired",
    ),
    (
        "the cap does not count the page",
        "linger onsite cart cap",
        "0:12 view mug cup mug; 0:12:06 view cup; 0:12:07 ? linger:cup,mug; 0:12:08 cart mug; 0:14 ? cart:mug",
    ),
    ("two rules, one look", "price cart", "0:12 cart mug; 0:13 price mug 5; 0:14 ? price:mug cart:mug"),
    ("nothing at all", "cart browse linger hesitate price stock refill back post new", "0:12 ? -"),
    ("one event", "cart browse linger hesitate price stock refill back post new", "0:12 view mug; 1 ? -; 30 ? -"),
    ("all at one instant", "browse refill back post", "0:12 buy mug mug mug saw cup; 3:12 ? post:cup,saw,mug; 30 ? -"),
    // A moment exactly at a limit counts as inside.
    ("browse, the last moment", "browse", "0:12 view mug cup saw; 3:12 ? browse:saw,cup,mug; 3:12:01 ? -"),
    ("browse, over when the gap is", "gone", "0:12 view mug cup saw; 0:12:30 ? -; 0:12:31 ? gone:saw,cup,mug"),
    ("linger, the last moment", "linger", "0:12 view mug cup; 0:12:05 view mug saw; 0:12:35 ? linger:saw,mug,cup"),
    (
        "hesitation, as long a pause as may be",
        "hesitate",
        "0:12 view mug cup; 1:12 view mug; 15:12 view pan; 15:13 ? hesitate:pan,mug,cup",
    ),
    ("price drop, the last of the news", "price", "0:12 view mug; 1:12 price mug 6; 4:12 ? price:mug"),
    ("price drop at the view", "price", "0:12 view mug; 0:12 price mug 6; 0:12:01 ? price:mug"),
    ("price drop, bought at the view", "price", "0:12 view mug; 0:12 buy mug; 1:12 price mug 6; 1:13 ? -"),
    ("price drop, interest as old as may be", "price", "0:12 view mug; 30:12 price mug 6; 30:13 ? price:mug"),
    ("replenishment, as often as may be", "refill", "0:12 buy mug; 5:12 buy mug; 9:23 ? -; 10 ? refill:mug"),
    ("replenishment, the last moment", "refill", "0:12 buy mug; 20:12 buy mug; 50:12 ? refill:mug; 50:12:01 ? -"),
    ("replenishment a minute too late", "refill", "0:12 buy mug; 20:12 buy mug; 50:12:01 ? -"),
    ("win-back, the last moment", "back", "0:12 buy mug; 20:12 buy saw; 40:12 buy cup; 405:12 ? back:"),
    ("win-back given up", "back", "0:12 buy mug; 20:12 buy saw; 40:12 buy cup; 405:12:01 ? -"),
    (
        "win-back, between two intervals", // nine tenths of the way from 10 to 30 days, and half as long again
        "back",
        "0:12 buy mug; 10:12 buy saw; 40:12 buy cup; 82:11:59 ? -; 82:12:01 ? back:",
    ),
    ("post-purchase, one order of two moments", "post", "0:12 buy mug; 0:12:30 buy saw; 3:12:30 ? post:saw,mug"),
    ("post-purchase, the last moment", "post", "0:12 buy mug; 14:12 ? post:mug"),
    ("new arrival, just loved", "new", "0:12 view saw saw saw; 1:12 view mug cup mug; 10 ? new:vase"),
    ("quiet from its first minute", "cart quiet", "0:19 cart mug; 0:21 ? !quiet"),
    (
        "remembered to the last moment",
        "cart remember=2",
        "0:12 cart mug; 0:14 ? cart:mug; 2:14 ? !fired; 2:14:01 ? cart:mug",
    ),
    (
        "remembered while another forgets",
        "price cart remember=2",
        "0:12 cart mug; 0:14 ? cart:mug; 1:12 price mug 5; 2:14 ? price:mug !fired",
    ),
];

#[test]
fn every_timeline() {
    assert!(TIMELINES.len() >= 60, "{}", TIMELINES.len());
    for (name, setting, script) in TIMELINES {
        play(name, setting, script);
    }
}
