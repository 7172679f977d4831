/** Turns the number of an event into its table row. */
package io.weir.nexmark.generator;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;

/**
 * An online auction house, as in "NEXMark: a benchmark for queries over data streams" (Tucker, Tufte, Papadimos, Maier):
 * persons register, open auctions and bid. The row is a function of the configuration and the number alone, whoever asks
 * and in whatever order. Not thread-safe: it reuses its random numbers.
 */
public final class EventGenerator {

    private static final long FIRST_ID = 1000;
    private static final long FIRST_CATEGORY = 10;
    private static final long CATEGORIES = 5;
    /** The hot auction, bidder and seller change with every so many new ones. */
    private static final long HOT_INTERVAL = 100;
    /** Events may refer to so many persons and auctions that do not exist yet: streams are not in perfect order. */
    private static final long LEAD = 10;

    private static final int OTHER_CHANNELS = 10_000;
    private static final StringData[] HOT_CHANNELS = strings("Apple", "Baidu", "Facebook", "Google");
    private static final StringData[] STATES = strings("AZ", "CA", "ID", "OR", "WA", "WY");
    private static final StringData[] CITIES =
            strings(
                    "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond",
                    "Seattle", "Kent", "Cheyenne");
    private static final String[] FIRST_NAMES = {
        "Ada", "Ben", "Clara", "Dan", "Eva", "Finn", "Grace", "Hugo", "Iris", "Jon", "Kate"
    };
    private static final String[] LAST_NAMES = {
        "Abrams", "Bartels", "Cho", "Drake", "Ember", "Franklin", "Gold", "Hart", "Ito"
    };
    private static final String SITE = "https://www.nexmark.com";
    private static final int LONG_BYTES = 8;
    /** The column whose numbers say whether an event comes late; no event has so many. */
    private static final int DELAY = 15;

    private final GeneratorConfig config;
    private final EventNumbering numbering;
    private final EventRandom random = new EventRandom();

    public EventGenerator(GeneratorConfig config) {
        this.config = config;
        this.numbering = new EventNumbering(config);
    }

    /** The row at a position, of {@link EventSchema#EVENT}: kind, person, auction, bid; of the last three one is not null. */
    public RowData event(long position) {
        long number = numbering.event(position);
        random.event(config.seed, number);
        int kind = numbering.kind(number);
        TimestampData time = TimestampData.fromEpochMillis(timeMillis(number));
        GenericRowData row = new GenericRowData(4);
        row.setField(0, kind);
        switch (kind) {
            case EventNumbering.PERSON:
                row.setField(1, person(number, time));
                break;
            case EventNumbering.AUCTION:
                row.setField(2, auction(number, time));
                break;
            default:
                row.setField(3, bid(number, time));
        }
        return row;
    }

    private long timeMillis(long number) {
        long time = numbering.timeMillis(number);
        if (config.delayedShare == 0 || random.column(DELAY).fraction() >= config.delayedShare) {
            return time;
        }
        long delay = config.shortestDelayMillis + random.below(config.longestDelayMillis - config.shortestDelayMillis + 1);
        return Math.max(time - delay, config.baseTimeMillis);
    }

    // Every column draws from numbers of its own, which EventRandom.column starts.

    private GenericRowData person(long number, TimestampData time) {
        random.column(1);
        String first = FIRST_NAMES[pick(FIRST_NAMES.length)];
        StringData name = StringData.fromString(first + " " + LAST_NAMES[pick(LAST_NAMES.length)]);
        random.column(2);
        StringData email = text(random.letters(7), "@", random.letters(5), ".com");
        random.column(3);
        StringData card = StringData.fromBytes(cardNumber());
        random.column(4);
        StringData city = CITIES[pick(CITIES.length)];
        random.column(5);
        StringData state = STATES[pick(STATES.length)];
        int bytes = 2 * LONG_BYTES + bytes(name) + bytes(email) + bytes(card) + bytes(city) + bytes(state);
        random.column(7);
        return GenericRowData.of(
                FIRST_ID + numbering.lastPerson(number),
                name,
                email,
                card,
                city,
                state,
                time,
                filler(bytes, config.personBytes));
    }

