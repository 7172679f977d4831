//! The events are distributed like those of the `nexmark` crate, another implementation of the community's generator.
//!
//! Compared over 200 000 events after the first 100 000, with these tolerances: kinds exactly; share of bids and auctions that go to the
//! hot auction, bidder and seller within 1, 1 and 2 percentage points; age of the auctions that get bids, mean within 2 of about 50; price,
//! mean logarithm within 1 %; sizes within 5 % of persons and auctions. Bids differ by intention: here the mean size is that of the whole
//! bid, there that of its numbers and the text behind them, so that channel and URL come on top.

use nexmark::event::Event as Reference;
use nexmark_generator::{Event, Events, GeneratorConfig};

const FROM: u64 = 100_000;
const EVENTS: u64 = 200_000;

/// What is compared, of either implementation.
#[derive(Default, Debug)]
struct Profile {
    kinds: [f64; 3],
    hot: [f64; 3],
    auction_age: f64,
    log_price: f64,
    bytes: [f64; 3],
    newest_auction: f64,
}

impl Profile {
    fn person(&mut self, texts: &[&str]) {
        self.kinds[0] += 1.0;
        self.bytes[0] += 16.0 + length(texts);
    }

    fn auction(&mut self, id: u64, seller: u64, texts: &[&str]) {
        self.kinds[1] += 1.0;
        self.newest_auction = id as f64;
        self.hot[2] += f64::from(seller.is_multiple_of(100));
        self.bytes[1] += 56.0 + length(texts);
    }

    fn bid(&mut self, auction: u64, bidder: u64, price: u64, texts: &[&str]) {
        self.kinds[2] += 1.0;
        self.hot[0] += f64::from(auction.is_multiple_of(100));
        self.hot[1] += f64::from(bidder % 100 == 1);
        if !auction.is_multiple_of(100) {
            self.auction_age += self.newest_auction - auction as f64;
        }
        self.log_price += (price as f64).ln();
        self.bytes[2] += 32.0 + length(texts);
    }

    /// Sums become means.
    fn finish(mut self) -> Self {
        let [_, auctions, bids] = self.kinds;
        self.auction_age /= bids - self.hot[0];
        self.hot[0] /= bids;
        self.hot[1] /= bids;
        self.hot[2] /= auctions;
        self.log_price /= bids;
        for kind in 0..3 {
            self.bytes[kind] /= self.kinds[kind];
        }
        self
    }
}

fn length(texts: &[&str]) -> f64 {
    texts.iter().map(|text| text.len() as f64).sum()
}

fn ours() -> Profile {
    let config = GeneratorConfig::default();
    let mut profile = Profile::default();
    for event in Events::new(config, FROM, FROM + EVENTS).expect("the standard") {
        match event {
            Event::Person(p) => {
                profile.person(&[
                    &p.name,
                    &p.email_address,
                    &p.credit_card,
                    &p.city,
                    &p.state,
                    &p.extra,
                ]);
            }
            Event::Auction(a) => {
                profile.auction(
                    a.id as u64,
                    a.seller as u64,
                    &[&a.item_name, &a.description, &a.extra],
                );
            }
            Event::Bid(b) => {
                profile.bid(
                    b.auction as u64,
                    b.bidder as u64,
                    b.price as u64,
                    &[&b.channel, &b.url, &b.extra],
                );
            }
        }
    }
    profile.finish()
}

fn theirs() -> Profile {
    let mut profile = Profile::default();
    let events =
        nexmark::EventGenerator::new(nexmark::config::NexmarkConfig::default()).with_offset(FROM);
    for event in events.take(EVENTS as usize) {
        match event {
            Reference::Person(p) => {
                profile.person(&[
                    &p.name,
                    &p.email_address,
                    &p.credit_card,
                    &p.city,
                    &p.state,
                    &p.extra,
                ]);
            }
            Reference::Auction(a) => {
                profile.auction(
                    a.id as u64,
                    a.seller as u64,
                    &[&a.item_name, &a.description, &a.extra],
                );
            }
            Reference::Bid(b) => {
                profile.bid(
                    b.auction as u64,
                    b.bidder as u64,
                    b.price as u64,
                    &[&b.channel, &b.url, &b.extra],
                );
            }
        }
    }
    profile.finish()
}

#[test]
fn like_those_of_the_nexmark_crate() {
    let (ours, theirs) = (ours(), theirs());
    let near = |a: f64, b: f64, tolerance: f64| (a - b).abs() <= tolerance;
    let both = || format!("ours {ours:#?}, theirs {theirs:#?}");
    assert_eq!(ours.kinds, theirs.kinds);
    for (i, tolerance) in [0.01, 0.01, 0.02].into_iter().enumerate() {
        assert!(near(ours.hot[i], theirs.hot[i], tolerance), "{}", both());
    }
    assert!(
        near(ours.auction_age, theirs.auction_age, 2.0),
        "{}",
        both()
    );
    assert!(
        near(ours.log_price, theirs.log_price, 0.01 * theirs.log_price),
        "{}",
        both()
    );
    for (kind, wanted) in [200.0, 500.0].into_iter().enumerate() {
        assert!(
            near(ours.bytes[kind], theirs.bytes[kind], 0.05 * wanted),
            "{}",
            both()
        );
    }
    assert!(near(ours.bytes[2], 100.0, 12.0), "{}", both());
}
