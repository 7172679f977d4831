//! Writes events as CSV, one file for each kind: for another engine, or to look at.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use nexmark_generator::{Event, Events, GeneratorConfig, RateSchedule};

/// Writes person.csv, auction.csv and bid.csv, each with a header. The first column is the event's position in the stream; times are in
/// milliseconds since 1970. No text of Nexmark has a comma or a quote.
pub(crate) fn export(events: u64, seed: i64, rate: u64, folder: &Path) -> Result<()> {
    let config = GeneratorConfig {
        seed,
        schedule: RateSchedule::constant(rate)?,
        ..GeneratorConfig::default()
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut persons = create(
        folder,
        "person",
        "id,name,emailAddress,creditCard,city,state,dateTime,extra",
    )?;
    let mut auctions = create(
        folder,
        "auction",
        "id,itemName,description,initialBid,reserve,dateTime,expires,seller,category,extra",
    )?;
    let mut bids = create(
        folder,
        "bid",
        "auction,bidder,price,channel,url,dateTime,extra",
    )?;
    for (number, event) in Events::new(config, 0, events)?.enumerate() {
        match event {
            Event::Person(p) => writeln!(
                persons,
                "{number},{},{},{},{},{},{},{},{}",
                p.id, p.name, p.email_address, p.credit_card, p.city, p.state, p.date_time, p.extra
            )?,
            Event::Auction(a) => writeln!(
                auctions,
                "{number},{},{},{},{},{},{},{},{},{},{}",
                a.id,
                a.item_name,
                a.description,
                a.initial_bid,
                a.reserve,
                a.date_time,
                a.expires,
                a.seller,
                a.category,
                a.extra
            )?,
            Event::Bid(b) => writeln!(
                bids,
                "{number},{},{},{},{},{},{},{}",
                b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra
            )?,
        }
    }
    for mut file in [persons, auctions, bids] {
        file.flush()?;
    }
    Ok(())
}

fn create(folder: &Path, kind: &str, columns: &str) -> Result<BufWriter<File>> {
    let path = folder.join(format!("{kind}.csv"));
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut out = BufWriter::new(file);
    writeln!(out, "number,{columns}")?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::export;

    #[test]
    fn every_event_has_a_line_with_all_columns() {
        let folder = tempfile::tempdir().unwrap();
        export(5_000, 7, 1_000, folder.path()).unwrap();
        for (kind, events, columns) in [("person", 100, 9), ("auction", 300, 11), ("bid", 4_600, 8)]
        {
            let text = fs::read_to_string(folder.path().join(format!("{kind}.csv"))).unwrap();
            assert_eq!(text.lines().count(), 1 + events, "{kind}");
            for line in text.lines() {
                assert_eq!(line.split(',').count(), columns, "{kind}: {line}");
            }
        }
    }
}
