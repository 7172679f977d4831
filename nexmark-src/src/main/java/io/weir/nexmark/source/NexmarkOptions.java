/** The options of the table connector, named as the users of the community's connector know them. */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.GeneratorConfig;
import io.weir.nexmark.generator.RateSchedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;

public final class NexmarkOptions {

    private static final GeneratorConfig STANDARD = GeneratorConfig.builder().build();

    static final ConfigOption<Long> FIRST_EVENT_RATE =
            ConfigOptions.key("first-event.rate")
                    .longType()
                    .noDefaultValue()
                    .withDescription("Events per second at first, of a shape with two rates; else that of next-event.rate.");

    static final ConfigOption<Long> NEXT_EVENT_RATE =
            ConfigOptions.key("next-event.rate")
                    .longType()
                    .defaultValue(10_000L)
                    .withDescription("Events per second, in event time and over all subtasks in real time.");

    static final ConfigOption<Shape> RATE_SHAPE =
            ConfigOptions.key("rate.shape")
                    .enumType(Shape.class)
                    .defaultValue(Shape.CONSTANT)
                    .withDescription(
                            "constant; step: first-event.rate for rate.period, then next-event.rate; square, sine: between the two"
                                    + " rates and back within each rate.period; file: as rate.file has it.");

    static final ConfigOption<Duration> RATE_PERIOD =
            ConfigOptions.key("rate.period").durationType().defaultValue(Duration.ofMinutes(10));

    static final ConfigOption<String> RATE_FILE =
            ConfigOptions.key("rate.file")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("CSV with lines second,rate; read where the job is submitted.");

    static final ConfigOption<AfterRestore> AFTER_RESTORE =
            ConfigOptions.key("rate.after-restore")
                    .enumType(AfterRestore.class)
                    .defaultValue(AfterRestore.CATCH_UP)
                    .withDescription(
                            "catch_up: what falls due while the job is down is a backlog, as in a log; resume: the schedule goes on"
                                    + " where it was.");

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

    static final ConfigOption<Long> PAUSE_AT =
            ConfigOptions.key("events.pause-at")
                    .longType()
                    .noDefaultValue()
                    .withDescription(
                            "Wait after so many events, for ever: a warm-up that is stopped with a savepoint and restored without this"
                                    + " has read exactly these.");

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

    static final ConfigOption<Integer> OUT_OF_ORDER_GROUP =
            ConfigOptions.key("out-of-order.group-size")
                    .intType()
                    .defaultValue(STANDARD.outOfOrderGroup)
                    .withDescription("Events are shuffled within groups of so many; events.num should be a multiple of it.");

    static final ConfigOption<Double> DELAYED_SHARE =
            ConfigOptions.key("delayed-event.probability").doubleType().defaultValue(STANDARD.delayedShare);

    static final ConfigOption<Duration> SHORTEST_DELAY =
            ConfigOptions.key("delayed-event.min-delay")
                    .durationType()
                    .defaultValue(Duration.ofMillis(STANDARD.shortestDelayMillis));

    static final ConfigOption<Duration> LONGEST_DELAY =
            ConfigOptions.key("delayed-event.max-delay")
                    .durationType()
                    .defaultValue(Duration.ofMillis(STANDARD.longestDelayMillis));

    static final ConfigOption<Kind> EVENT_TYPE =
            ConfigOptions.key("event.type")
                    .enumType(Kind.class)
                    .noDefaultValue()
                    .withDescription("person, auction or bid: a table of these alone, with their columns; else all in one stream.");

