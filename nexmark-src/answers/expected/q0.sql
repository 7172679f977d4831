SELECT auction, bidder, price, ms("dateTime"), extra FROM bid
