//! The `evaluate` example's command line: wrong words are answered with right ones.

#[path = "../examples/evaluate/args.rs"]
#[allow(dead_code)]
mod args;

use args::{Args, Command, Exclude, Output, Part, Source, SplitAt, Task, parse};
use likewise::{EventKind, Timestamp};

fn line(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn read(text: &str) -> Args {
    match parse(line(text)) {
        Ok(Command::Evaluate(args)) => *args,
        other => panic!("{text}: {other:?}"),
    }
}

fn refusal(text: &str) -> String {
    parse(line(text)).map(|command| format!("{command:?}")).unwrap_err().to_string()
}

#[test]
fn no_arguments_evaluate_the_bundled_data() {
    let args = read("");
    assert_eq!((args.source, args.task, args.output), (Source::Bundled, Task::Interactions, Output::Table));
    assert_eq!(args.ks, [5, 10, 20]);
}

#[test]
fn all_flags_are_read() {
    let args = read(
        "--events e.csv --columns user=CustomerID,item=StockCode,time=When --split time:2011-11-09 --task next-basket \
         --model als:factors=16 --model popularity --blend als*0.7+popularity*0.3 --tune 40 --weights view=1,cart=3,buy=5 \
         --exclude bought --repeats keep --fit-on train --k 20,5 --attributes items.csv --threads 2 --seed 7 \
         --limit-test 100 --json",
    );
    assert_eq!(args.source, Source::Events("e.csv".into()));
    assert_eq!(args.columns[2], (Part::Time, "When".to_owned()));
    assert_eq!(args.split, Some(SplitAt::Time(Timestamp::from_secs(1_320_796_800))));
    assert_eq!((args.task, args.exclude, args.output), (Task::NextBasket, Some(Exclude::Bought), Output::Json));
    assert_eq!(args.models.len(), 2);
    assert_eq!(args.blends[0].parts.len(), 2);
    assert_eq!(args.weights, [(EventKind::View, 1.0), (EventKind::AddToCart, 3.0), (EventKind::Purchase, 5.0)]);
    assert_eq!((args.tune, args.threads, args.seed, args.limit_test), (Some(40), Some(2), 7, Some(100)));
    assert_eq!(args.ks, [5, 20]);
    assert_eq!(read("--split fraction:0.8").split, Some(SplitAt::Fraction(0.8)));
    assert_eq!(read("--split=leave-last").split, Some(SplitAt::LeaveLast));
    assert!(matches!(parse(line("--list --model als")), Ok(Command::List)));
    assert!(matches!(parse(line("-h")), Ok(Command::Help)));
}

#[test]
fn wrong_words_are_answered_with_right_ones() {
    for (text, answer) in [
        ("--event x", "there is no flag --event (did you mean --events?)"),
        ("--colums x", "did you mean --columns?"),
        ("--xyzzy", "there is no flag --xyzzy; --help"),
        ("-k 5", "there is no flag -k"),
        ("file.csv", "belongs to no flag"),
        ("--columns usr=a,item=b", r#"there is no "usr" (did you mean "user"?); there are user, item, time"#),
        ("--columns user", r#""user" is no NAME=VALUE"#),
        ("--task nextitem", r#"did you mean "next-item"?"#),
        ("--model alz", r#"did you mean "als"?"#),
        ("--model als:factor=3", r#"did you mean "factors"?"#),
        ("--model als:factors=0", "expected a whole number from 1 to 1024"),
        ("--blend als*x", "is no weight"),
        ("--tune 0", "expected a whole number from 1"),
        ("--tune", "missing argument"),
        ("--weights veiw=1", "unknown event kind"),
        ("--weights view=-1", "a weight is a number from 0"),
        ("--exclude sen", r#"did you mean "seen"?"#),
        ("--fit-on test", "there are train, train+validation"),
        ("--k 5,x", "--k x: expected a whole number"),
        ("--split fraction:1", "above 0 and below 1"),
        ("--split time:yesterday", "a time is a date"),
        ("--split leavelast", r#"did you mean "leave-last"?"#),
        ("--train a", "--train needs --test"),
        ("--test a", "--test needs --train"),
        ("--events a --train b --test c", "not both"),
        ("--task prefix --events a", "--task prefix needs --train"),
        ("--train a --test b --split leave-last", "cut already"),
        ("--json=yes", "json"),
    ] {
        let refused = refusal(text);
        assert!(refused.contains(answer), "{text}: {refused}");
    }
}
