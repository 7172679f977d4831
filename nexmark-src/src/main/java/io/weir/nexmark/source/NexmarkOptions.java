/** The options of the table connector, named as the users of the community's connector know them. */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.GeneratorConfig;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;

final class NexmarkOptions {

    private static final GeneratorConfig STANDARD = GeneratorConfig.builder().build();

    static final ConfigOption<Long> FIRST_EVENT_RATE =
            ConfigOptions.key("first-event.rate")
                    .longType()
                    .noDefaultValue()
                    .withDescription("Events per second at first; here always those of next-event.rate.");

    static final ConfigOption<Long> NEXT_EVENT_RATE =
            ConfigOptions.key("next-event.rate")
                    .longType()
                    .defaultValue(STANDARD.eventsPerSecond)
                    .withDescription("Events per second, in event time and over all subtasks in real time.");

    static final ConfigOption<Boolean> MAX_EMIT_SPEED =
            ConfigOptions.key("max-emit-speed")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription("Emit as fast as possible; the rate then holds in event time only.");

    static final ConfigOption<Long> EVENTS_NUM =
            ConfigOptions.key("events.num")
                    .longType()
                    .defaultValue(0L)
                    .withDescription("How many events; 0 for a stream without end.");

    static final ConfigOption<Integer> PERSON_PROPORTION =
            ConfigOptions.key("person.proportion").intType().defaultValue(STANDARD.personProportion);

    static final ConfigOption<Integer> AUCTION_PROPORTION =
            ConfigOptions.key("auction.proportion").intType().defaultValue(STANDARD.auctionProportion);

    static final ConfigOption<Integer> BID_PROPORTION =
            ConfigOptions.key("bid.proportion").intType().defaultValue(STANDARD.bidProportion);

    static final ConfigOption<MemorySize> PERSON_SIZE =
            ConfigOptions.key("person.avg-size").memoryType().defaultValue(new MemorySize(STANDARD.personBytes));

    static final ConfigOption<MemorySize> AUCTION_SIZE =
            ConfigOptions.key("auction.avg-size").memoryType().defaultValue(new MemorySize(STANDARD.auctionBytes));

    static final ConfigOption<MemorySize> BID_SIZE =
            ConfigOptions.key("bid.avg-size").memoryType().defaultValue(new MemorySize(STANDARD.bidBytes));

    static final ConfigOption<Integer> HOT_AUCTIONS =
            ConfigOptions.key("bid.hot-ratio.auctions").intType().defaultValue(STANDARD.hotAuctionRatio);

    static final ConfigOption<Integer> HOT_BIDDERS =
            ConfigOptions.key("bid.hot-ratio.bidders").intType().defaultValue(STANDARD.hotBidderRatio);

    static final ConfigOption<Integer> HOT_SELLERS =
            ConfigOptions.key("auction.hot-ratio.sellers").intType().defaultValue(STANDARD.hotSellerRatio);

    static final ConfigOption<Integer> IN_FLIGHT_AUCTIONS =
            ConfigOptions.key("auction.num-in-flight")
                    .intType()
                    .defaultValue(STANDARD.inFlightAuctions)
                    .withDescription("Auctions that still receive bids.");

    static final ConfigOption<Integer> ACTIVE_PEOPLE =
            ConfigOptions.key("person.num-active")
                    .intType()
                    .defaultValue(STANDARD.activePeople)
                    .withDescription("Persons that still bid and sell.");

    static final ConfigOption<Long> SEED =
            ConfigOptions.key("seed").longType().defaultValue(STANDARD.seed);

    static final ConfigOption<Long> BASE_TIME =
            ConfigOptions.key("base-time")
                    .longType()
                    .defaultValue(STANDARD.baseTimeMillis)
                    .withDescription("Event time of the first event, in milliseconds since 1970.");

    static final Set<ConfigOption<?>> ALL =
            Set.of(
                    FIRST_EVENT_RATE,
                    NEXT_EVENT_RATE,
                    MAX_EMIT_SPEED,
                    EVENTS_NUM,
                    PERSON_PROPORTION,
                    AUCTION_PROPORTION,
                    BID_PROPORTION,
                    PERSON_SIZE,
                    AUCTION_SIZE,
                    BID_SIZE,
                    HOT_AUCTIONS,
                    HOT_BIDDERS,
                    HOT_SELLERS,
                    IN_FLIGHT_AUCTIONS,
                    ACTIVE_PEOPLE,
                    SEED,
                    BASE_TIME);

    /**
     * The source that the options describe.
     *
     * @throws ValidationException naming what contradicts or is too small
     */
    static NexmarkSource source(ReadableConfig options) {
        long rate = options.get(NEXT_EVENT_RATE);
        long firstRate = options.getOptional(FIRST_EVENT_RATE).orElse(rate);
        if (firstRate != rate) {
            throw new ValidationException(
                    String.format(
                            "first-event.rate is %d but next-event.rate is %d; only constant rates are available, so they must be equal.",
                            firstRate, rate));
        }
        long events = options.get(EVENTS_NUM);
        if (events < 0) {
            throw new ValidationException("events.num is " + events + " but must be 0 (no end) or more.");
        }
        double emitRate = options.get(MAX_EMIT_SPEED) ? Double.POSITIVE_INFINITY : rate;
        return new NexmarkSource(generator(options, rate), events, emitRate);
    }

    private static GeneratorConfig generator(ReadableConfig options, long rate) {
        GeneratorConfig.Builder builder = GeneratorConfig.builder();
        builder.seed = options.get(SEED);
        builder.baseTimeMillis = options.get(BASE_TIME);
        builder.eventsPerSecond = rate;
        builder.personProportion = options.get(PERSON_PROPORTION);
        builder.auctionProportion = options.get(AUCTION_PROPORTION);
        builder.bidProportion = options.get(BID_PROPORTION);
        builder.personBytes = (int) options.get(PERSON_SIZE).getBytes();
        builder.auctionBytes = (int) options.get(AUCTION_SIZE).getBytes();
        builder.bidBytes = (int) options.get(BID_SIZE).getBytes();
        builder.hotAuctionRatio = options.get(HOT_AUCTIONS);
        builder.hotBidderRatio = options.get(HOT_BIDDERS);
        builder.hotSellerRatio = options.get(HOT_SELLERS);
        builder.inFlightAuctions = options.get(IN_FLIGHT_AUCTIONS);
        builder.activePeople = options.get(ACTIVE_PEOPLE);
        try {
            return builder.build();
        } catch (IllegalArgumentException e) {
            throw new ValidationException("Nexmark source: " + e.getMessage() + ".", e);
        }
    }

    private NexmarkOptions() {}
}
