/** The events: pure, in the standard proportions, sizes and skews. */
package io.weir.nexmark.generator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.table.data.RowData;
import org.junit.jupiter.api.Test;

class EventGeneratorTest {

    private static final GeneratorConfig STANDARD = GeneratorConfig.builder().build();
    private static final int PERSON_FIELDS = 8;
    private static final int AUCTION_FIELDS = 10;
    private static final int BID_FIELDS = 7;

    @Test
    void anEventDependsOnSeedAndNumberOnly() {
        EventGenerator forward = new EventGenerator(STANDARD);
        EventGenerator backward = new EventGenerator(STANDARD);
        Map<Long, RowData> events = new HashMap<>();
        for (long n = 0; n < 5_000; n++) {
            events.put(n, forward.event(n));
        }
        for (long n = 4_999; n >= 0; n--) {
            assertEquals(events.get(n), backward.event(n), "event " + n);
        }
    }

    @Test
    void anotherSeedGivesOtherEvents() {
        GeneratorConfig.Builder other = GeneratorConfig.builder();
        other.seed = 2;
        EventGenerator first = new EventGenerator(STANDARD);
        EventGenerator second = new EventGenerator(other.build());
        for (long n = 0; n < 100; n++) {
            assertNotEquals(first.event(n), second.event(n));
        }
    }

    @Test
    void proportionsAreExact() {
        int[] counts = new int[3];
        EventGenerator generator = new EventGenerator(STANDARD);
        for (long n = 0; n < 50_000; n++) {
            RowData event = generator.event(n);
            int kind = event.getInt(0);
            counts[kind]++;
            for (int other = 0; other < 3; other++) {
                assertEquals(other != kind, event.isNullAt(other + 1));
            }
        }
        assertEquals(1_000, counts[0]);
        assertEquals(3_000, counts[1]);
        assertEquals(46_000, counts[2]);
    }

    @Test
    void identifiersAreDenseAndKnownWhenUsed() {
        EventGenerator generator = new EventGenerator(STANDARD);
        Set<Long> persons = new HashSet<>();
        Set<Long> auctions = new HashSet<>();
        for (long n = 0; n < 50_000; n++) {
            RowData event = generator.event(n);
            switch (event.getInt(0)) {
                case EventNumbering.PERSON:
                    assertEquals(1000 + persons.size(), event.getRow(1, PERSON_FIELDS).getLong(0));
                    persons.add(event.getRow(1, PERSON_FIELDS).getLong(0));
                    break;
                case EventNumbering.AUCTION:
                    RowData auction = event.getRow(2, AUCTION_FIELDS);
                    assertEquals(1000 + auctions.size(), auction.getLong(0));
                    auctions.add(auction.getLong(0));
                    assertTrue(auction.getLong(7) < 1000 + persons.size() + 10, "seller");
                    assertTrue(auction.getLong(4) > auction.getLong(3), "reserve above initial bid");
                    assertTrue(
                            auction.getTimestamp(6, 3).getMillisecond()
                                    > auction.getTimestamp(5, 3).getMillisecond(),
                            "expires after it opens");
                    break;
                default:
                    RowData bid = event.getRow(3, BID_FIELDS);
                    long age = 1000 + auctions.size() - 1 - bid.getLong(0);
                    // In flight are the last 100; the hot one may be up to 99 older than the newest.
                    assertTrue(age >= -10 && age <= 100, "auction of age " + age);
                    assertTrue(bid.getLong(1) < 1000 + persons.size() + 10, "bidder");
            }
        }
    }

    @Test
    void meanSizesAreTheStandardOnes() {
        EventGenerator generator = new EventGenerator(STANDARD);
        double[] bytes = new double[3];
        int[] counts = new int[3];
        for (long n = 0; n < 50_000; n++) {
            RowData event = generator.event(n);
            int kind = event.getInt(0);
            counts[kind]++;
            bytes[kind] += bytes(event.getRow(kind + 1, fields(kind)), kind);
        }
        assertEquals(200, bytes[0] / counts[0], 4);
        assertEquals(500, bytes[1] / counts[1], 4);
        // A bid with a long URL is above the mean before it is filled up.
        assertEquals(110, bytes[2] / counts[2], 12);
    }

    @Test
    void hotAuctionsBiddersAndSellersAsConfigured() {
        EventGenerator generator = new EventGenerator(STANDARD);
        int bids = 0;
        int hotAuctions = 0;
        int hotBidders = 0;
        int auctions = 0;
        int hotSellers = 0;
        EventNumbering numbering = new EventNumbering(STANDARD);
        for (long n = 1_000_000; n < 1_100_000; n++) {
            RowData event = generator.event(n);
            long person = 1000 + numbering.lastPerson(n) / 100 * 100;
            if (event.getInt(0) == EventNumbering.BID) {
                bids++;
                RowData bid = event.getRow(3, BID_FIELDS);
                hotAuctions += bid.getLong(0) == 1000 + numbering.lastAuction(n) / 100 * 100 ? 1 : 0;
                hotBidders += bid.getLong(1) == person + 1 ? 1 : 0;
            } else if (event.getInt(0) == EventNumbering.AUCTION) {
                auctions++;
                hotSellers += event.getRow(2, AUCTION_FIELDS).getLong(7) == person ? 1 : 0;
            }
        }
        // 1 - 1/ratio, plus the few that hit the hot one by chance.
        assertEquals(0.505, (double) hotAuctions / bids, 0.01);
        assertEquals(0.75, (double) hotBidders / bids, 0.01);
        assertEquals(0.75, (double) hotSellers / auctions, 0.02);
    }

