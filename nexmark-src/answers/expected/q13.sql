SELECT auction, bidder, price, ms("dateTime"), 'side-' || (auction % 10000) FROM bid