    static final ConfigOption<Generator> GENERATOR =
            ConfigOptions.key("generator")
                    .enumType(Generator.class)
                    .defaultValue(Generator.AUTO)
                    .withDescription(
                            "native; java; auto: native where this machine can, else java. The events are the same. repeat: the first"
                                    + " few rows for ever, to measure what Flink itself takes.");

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
                    RATE_SHAPE,
                    RATE_PERIOD,
                    RATE_FILE,
                    AFTER_RESTORE,
                    MAX_EMIT_SPEED,
                    EVENTS_NUM,
                    PAUSE_AT,
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
                    OUT_OF_ORDER_GROUP,
                    DELAYED_SHARE,
                    SHORTEST_DELAY,
                    LONGEST_DELAY,
                    EVENT_TYPE,
                    GENERATOR,
                    SEED,
                    BASE_TIME);

    /** How the rate goes over time. */
    enum Shape {
        CONSTANT,
        STEP,
        SQUARE,
        SINE,
        FILE
    }

    /** What becomes of the events that fall due while a job is down. */
    enum AfterRestore {
        CATCH_UP,
        RESUME
    }

    /** The kinds of events, in the order of {@link io.weir.nexmark.generator.EventNumbering}. */
    enum Kind {
        PERSON,
        AUCTION,
        BID
    }

    /** What makes the rows. */
    enum Generator {
        AUTO,
        NATIVE,
        JAVA,
        REPEAT
    }

    /** The kind the table is of, or {@link EventColumns#ALL_KINDS}. */
    static int kind(ReadableConfig options) {
        return options.getOptional(EVENT_TYPE).map(Kind::ordinal).orElse(EventColumns.ALL_KINDS);
    }

    /**
     * The source that the options describe, with all columns.
     *
     * @throws ValidationException naming what contradicts or is too small
     */
    static NexmarkSource source(ReadableConfig options) {
        long events = options.get(EVENTS_NUM);
        if (events < 0) {
            throw new ValidationException("events.num is " + events + " but must be 0 (no end) or more.");
        }
        RateSchedule schedule;
        try {
            schedule = schedule(options);
        } catch (IllegalArgumentException e) {
            throw new ValidationException("Nexmark source: " + e.getMessage() + ".", e);
        }
        long pauseAt = options.getOptional(PAUSE_AT).orElse(Long.MAX_VALUE);
        if (pauseAt < 1) {
            throw new ValidationException("events.pause-at is " + pauseAt + " but must be 1 or more.");
        }
        Emission emission =
                new Emission(
                        schedule, !options.get(MAX_EMIT_SPEED), options.get(AFTER_RESTORE) == AfterRestore.CATCH_UP, pauseAt);
        int kind = kind(options);
        if (kind == Kind.BID.ordinal() && options.get(BID_PROPORTION) == 0) {
            throw new ValidationException("event.type is bid but bid.proportion is 0: the table would never have a row.");
        }
        return new NexmarkSource(
                generator(options, schedule), events, emission, EventColumns.all(kind), options.get(GENERATOR));
    }

    /** Events a second of event time, where that is highest. */
    public static long fastestRate(ReadableConfig options) {
        return Arrays.stream(schedule(options).rates()).max().orElseThrow();
    }

    private static RateSchedule schedule(ReadableConfig options) {
        Shape shape = options.get(RATE_SHAPE);
        String spelled = shape.name().toLowerCase(Locale.ROOT);
        boolean periodic = shape == Shape.STEP || shape == Shape.SQUARE || shape == Shape.SINE;
        if (!periodic && options.getOptional(RATE_PERIOD).isPresent()) {
            throw new ValidationException("rate.period is set, but rate.shape is " + spelled + ", which has none.");
        }
        if ((shape == Shape.FILE) != options.getOptional(RATE_FILE).isPresent()) {
            throw new ValidationException("rate.file and rate.shape = file go together.");
        }
        long next = options.get(NEXT_EVENT_RATE);
        long first = options.getOptional(FIRST_EVENT_RATE).orElse(next);
        long periodMillis = options.get(RATE_PERIOD).toMillis();
        if (periodic && periodMillis < RateSchedule.SHORTEST_PERIOD_MILLIS) {
            throw new ValidationException(
                    "rate.period is " + periodMillis + " ms but must be at least " + RateSchedule.SHORTEST_PERIOD_MILLIS + " ms.");
        }
        switch (shape) {
            case STEP:
                return RateSchedule.step(first, next, periodMillis);
            case SQUARE:
                return RateSchedule.square(first, next, periodMillis);
            case SINE:
                return RateSchedule.sine(first, next, periodMillis);
            case FILE:
                if (options.getOptional(FIRST_EVENT_RATE).isPresent() || options.getOptional(NEXT_EVENT_RATE).isPresent()) {
                    throw new ValidationException("first-event.rate and next-event.rate contradict rate.file, which has the rates.");
                }
                return RateSchedule.csv(lines(options.get(RATE_FILE)));
            default:
                if (first != next) {
                    throw new ValidationException(
                            String.format(
                                    "first-event.rate is %d but next-event.rate is %d; with rate.shape = constant they must be equal."
                                            + " Shapes with two rates are step, square and sine.",
                                    first, next));
                }
                return RateSchedule.constant(next);
        }
    }

    private static List<String> lines(String file) {
        try {
            return Files.readAllLines(Path.of(file));
        } catch (IOException e) {
            throw new ValidationException("rate.file " + file + " is not readable.", e);
        }
    }

    private static GeneratorConfig generator(ReadableConfig options, RateSchedule schedule) {
        GeneratorConfig.Builder builder = GeneratorConfig.builder();
        builder.seed = options.get(SEED);
        builder.baseTimeMillis = options.get(BASE_TIME);
        builder.schedule = schedule;
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
        builder.outOfOrderGroup = options.get(OUT_OF_ORDER_GROUP);
        builder.delayedShare = options.get(DELAYED_SHARE);
        builder.shortestDelayMillis = options.get(SHORTEST_DELAY).toMillis();
        builder.longestDelayMillis = options.get(LONGEST_DELAY).toMillis();
        try {
            return builder.build();
        } catch (IllegalArgumentException e) {
            throw new ValidationException("Nexmark source: " + e.getMessage() + ".", e);
        }
    }

    private NexmarkOptions() {}
}
