"""Files of customers, orders and events: read, understood, brought into the log; what can't go in comes back.

reading    a file of any make → rows of text, in bounded memory; a module a format
formats    how numbers and dates are written in a column, and the SQL that reads them
mappings   which column is what (data), guessing: a first proposal for it
staging    rows of text in a DuckDB file of their own → orders, refunds, rejected rows
services   the life of an import: upload, mapping, run, cancel
"""
