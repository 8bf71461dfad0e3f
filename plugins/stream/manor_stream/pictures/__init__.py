"""Pictures of the broadcast, for pages that link to it."""
