"""A lens as a page: static files that a phone opens, keeps, and classifies with."""
