"""Pages for people: each group of them is a module, and calls the same use-cases as the API beside it."""
