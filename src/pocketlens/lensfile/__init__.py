"""The lens file: schema, reader, writer, check. Every hostile-file rule lives here."""