    @Test
    void timeFollowsTheRate() {
        GeneratorConfig.Builder builder = GeneratorConfig.builder();
        builder.schedule = RateSchedule.constant(3);
        builder.baseTimeMillis = 1_000;
        EventNumbering numbering = new EventNumbering(builder.build());
        assertEquals(1_000, numbering.timeMillis(0));
        assertEquals(1_333, numbering.timeMillis(1));
        assertEquals(1_666, numbering.timeMillis(2));
        assertEquals(2_000, numbering.timeMillis(3));
    }

    @Test
    void outOfOrderEventsAreTheSameOnesWithinTheirGroups() {
        GeneratorConfig.Builder builder = GeneratorConfig.builder();
        builder.outOfOrderGroup = 500;
        EventGenerator shuffled = new EventGenerator(builder.build());
        EventGenerator straight = new EventGenerator(STANDARD);
        Set<RowData> seen = new HashSet<>();
        Set<RowData> expected = new HashSet<>();
        int moved = 0;
        for (long n = 1_000; n < 1_500; n++) {
            moved += shuffled.event(n).equals(straight.event(n)) ? 0 : 1;
            seen.add(shuffled.event(n));
            expected.add(straight.event(n));
        }
        assertEquals(expected, seen);
        assertTrue(moved > 490, "moved " + moved);
    }

    @Test
    void delayedEventsComeLateAndOnlyTheirTimeDiffers() {
        GeneratorConfig.Builder builder = GeneratorConfig.builder();
        builder.delayedShare = 0.1;
        EventGenerator delayed = new EventGenerator(builder.build());
        EventGenerator straight = new EventGenerator(STANDARD);
        int late = 0;
        int bids = 0;
        // Far enough from the beginning, before which no event is put.
        for (long n = 10_000_000; n < 10_020_000; n++) {
            RowData event = delayed.event(n);
            if (event.getInt(0) != EventNumbering.BID) {
                continue;
            }
            bids++;
            RowData bid = event.getRow(3, BID_FIELDS);
            RowData other = straight.event(n).getRow(3, BID_FIELDS);
            assertEquals(other.getLong(0), bid.getLong(0));
            assertEquals(other.getString(4), bid.getString(4));
            long delay = other.getTimestamp(5, 3).getMillisecond() - bid.getTimestamp(5, 3).getMillisecond();
            assertTrue(delay == 0 || delay >= 60_000 && delay <= 240_000, "delay " + delay);
            late += delay > 0 ? 1 : 0;
        }
        assertEquals(0.1, (double) late / bids, 0.01);
    }

    @Test
    void pricesAreSpreadOverSixOrdersOfMagnitude() {
        EventRandom random = new EventRandom();
        int[] magnitudes = new int[6];
        for (long n = 0; n < 60_000; n++) {
            random.event(1, n);
            long price = random.price();
            assertTrue(price >= 100 && price < 100_000_000, "price " + price);
            magnitudes[(int) Math.log10(price) - 2]++;
        }
        for (int count : magnitudes) {
            assertEquals(10_000, count, 500);
        }
    }

    @Test
    void shapesThatAreNoneAreRefused() {
        GeneratorConfig.Builder builder = GeneratorConfig.builder();
        builder.auctionProportion = 0;
        IllegalArgumentException e =
                assertThrows(IllegalArgumentException.class, builder::build);
        assertEquals("auction proportion is 0 but must be at least 1", e.getMessage());
    }

    @Test
    void randomNumbersKeepTheirBounds() {
        EventRandom random = new EventRandom();
        int[] seen = new int[10];
        for (long n = 0; n < 100_000; n++) {
            random.event(7, n);
            seen[(int) random.below(10)]++;
            double fraction = random.fraction();
            assertTrue(fraction >= 0 && fraction < 1);
        }
        for (int count : seen) {
            assertEquals(10_000, count, 500);
        }
        random.event(7, 1);
        byte[] first = random.letters(30);
        random.event(7, 2);
        assertFalse(java.util.Arrays.equals(first, random.letters(30)));
    }

    private static int fields(int kind) {
        return kind == 0 ? PERSON_FIELDS : kind == 1 ? AUCTION_FIELDS : BID_FIELDS;
    }

    /** Eight bytes for every number and time, the text's own for text. */
    private static int bytes(RowData row, int kind) {
        String numbers = kind == 0 ? "06" : kind == 1 ? "0345678" : "0125";
        int bytes = 0;
        for (int i = 0; i < fields(kind); i++) {
            bytes += numbers.indexOf('0' + i) >= 0 ? 8 : row.getString(i).toBytes().length;
        }
        return bytes;
    }
}
