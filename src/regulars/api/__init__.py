"""The JSON API at /api/v1: a door for machines. It checks, calls services and queries, and puts answers into shape; no
business logic lives here. Described by OpenAPI (docs/openapi.json) and shown at /api/docs.
"""
