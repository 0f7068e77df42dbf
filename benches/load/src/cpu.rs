//! Processor time of processes, from `/proc`.

use std::time::Duration;

/// Length of a tick of `/proc/PID/stat` on Linux, whatever the kernel's own.
const TICK: Duration = Duration::from_millis(10);

/// User and system time that a process has taken; none where there is no such process or no `/proc`.
pub(crate) fn taken(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    parse(&stat)
}

fn parse(stat: &str) -> Option<Duration> {
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * (user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_read_behind_any_name() {
        let stat = "42 (a) b) R 1 1 1 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(parse(stat), Some(Duration::from_secs(2)));
        assert_eq!(parse("nonsense"), None);
        assert!(taken(std::process::id()).is_some());
    }
}