    private GenericRowData auction(long number, TimestampData time) {
        random.column(1);
        StringData item = StringData.fromBytes(random.letters(20));
        random.column(2);
        StringData description = StringData.fromBytes(random.letters(100));
        random.column(3);
        long initialBid = random.price();
        random.column(4);
        long reserve = initialBid + random.price();
        random.column(6);
        long open = 1 + random.below(Math.max(2 * numbering.auctionTurnoverMillis(number), 1));
        random.column(7);
        long newestPerson = numbering.lastPerson(number);
        long seller =
                pick(config.hotSellerRatio) > 0
                        ? newestPerson / HOT_INTERVAL * HOT_INTERVAL
                        : activePerson(newestPerson);
        random.column(8);
        long category = FIRST_CATEGORY + random.below(CATEGORIES);
        int bytes = 7 * LONG_BYTES + bytes(item) + bytes(description);
        random.column(9);
        return GenericRowData.of(
                FIRST_ID + numbering.lastAuction(number),
                item,
                description,
                initialBid,
                reserve,
                time,
                TimestampData.fromEpochMillis(time.getMillisecond() + open),
                FIRST_ID + seller,
                category,
                filler(bytes, config.auctionBytes));
    }

    private GenericRowData bid(long number, TimestampData time) {
        random.column(0);
        long newestAuction = numbering.lastAuction(number);
        long auction =
                pick(config.hotAuctionRatio) > 0
                        ? newestAuction / HOT_INTERVAL * HOT_INTERVAL
                        : inFlightAuction(newestAuction);
        random.column(1);
        long newestPerson = numbering.lastPerson(number);
        // One apart from the hot seller, so that few bid on their own auctions.
        long bidder =
                pick(config.hotBidderRatio) > 0
                        ? newestPerson / HOT_INTERVAL * HOT_INTERVAL + 1
                        : activePerson(newestPerson);
        random.column(2);
        long price = random.price();
        // Channel and URL name the same channel, so they share their numbers.
        random.column(3);
        StringData channel;
        StringData url;
        int choice = pick(2 * OTHER_CHANNELS);
        if (choice >= OTHER_CHANNELS) {
            int hot = choice % HOT_CHANNELS.length;
            channel = HOT_CHANNELS[hot];
            url = StringData.fromString(SITE + "/item.htm?query=1&channel_id=" + hot);
        } else {
            channel = StringData.fromString("channel-" + choice);
            url = text(SITE + "/", random.letters(8), "/item.htm?query=1&channel_id=" + choice);
        }
        int bytes = 4 * LONG_BYTES + bytes(channel) + bytes(url);
        random.column(6);
        return GenericRowData.of(
                FIRST_ID + auction,
                FIRST_ID + bidder,
                price,
                channel,
                url,
                time,
                filler(bytes, config.bidBytes));
    }

    /** One of the newest persons, or of the next to come. */
    private long activePerson(long newest) {
        long people = newest + 1;
        long active = Math.min(people, config.activePeople);
        return people - active + random.below(active + LEAD);
    }

    /** One of the newest auctions, or of the next to come. */
    private long inFlightAuction(long newest) {
        long oldest = Math.max(newest - config.inFlightAuctions, 0);
        return oldest + random.below(newest - oldest + 1 + LEAD);
    }

    private int pick(int count) {
        return (int) random.below(count);
    }

    private byte[] cardNumber() {
        byte[] digits = new byte[19];
        for (int i = 0; i < digits.length; i++) {
            digits[i] = (byte) (i % 5 == 4 ? ' ' : '0' + pick(10));
        }
        return digits;
    }

    /** Fills up to the wanted mean size, give or take a fifth of what is missing. */
    private StringData filler(int present, int wanted) {
        int missing = Math.max(wanted - present, 0);
        int spread = missing / 5;
        return StringData.fromBytes(random.letters(missing - spread + pick(2 * spread + 1)));
    }

    private static int bytes(StringData text) {
        return text.toBytes().length;
    }

    /** Joins strings and byte arrays, all ASCII. */
    private static StringData text(Object... parts) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(80);
        for (Object part : parts) {
            byte[] ascii =
                    part instanceof byte[]
                            ? (byte[]) part
                            : ((String) part).getBytes(StandardCharsets.US_ASCII);
            bytes.write(ascii, 0, ascii.length);
        }
        return StringData.fromBytes(bytes.toByteArray());
    }

    private static StringData[] strings(String... texts) {
        StringData[] strings = new StringData[texts.length];
        for (int i = 0; i < texts.length; i++) {
            strings[i] = StringData.fromString(texts[i]);
        }
        return strings;
    }
}
