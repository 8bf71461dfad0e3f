"""Chat's tables, all named `chat_…`; their columns are called what the API calls them. Times are milliseconds."""
