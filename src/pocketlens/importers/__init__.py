"""Foreign models in: each importer makes an `Imported`, and knows nothing of lenses."""
