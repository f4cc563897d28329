"""Events sent on to other programs as they happen: signed (Standard Webhooks), retried, logged, sent again on wish."""
