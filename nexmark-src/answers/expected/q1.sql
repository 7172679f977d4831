SELECT auction, bidder, price * 0.908::DECIMAL(4, 3), ms("dateTime"), extra FROM bid
