SELECT auction, bidder, price, ms("dateTime"), extra, strftime("dateTime", '%Y-%m-%d'), strftime("dateTime", '%H:%M') FROM bid
