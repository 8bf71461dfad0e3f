"""The plugin's operations over HTTP: a module for each group of them."""
