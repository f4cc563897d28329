"""The public tracking API: a narrow ASGI seam in front of Django that can be replaced by itself.

`door` authenticates, checks the shape and answers; `inbox` makes durable what was accepted; `envelope` turns a record
of the inbox into drafts of events, without side effects. No profile work and no database here: only `keys` asks Django
for the write keys. What becomes of the records is intake's business (wiring.receiving).
"""
