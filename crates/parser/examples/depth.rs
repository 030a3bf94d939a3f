//! Prints how deep parentheses and chains may go.
use pglite_parser::{ParseOptions, parse};

fn main() {
    let deepest = |make: &dyn Fn(usize) -> String| {
        let (mut ok, mut bad) = (1usize, 200_000usize);
        while bad - ok > 1 {
            let n = (ok + bad) / 2;
            if parse(&make(n), &ParseOptions::default()).is_ok() {
                ok = n
            } else {
                bad = n
            }
        }
        ok
    };
    println!(
        "parentheses {}",
        deepest(&|n| format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n)))
    );
    println!(
        "sublinks {}",
        deepest(&|n| format!("SELECT {}1{}", "(SELECT ".repeat(n), ")".repeat(n)))
    );
    println!(
        "from {}",
        deepest(&|n| format!(
            "SELECT * FROM {}a{}",
            "(SELECT * FROM ".repeat(n),
            ") x".repeat(n)
        ))
    );
    println!(
        "calls {}",
        deepest(&|n| format!("SELECT {}1{}", "f(".repeat(n), ")".repeat(n)))
    );
    println!(
        "case {}",
        deepest(&|n| format!(
            "SELECT {}1{}",
            "CASE WHEN a THEN 1 ELSE ".repeat(n),
            " END".repeat(n)
        ))
    );
    println!(
        "with {}",
        deepest(&|n| format!("{}SELECT 1{}", "WITH x AS (".repeat(n), ") SELECT 1".repeat(n)))
    );
}
