//! All that shapes the events; the defaults are the benchmark's standard ones.

use serde::Deserialize;
use thiserror::Error;

use crate::RateSchedule;

/// Events are shuffled within groups of at most so many.
pub const LARGEST_GROUP: u64 = 1_000_000;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratorConfig {
    /// Any number; another seed gives other events.
    pub seed: i64,
    /// Event time of event 0, in milliseconds since 1970.
    pub base_time_millis: i64,
    /// Which event happens when.
    pub schedule: RateSchedule,
    /// Of every sum of the three proportions so many events are persons, at least 1.
    pub person_proportion: u64,
    /// Then so many are auctions, at least 1.
    pub auction_proportion: u64,
    /// Then so many are bids.
    pub bid_proportion: u64,
    /// Mean size of a person's columns in bytes, as are the next two of theirs.
    pub person_bytes: u64,
    /// Of an auction's.
    pub auction_bytes: u64,
    /// Of a bid's.
    pub bid_bytes: u64,
    /// One bid in so many goes to an auction at random, the others to the hot one. 1: there is no hot auction.
    pub hot_auction_ratio: u64,
    /// The same of bidders.
    pub hot_bidder_ratio: u64,
    /// The same of sellers.
    pub hot_seller_ratio: u64,
    /// Auctions that still receive bids.
    pub in_flight_auctions: u64,
    /// Persons that still bid and sell.
    pub active_people: u64,
    /// Events are shuffled within groups of so many; 1: they come in order.
    pub out_of_order_group: u64,
    /// Share of events that come late, from 0 to 1.
    pub delayed_share: f64,
    /// How late they come at least, in milliseconds: their event time lies so far before that of their neighbours.
    pub shortest_delay_millis: u64,
    /// How late at most.
    pub longest_delay_millis: u64,
}

/// A value that shapes no events.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InvalidConfig {
    /// Out of its range.
    #[error("{what} is {value} but must be from {least} to {most}")]
    Range {
        /// The value's name in words.
        what: &'static str,
        /// As given.
        value: f64,
        /// Lowest that is allowed.
        least: f64,
        /// Highest that is allowed.
        most: f64,
    },
}

// === impl GeneratorConfig ===

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            base_time_millis: 1_704_067_200_000,
            #[allow(
                clippy::unwrap_used,
                reason = "10000 is a rate; a test builds the default"
            )]
            schedule: RateSchedule::constant(10_000).unwrap(),
            person_proportion: 1,
            auction_proportion: 3,
            bid_proportion: 46,
            person_bytes: 200,
            auction_bytes: 500,
            bid_bytes: 100,
            hot_auction_ratio: 2,
            hot_bidder_ratio: 4,
            hot_seller_ratio: 4,
            in_flight_auctions: 100,
            active_people: 1000,
            out_of_order_group: 1,
            delayed_share: 0.0,
            shortest_delay_millis: 60_000,
            longest_delay_millis: 240_000,
        }
    }
}

impl GeneratorConfig {
    /// Fails with the first value that is out of its range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        const INT: u64 = i32::MAX as u64;
        let ranges = [
            ("person proportion", self.person_proportion, 1, INT),
            ("auction proportion", self.auction_proportion, 1, INT),
            ("bid proportion", self.bid_proportion, 0, INT),
            ("person size", self.person_bytes, 0, 1 << 24),
            ("auction size", self.auction_bytes, 0, 1 << 24),
            ("bid size", self.bid_bytes, 0, 1 << 24),
            ("hot auction ratio", self.hot_auction_ratio, 1, INT),
            ("hot bidder ratio", self.hot_bidder_ratio, 1, INT),
            ("hot seller ratio", self.hot_seller_ratio, 1, INT),
            ("in-flight auctions", self.in_flight_auctions, 1, INT),
            ("active people", self.active_people, 1, INT),
            (
                "out-of-order group",
                self.out_of_order_group,
                1,
                LARGEST_GROUP,
            ),
            ("shortest delay", self.shortest_delay_millis, 0, 1 << 52),
            (
                "longest delay",
                self.longest_delay_millis,
                self.shortest_delay_millis,
                1 << 52,
            ),
        ];
        for (what, value, least, most) in ranges {
            range(what, value as f64, least as f64, most as f64)?;
        }
        range("delayed share", self.delayed_share, 0.0, 1.0)
    }
}

fn range(what: &'static str, value: f64, least: f64, most: f64) -> Result<(), InvalidConfig> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(InvalidConfig::Range {
        what,
        value,
        least,
        most,
    })
}

#[cfg(test)]
mod tests {
    use super::GeneratorConfig;

    #[test]
    fn the_default_is_valid_and_what_is_not_is_named() {
        assert_eq!(GeneratorConfig::default().check(), Ok(()));
        let config = GeneratorConfig {
            auction_proportion: 0,
            ..GeneratorConfig::default()
        };
        let message = config.check().unwrap_err().to_string();
        assert_eq!(
            message,
            "auction proportion is 0 but must be from 1 to 2147483647"
        );
        let config = GeneratorConfig {
            delayed_share: f64::NAN,
            ..GeneratorConfig::default()
        };
        assert!(
            config
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("delayed share is NaN")
        );
    }

    #[test]
    fn reads_what_the_source_writes() {
        let json =
            r#"{"seed":-3,"schedule":{"start_millis":[0,5],"rate":[1,2],"period_millis":0}}"#;
        let config: GeneratorConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.seed, -3);
        assert_eq!(config.schedule.millis(1), 502);
        assert!(serde_json::from_str::<GeneratorConfig>(r#"{"sed":1}"#).is_err());
    }
}
