/** The columns of the event stream. */
package io.weir.nexmark.generator;

import static org.apache.flink.table.api.DataTypes.BIGINT;
import static org.apache.flink.table.api.DataTypes.FIELD;
import static org.apache.flink.table.api.DataTypes.INT;
import static org.apache.flink.table.api.DataTypes.ROW;
import static org.apache.flink.table.api.DataTypes.STRING;
import static org.apache.flink.table.api.DataTypes.TIMESTAMP;

import org.apache.flink.table.types.DataType;

/** The names are those of the community's connector, so that its users' queries run. */
public final class EventSchema {

    public static final DataType PERSON =
            ROW(
                    FIELD("id", BIGINT()),
                    FIELD("name", STRING()),
                    FIELD("emailAddress", STRING()),
                    FIELD("creditCard", STRING()),
                    FIELD("city", STRING()),
                    FIELD("state", STRING()),
                    FIELD("dateTime", TIMESTAMP(3)),
                    FIELD("extra", STRING()));

    public static final DataType AUCTION =
            ROW(
                    FIELD("id", BIGINT()),
                    FIELD("itemName", STRING()),
                    FIELD("description", STRING()),
                    FIELD("initialBid", BIGINT()),
                    FIELD("reserve", BIGINT()),
                    FIELD("dateTime", TIMESTAMP(3)),
                    FIELD("expires", TIMESTAMP(3)),
                    FIELD("seller", BIGINT()),
                    FIELD("category", BIGINT()),
                    FIELD("extra", STRING()));

    public static final DataType BID =
            ROW(
                    FIELD("auction", BIGINT()),
                    FIELD("bidder", BIGINT()),
                    FIELD("price", BIGINT()),
                    FIELD("channel", STRING()),
                    FIELD("url", STRING()),
                    FIELD("dateTime", TIMESTAMP(3)),
                    FIELD("extra", STRING()));

    /** Of person, auction and bid the one that {@code event_type} says is set (0, 1, 2), the others are null. */
    public static final DataType EVENT =
            ROW(
                    FIELD("event_type", INT()),
                    FIELD("person", PERSON),
                    FIELD("auction", AUCTION),
                    FIELD("bid", BID));

    /** The columns of one kind of event: 0 person, 1 auction, 2 bid. */
    public static DataType kind(int kind) {
        return EVENT.getChildren().get(kind + 1);
    }

    private EventSchema() {}
}
