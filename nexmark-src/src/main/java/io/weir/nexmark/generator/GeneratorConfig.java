/** What the generated events look like. */
package io.weir.nexmark.generator;

import java.io.Serializable;

/** Immutable but for {@link Builder}; the defaults are the benchmark's standard ones. */
public final class GeneratorConfig implements Serializable {

    private static final long serialVersionUID = 1L;

    private static final int LARGEST_GROUP = 1_000_000;

    /** Any number; another seed gives other events. */
    public final long seed;
    /** Event time of event 0, in milliseconds since 1970. */
    public final long baseTimeMillis;
    /** Which event happens when. */
    public final RateSchedule schedule;
    /** Of every sum of the three, so many are persons, then auctions, then bids. Persons and auctions at least 1. */
    public final int personProportion;

    public final int auctionProportion;
    public final int bidProportion;
    /** Mean size of an event's fields in bytes. */
    public final int personBytes;

    public final int auctionBytes;
    public final int bidBytes;
    /** One bid in so many goes to an auction at random, the others to the hot one. 1: there is no hot auction. */
    public final int hotAuctionRatio;

    public final int hotBidderRatio;
    public final int hotSellerRatio;
    /** Auctions that still receive bids. */
    public final int inFlightAuctions;
    /** Persons that still bid and sell. */
    public final int activePeople;
    /** Events are shuffled within groups of so many; 1: they come in order. */
    public final int outOfOrderGroup;
    /** Share of events that come late. */
    public final double delayedShare;
    /** How late they come: their event time is so many milliseconds before that of their neighbours. */
    public final long shortestDelayMillis;

    public final long longestDelayMillis;

    private GeneratorConfig(Builder b) {
        seed = b.seed;
        baseTimeMillis = b.baseTimeMillis;
        schedule = b.schedule;
        personProportion = (int) atLeast(1, b.personProportion, "person proportion");
        auctionProportion = (int) atLeast(1, b.auctionProportion, "auction proportion");
        bidProportion = (int) atLeast(0, b.bidProportion, "bid proportion");
        personBytes = (int) atLeast(0, b.personBytes, "person size");
        auctionBytes = (int) atLeast(0, b.auctionBytes, "auction size");
        bidBytes = (int) atLeast(0, b.bidBytes, "bid size");
        hotAuctionRatio = (int) atLeast(1, b.hotAuctionRatio, "hot auction ratio");
        hotBidderRatio = (int) atLeast(1, b.hotBidderRatio, "hot bidder ratio");
        hotSellerRatio = (int) atLeast(1, b.hotSellerRatio, "hot seller ratio");
        inFlightAuctions = (int) atLeast(1, b.inFlightAuctions, "in-flight auctions");
        activePeople = (int) atLeast(1, b.activePeople, "active people");
        outOfOrderGroup = (int) atLeast(1, b.outOfOrderGroup, "out-of-order group");
        if (outOfOrderGroup > LARGEST_GROUP) {
            throw new IllegalArgumentException("out-of-order group is " + outOfOrderGroup + " but must be at most " + LARGEST_GROUP);
        }
        delayedShare = b.delayedShare;
        if (!(delayedShare >= 0 && delayedShare <= 1)) {
            throw new IllegalArgumentException("delayed share is " + delayedShare + " but must be from 0 to 1");
        }
        shortestDelayMillis = atLeast(0, b.shortestDelayMillis, "shortest delay");
        longestDelayMillis = atLeast(shortestDelayMillis, b.longestDelayMillis, "longest delay");
    }

    /** Events after which the kinds repeat. */
    public int proportionSum() {
        return personProportion + auctionProportion + bidProportion;
    }

    /** Share of the events that are of a kind; 1 for all kinds (-1). */
    public double share(int kind) {
        int[] proportions = {proportionSum(), personProportion, auctionProportion, bidProportion};
        return (double) proportions[kind + 1] / proportionSum();
    }

    public static Builder builder() {
        return new Builder();
    }

    private static long atLeast(long least, long value, String what) {
        if (value < least) {
            throw new IllegalArgumentException(
                    what + " is " + value + " but must be at least " + least);
        }
        return value;
    }

    /** Collects values; unset ones keep the standard. */
    public static final class Builder {
        public long seed = 1;
        public long baseTimeMillis = 1_704_067_200_000L;
        public RateSchedule schedule = RateSchedule.constant(10_000);
        public int personProportion = 1;
        public int auctionProportion = 3;
        public int bidProportion = 46;
        public int personBytes = 200;
        public int auctionBytes = 500;
        public int bidBytes = 100;
        public int hotAuctionRatio = 2;
        public int hotBidderRatio = 4;
        public int hotSellerRatio = 4;
        public int inFlightAuctions = 100;
        public int activePeople = 1000;
        public int outOfOrderGroup = 1;
        public double delayedShare = 0;
        public long shortestDelayMillis = 60_000;
        public long longestDelayMillis = 240_000;

        private Builder() {}

        /**
         * @throws IllegalArgumentException naming the value that is too small
         */
        public GeneratorConfig build() {
            return new GeneratorConfig(this);
        }
    }
}
