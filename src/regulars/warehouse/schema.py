"""The tables of the warehouse and how an older file becomes one of this version. What is in them: docs/warehouse.md.

Times are epoch microseconds, days are days since 1970-01-01 in the business's zone, months are year * 12 + month - 1,
money is minor units of the business's currency (of a line: of its own, in small letters where none was told),
quantities are thousandths.
"""

SCORES = """
    customer_id BIGINT, known BOOLEAN, erased BOOLEAN,
    orders BIGINT, gross BIGINT, net BIGINT,
    first_day INTEGER, last_day INTEGER, last_seen_day INTEGER, gap_days INTEGER, recency_days INTEGER,
    r INTEGER, f INTEGER, m INTEGER, rfm_group VARCHAR, stage VARCHAR,
    silent_days INTEGER, spend_recent BIGINT, spend_before BIGINT,
    warned BOOLEAN, warn_silent BOOLEAN, warn_spend BOOLEAN, warn_overdue BOOLEAN,
    p_alive DOUBLE, expected_orders DOUBLE, expected_value BIGINT, value_low BIGINT, value_high BIGINT,
    store VARCHAR, channel VARCHAR
"""

PURCHASES = """
    customer_id BIGINT, order_id VARCHAR {order_id}, "at" BIGINT, day BIGINT, month BIGINT, store VARCHAR,
    channel VARCHAR, gross BIGINT, refunded BIGINT, net BIGINT, lines BIGINT
"""

# Each step brings a file of the version before to the next; a file's version is kept in meta. Never change a step
# that has been released: add one.
STEPS: tuple[str, ...] = (
    f"""
    CREATE TABLE events(
        position BIGINT, name VARCHAR, record_id BIGINT, "at" BIGINT, day INTEGER, month INTEGER, store VARCHAR,
        channel VARCHAR, product_id VARCHAR, category VARCHAR, order_id VARCHAR, amount BIGINT, score INTEGER,
        properties VARCHAR);
    CREATE TABLE lines(
        position BIGINT, line INTEGER, record_id BIGINT, "at" BIGINT, day INTEGER, month INTEGER, order_id VARCHAR,
        store VARCHAR, channel VARCHAR, product_id VARCHAR, category VARCHAR, name VARCHAR, quantity BIGINT,
        amount BIGINT, paid BOOLEAN, kind VARCHAR, home BOOLEAN, currency VARCHAR);
    CREATE TABLE records(record_id BIGINT, customer_id BIGINT, known BOOLEAN, erased BOOLEAN, created_day INTEGER);
    CREATE TABLE merges(source BIGINT, target BIGINT);
    CREATE TABLE pending(record_id BIGINT, position BIGINT);
    CREATE TABLE purchases({PURCHASES.format(order_id="")});
    CREATE TABLE scores({SCORES});
    CREATE TABLE meta(key VARCHAR, value VARCHAR);
    """,
    """
    ALTER TABLE scores ADD COLUMN mood VARCHAR;
    ALTER TABLE scores ADD COLUMN taste VARCHAR;
    UPDATE meta SET value = 'true' WHERE key = 'stale';
    """,
    """
    ALTER TABLE scores ADD COLUMN visits BIGINT;
    ALTER TABLE scores ADD COLUMN reduced BIGINT;
    ALTER TABLE pending ADD COLUMN anew BOOLEAN;
    """,
    # What counts as a sign of life became another: everybody is judged anew.
    """
    UPDATE meta SET value = 'true' WHERE key = 'stale';
    """,
)
