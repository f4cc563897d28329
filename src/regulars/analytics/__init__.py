"""From events to figures: facts, the scores of customers, metrics. Pure: no Django, no database but the one given.

How to run a definition
-----------------------
Definitions are Ibis expressions on the unbound tables of `facts`; Ibis compiles them, an engine runs the SQL:

    from regulars.analytics import engines, facts, metrics, scores
    engine.read(metrics.sql("revenue", by="month", since=day, until=day))             # a metric
    engine.read(engines.sql(facts.purchases))                                         # any definition, compiled once
    engine.read(engines.sql(scores.thresholds, "pyspark"))                            # … for Spark or Sail

Parameters must be hashable (ints, strings, tuples, Cutoffs, Thresholds, the tables of facts); SQL is kept by them.
Days are integers since 1970-01-01 in the business's zone, months year*12+month-1, weeks (day+3)//7, money minor units.
Results have no order: sort by the key columns (`METRICS[key].keys`). `metrics.explained(key)` is the tooltip.

What the warehouse makes, in this order
---------------------------------------
1. table `purchases`  = facts.purchases()                    one row per customer and order; see facts.PURCHASES
2. table `figures`    = scores.figures(as_of=, cutoffs=)     full refresh only (may be temporary)
3. `Thresholds.from_rows(read(scores.thresholds()))`         from `figures`; to_json / from_json for meta
4. table `scores`     = scores.judged(cutoffs=, thresholds=) from `figures`; columns scores.COMPUTED, the five
                        columns of statistics (p_alive …) are joined by the warehouse
As of a later day: scores.carried(as_of=, cutoffs=) gives `figures` again from `scores` and `purchases`, without the
events, for the customers to whom nothing happened in between.
Live, for the customers in a (temporary) table `concerned(customer_id)`: the roots concerned now and those they had
before; delete their rows, then insert
   facts.purchases(only=facts.CONCERNED)                                                       into `purchases`
   scores.scores(as_of=, cutoffs=, thresholds=, only=facts.CONCERNED)                          into `scores`
`only` restricts every scan, and no figure depends on other customers: live equals full.

Which metrics there are (key(parameters) -> columns)
----------------------------------------------------
by: all day week month store channel category product; since, until: days, both included, None for open.
revenue(by, since, until)            bucket, gross, refunded, net
orders(by, since, until)             bucket, orders, anonymous
average_order(by, since, until)      bucket, orders, spent, average
buyers(by, since, until, kept)       bucket, buyers
sales(by, since, until, kept)        bucket, gross, refunded, net, orders, anonymous, buyers, priced, spent, average
new_and_returning(by, since, until)  bucket, new_buyers, returning_buyers, new_gross, returning_gross, new_net,
                                     returning_net
retention(as_of, since_month, kept)  cohort, months_since, customers, gross, net
time_between_purchases(as_of, kept)  gap_days, times, customers
second_order(as_of, within)          cohort, customers, ever, observed_30, within_30 … for each N of within
rfm_matrix()                         r, f, customers, orders, net, m_sum
rfm_groups()                         rfm_group, customers, orders, net
stages()                             stage, customers, net, warned
warnings()                           warn_silent, warn_spend, warn_overdue, warned, customers, spend_before
stage_flow(months, cutoffs, thresholds, kept)   month, from_stage, to_stage, customers
                                     months = metrics.month_ends(until_day, count): count-1 flows; running=True adds the
                                     month that isn't over; from_stage "" = not yet a customer
nps(by, since, until)                bucket, answers, promoters, detractors
csat(by, since, until)               bucket, answers, satisfied, score_sum
events(by, since, until)             name, bucket, times, records
kept: from a table `visits`, made by facts.visits(as_of=), or `placed`, by facts.placed(), which several questions then
share
bucket is an integer for day, week, month; else a string, "" for none, "all" for all.

Names: rfm.GROUPS, rfm.MEANING, rfm.name(key, cutoffs); lifecycle.STAGES, lifecycle.MEANING. Settings: cutoffs.Cutoffs
(from_json(settings)). Survey Answered: events.category says nps or csat, events.score the answer.
"""
