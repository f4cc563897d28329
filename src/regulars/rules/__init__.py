"""The rule language: which customers, which events. Data (schema), and three readings of it.

    rule = rules.schema.parse(stored)                       JSON → tree; Invalid says what and where
    rules.compile.predicate(rule, scores, …)                → Ibis predicate over scores (or over events)
    rules.match.matches(rule, event)                        → does this one event meet it
    rules.describe.described(rule, named=…, currency=…)     → a sentence in both languages
    rules.schema.dump(rule)                                 → JSON with the version, to be stored

A leaf asked of somebody without a value (never bought: no recency) is not met; its negation therefore is. Pure data and
expressions: who runs them, and where sets of customers come from, is decided above.
"""
