//! Random programs by seed: one in the short form, many and long ones behind `WHERRY_SOAK=1`.

use std::time::Duration;
use wherry_testkit::Random;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs `program` for each seed and prints it with its result: `short` in the short form, others on
/// from a fresh one. The second argument of the program is how long it is to run; the short form has
/// its own bound.
pub async fn each<Program>(
    what: &str,
    short: u64,
    program: impl Fn(u64, Option<Duration>) -> Program,
) where
    Program: Future<Output = String> + Send + 'static,
{
    let soak = std::env::var_os("WHERRY_SOAK").is_some();
    let chosen = setting("WHERRY_RANDOM_SEED");
    let first = chosen.unwrap_or_else(|| if soak { Random::fresh_seed() } else { short });
    let seconds = setting("WHERRY_RANDOM_SECONDS").unwrap_or(30);
    let seeds = if soak {
        setting("WHERRY_RANDOM_SEEDS").unwrap_or(1)
    } else {
        1
    };
    let mut failed = Vec::new();
    for seed in (0..seeds).map(|number| first.wrapping_add(number)) {
        eprintln!("{what}, seed {seed}");
        let time = soak.then(|| Duration::from_secs(seconds));
        match tokio::spawn(program(seed, time)).await {
            Ok(told) => eprintln!("seed {seed}: equal: {told}"),
            Err(error) => {
                drop(error);
                eprintln!("seed {seed}: FAILED, see above");
                failed.push(seed);
            }
        }
    }
    assert!(failed.is_empty(), "failed seeds of {what}: {failed:?}");
}
