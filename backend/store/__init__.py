"""The durable state: schema, migrations and repositories."""
