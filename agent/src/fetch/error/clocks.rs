//! What is reported if a certificate is not valid at the moment: a clock may be wrong, and this machine cannot know
//! which. Both times are named, and how to find out.

use holdfast_catalog::state;
use jiff::Timestamp;

use crate::fetch::clock::TELL;
use crate::keypair::Validity;

/// The server's certificate is not valid yet by this machine's clock.
pub(super) fn server_is_early(server: &str, from: Timestamp, now: Timestamp) -> String {
    format!(
        "the certificate of {server} is valid from {from}, but this machine's clock shows {now}, {} earlier: this \
         clock is behind, or the server's clock was ahead when it made the certificate; {TELL}",
        span(from, now)
    )
}

/// The server's certificate has expired by this machine's clock.
pub(super) fn server_is_late(server: &str, until: Timestamp, now: Timestamp) -> String {
    format!(
        "the certificate of {server} expired at {until}, but this machine's clock shows {now}, {} later: this clock is \
         ahead, or the server did not renew the certificate, for example because its own clock is behind; {TELL}",
        span(now, until)
    )
}

/// The server says that this node's certificate is not valid now.
pub(super) fn node_is_refused(own: Option<Validity>, now: Timestamp) -> String {
    match own {
        Some(Validity { from, until }) if from <= now && now <= until => format!(
            "by the server's clock it is not valid; this machine's clock shows {now}, and it is valid from {from} \
             until {until}: one of the two clocks is wrong; {TELL}"
        ),
        Some(Validity { until, .. }) if until < now => {
            format!("it expired at {until}, and here it is {now}, {} later{}", span(now, until), super::ENROL)
        }
        Some(Validity { from, .. }) => format!(
            "it is valid from {from}, but this machine's clock shows {now}, {} earlier: this clock is behind, or the \
             server's clock was ahead when it made the certificate; {TELL}",
            span(from, now)
        ),
        None => format!("it is not valid at this time{}", super::ENROL),
    }
}

fn span(later: Timestamp, earlier: Timestamp) -> String {
    state::span(later.duration_since(earlier))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_wrong_clock_is_called_one() {
        let early = server_is_early("s:8140", at(1_086_340), at(1_000_000));
        assert!(early.contains("23 h earlier") && early.contains("1970-01-13"), "{early}");
        let late = server_is_late("s:8140", at(86_400), at(10 * 86_400));
        assert!(late.contains("9 days later") && late.contains("1970-01-02"), "{late}");
        let own = Some(Validity { from: at(1_000), until: at(90_000) });
        let refused = node_is_refused(own, at(5_000));
        assert!(
            refused.contains("1970-01-01T01:23:20Z") && refused.contains("1970-01-02T01:00:00Z"),
            "{refused}"
        );
        let ahead = node_is_refused(own, at(10));
        assert!(ahead.contains("16 min earlier"), "{ahead}");
        for said in [early, late, refused, ahead] {
            assert!(said.contains(TELL), "{said}");
        }
        let ended = node_is_refused(own, at(200_000));
        assert!(ended.contains("30 h later") && !ended.contains("clock"), "{ended}");
    }
}
