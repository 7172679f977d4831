/** Which kind an event is, when it happens, and which persons and auctions exist by then. */
package io.weir.nexmark.generator;

/**
 * Plain arithmetic on the event's number; no randomness. Identifiers count from 0 here. A number says where an event stands in
 * time; its position says where it stands in the stream, which is another place if events are out of order.
 */
public final class EventNumbering {

    public static final int PERSON = 0;
    public static final int AUCTION = 1;
    public static final int BID = 2;

    /** A prime above every group's size: multiplying by it permutes a group. */
    private static final long SHUFFLE = 1_000_003;

    private final GeneratorConfig config;
    private final int sum;

    public EventNumbering(GeneratorConfig config) {
        this.config = config;
        this.sum = config.proportionSum();
    }

    /** Number of the event at a position: the same, or shuffled within groups. */
    public long event(long position) {
        int group = config.outOfOrderGroup;
        if (group == 1) {
            return position;
        }
        long offset = position % group;
        return position - offset + offset * SHUFFLE % group;
    }

    /** {@link #PERSON}, {@link #AUCTION} or {@link #BID}: within each round persons come first, then auctions, then bids. */
    public int kind(long number) {
        long offset = number % sum;
        if (offset < config.personProportion) {
            return PERSON;
        }
        return offset < config.personProportion + config.auctionProportion ? AUCTION : BID;
    }

    /** Event time in milliseconds since 1970, of an event that is not delayed. */
    public long timeMillis(long number) {
        return config.baseTimeMillis + config.schedule.millis(number);
    }

    /** The newest person once the event has happened. */
    public long lastPerson(long number) {
        long offset = Math.min(number % sum, config.personProportion - 1);
        return number / sum * config.personProportion + offset;
    }

    /** The newest auction once the event has happened; -1 while there is none. */
    public long lastAuction(long number) {
        long offset =
                Math.min(
                        number % sum - config.personProportion, config.auctionProportion - 1);
        return number / sum * config.auctionProportion + Math.max(offset, -1);
    }

    /** How long it takes until as many new auctions have been opened as are in flight together. */
    public long auctionTurnoverMillis(long number) {
        long events = (long) config.inFlightAuctions * sum / config.auctionProportion;
        return timeMillis(number + events) - timeMillis(number);
    }
}
