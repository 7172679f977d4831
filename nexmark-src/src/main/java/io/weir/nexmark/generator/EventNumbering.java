/** Which kind an event is, when it happens, and which persons and auctions exist by then. */
package io.weir.nexmark.generator;

/** Plain arithmetic on the event's number; no randomness. Identifiers count from 0 here. */
public final class EventNumbering {

    public static final int PERSON = 0;
    public static final int AUCTION = 1;
    public static final int BID = 2;

    private final GeneratorConfig config;
    private final int sum;

    public EventNumbering(GeneratorConfig config) {
        this.config = config;
        this.sum = config.proportionSum();
    }

    /** {@link #PERSON}, {@link #AUCTION} or {@link #BID}: within each round persons come first, then auctions, then bids. */
    public int kind(long number) {
        long offset = number % sum;
        if (offset < config.personProportion) {
            return PERSON;
        }
        return offset < config.personProportion + config.auctionProportion ? AUCTION : BID;
    }

    /** Event time in milliseconds since 1970. */
    public long timeMillis(long number) {
        long seconds = number / config.eventsPerSecond;
        long rest = number % config.eventsPerSecond;
        return config.baseTimeMillis + seconds * 1000 + rest * 1000 / config.eventsPerSecond;
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
